"""How often promises are put to the test: a short count in every run, the full one by `make soak`."""

from __future__ import annotations

import os

IS_SOAK = os.environ.get("MITOSCOPE_SOAK") == "1"


def times(short: int, *, full: int) -> int:
    """Return the full count in a soak, else the short one."""
    return full if IS_SOAK else short
