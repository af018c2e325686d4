"""Promise 25: a server that is started, asked and stopped again and again leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .soak import times

CYCLES = times(10, full=300)
GROWTH_OBJECTS = 500
"""An application has some 4,400 objects: one that stayed in ten cycles would be seen, in 300 all the more."""
GROWTH_KIB = 8192
"""An application takes 1.2 MB: in ten cycles 12 MB, in 300 360 MB. What comes once, late, is not wear."""


def test_starting_asking_and_stopping_leaves_nothing_behind(quick_path: Path, slides: Path) -> None:
    script = Path(__file__).with_name("worn_server.py")
    command = [sys.executable, str(script), str(quick_path / "study.mito"), str(slides), str(CYCLES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + 6 * CYCLES, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    before, after = (dict(word.split("=") for word in line.split()) for line in done.stdout.splitlines())
    assert after["descriptors"] == before["descriptors"]
    assert after["threads"] == before["threads"]
    assert int(after["objects"]) - int(before["objects"]) < GROWTH_OBJECTS
    assert int(after["kib"]) - int(before["kib"]) < GROWTH_KIB
