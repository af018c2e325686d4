"""``python -m mitoscope.cli``: the same as the command ``mitoscope``."""

from mitoscope.cli import run

run()
