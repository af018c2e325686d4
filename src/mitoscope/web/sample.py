"""A slide to try things on: synthetic, and called that; drawn in a process of its own."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

SampleState = Literal["none", "being drawn", "there", "failed"]
SAMPLE = "synthetic sample.tiff"
SIZE = "8192x6144"
"""Of 3.1 mm²: some ten seconds of one core."""
SEED = 7
_LOG = logging.getLogger(__name__)


class Sample:
    """The synthetic slide of a study."""

    def __init__(self) -> None:
        self.state: SampleState = "none"
        self._lock = threading.Lock()

    def make(self, folder: Path, on_made: Callable[[Path], None]) -> None:
        """Draw the slide into a folder, unless it is there, and hand on its path; nobody waits for it."""
        with self._lock:
            if self.state in ("being drawn", "there"):
                return
            self.state = "being drawn"
        threading.Thread(target=self._draw, args=(folder / SAMPLE, on_made), daemon=True).start()

    def _draw(self, path: Path, on_made: Callable[[Path], None]) -> None:
        command = ("synth", "--out", str(path), "--size", SIZE, "--seed", str(SEED), "--tissue", "0.8")
        if not path.is_file():
            run = [sys.executable, "-m", "mitoscope", *command]
            done = subprocess.run(run, check=False, capture_output=True, text=True)  # noqa: S603 our own command
            if done.returncode != 0:
                _LOG.warning("warning: the synthetic slide was not drawn: %s", done.stderr.strip()[-500:])
                self.state = "failed"
                return
        self.state = "there"
        on_made(path)
