"""How the optional parts of mitoscope are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
"""The folder of the repository, where mitoscope runs from one."""


def how_to_install(*extras: str) -> str:
    """Return the command that installs extras.

    In a checkout ``make setup`` installs, into an environment without pip; elsewhere mitoscope is a package.
    """
    if (_CHECKOUT / "Makefile").is_file() and (_CHECKOUT / "uv.lock").is_file():
        names = " ".join(extras)
        return f"make setup EXTRAS={names}" if len(extras) == 1 else f"make setup EXTRAS='{names}'"
    return f"pip install 'mitoscope[{','.join(extras)}]'"
