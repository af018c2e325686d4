"""Promise 25: a server that is started, asked and stopped again and again leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CYCLES = 10
GROWTH_OBJECTS = 500
"""If each application stayed, ten cycles would cost 44,000; some 50 come once, late."""
GROWTH_KIB = 8192
"""If each application stayed, ten cycles would cost 12 MB; what the allocator keeps is 2 to 3 MB."""


def test_starting_asking_and_stopping_leaves_nothing_behind(quick_path: Path, slides: Path) -> None:
    script = Path(__file__).with_name("worn_server.py")
    command = [sys.executable, str(script), str(quick_path / "study.mito"), str(slides), str(CYCLES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    before, after = (dict(word.split("=") for word in line.split()) for line in done.stdout.splitlines())
    assert after["descriptors"] == before["descriptors"]
    assert after["threads"] == before["threads"]
    assert int(after["objects"]) - int(before["objects"]) < GROWTH_OBJECTS
    assert int(after["kib"]) - int(before["kib"]) < GROWTH_KIB
