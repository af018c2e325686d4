"""Figures of speed, kept beside the screenshots."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from .making import ARTEFACTS

FILE = "rates.json"
NOTE = (
    "Reached by a test that presses the keys as fast as the page takes them: what the page allows, not how "
    "fast somebody judges. Chromium without a graphics card, drawing in software."
)


def record(name: str, **figures: float) -> None:
    """Keep figures under a name, with how busy the machine was."""
    ARTEFACTS.mkdir(exist_ok=True)
    with (ARTEFACTS / FILE).open("a+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        kept = json.loads(stream.read() or "{}")
        load = round(os.getloadavg()[0], 1)
        rounded = {key: round(value, 1) for key, value in figures.items()}
        kept["note"] = NOTE
        kept[name] = {**rounded, "load": load, "cores": os.cpu_count()}
        stream.truncate(0)
        json.dump(kept, stream, indent=2, sort_keys=True)


@dataclass(slots=True)
class Pace:
    """How many cells a minute were done."""

    per_minute: float = 0.0


@contextmanager
def pace(name: str, cells: int) -> Iterator[Pace]:
    """Measure how fast so many cells are done within the block, and keep it."""
    found, start = Pace(), monotonic()
    yield found
    found.per_minute = 60 * cells / (monotonic() - start)
    record(name, cells_per_minute=found.per_minute)
