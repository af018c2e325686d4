"""On which machine a benchmark ran, when, and how busy it was: the line that stands above its figures."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def stamp() -> str:
    """Return date, processor, cores and load of this moment."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {processor()}, {os.cpu_count()} cores, load {load():.1f}"


def load() -> float:
    """Return the load of the last minute."""
    return os.getloadavg()[0]


def processor() -> str:
    """Return what the processor calls itself."""
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
