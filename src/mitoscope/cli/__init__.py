"""The command line: one file a verb, a thin skin over the Python API.

Exit status: 0 done; 1 a run that failed or is incomplete; 2 bad usage or bad input, with one line that says
what, where and the mend.
"""

from mitoscope.cli.app import app, run

__all__ = ["app", "run"]
