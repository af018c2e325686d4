"""Learning the places of a similarity board, in a process of its own: it needs libraries that a server lacks.

It runs ``mitoscope curate board`` at a low priority into a folder beside the study. What is stopped goes on
there the next time; the study is written by the server alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mitoscope.curation.board.coordinates import CellPoints, read_points
from mitoscope.errors import ConflictError, MitoscopeError
from mitoscope.store import Store
from mitoscope.web.folders import remembered

JobState = Literal["none", "learning", "failed"]
COORDINATES = "coordinates.npz"
NICENESS = 15
PROGRAM = (sys.executable, "-m", "mitoscope")
_EXTRA_OF = {"torch": "train", "lightning_fabric": "train", "umap": "embed"}


def lacking() -> list[str]:
    """Return the extras of the package that a board needs and this installation lacks."""
    return sorted({extra for module, extra in _EXTRA_OF.items() if find_spec(module) is None})


@dataclass(frozen=True, slots=True)
class Job:
    """A board that is learnt: the name of its round, how it stands, and the last line that was reported."""

    name: str = ""
    state: JobState = "none"
    said: str = ""


class BoardJob:
    """The one board of a study that is learnt at a time.

    Parameters
    ----------
    store : Store
        The study.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._job = Job()

    @property
    def now(self) -> Job:
        """How it stands."""
        with self._lock:
            return self._job

    def start(self, name: str, keep: Callable[[CellPoints], None]) -> None:
        """Begin to learn the places of all cells of the study.

        Parameters
        ----------
        name : str
            Of the board's round.
        keep : callable
            Called with the places of the cells in two dimensions, once they are known, in another thread.

        Raises
        ------
        ConflictError
            If a board is being learnt already.
        """
        study = self._store.path.absolute()
        out = study.parent / f"{study.stem}.boards" / "learning"
        folders = [part for folder in remembered(self._store) for part in ("--slides", str(folder))]
        command = [*PROGRAM, "curate", "board", str(study), *folders]
        with self._lock:
            if self._job.state == "learning":
                raise ConflictError("a board is being learnt already", mend="wait for it, or stop it")
            self._process = subprocess.Popen(  # noqa: S603  this program, on the study that is served
                [*command, "--out", str(out)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
            if sys.platform != "win32":
                os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)
            self._job = Job(name, "learning", "starting")
            work = threading.Thread(
                target=self._follow, args=(self._process, out / COORDINATES, keep), daemon=True
            )
        work.start()

    def stop(self) -> None:
        """End what is at work; the folder keeps how far it was."""
        with self._lock:
            process, self._process, self._job = self._process, None, Job()
        if process is not None:
            process.kill()
            process.wait()

    def _follow(
        self, process: subprocess.Popen[str], found: Path, keep: Callable[[CellPoints], None]
    ) -> None:
        said = ""
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                said = line.strip() or said
                self._note(process, "learning", said)
        if process.wait() != 0:
            self._note(
                process, "failed", said.removeprefix("error: ") or "its process ended (out of memory?)"
            )
            return
        try:
            keep(read_points(found))
        except MitoscopeError as error:
            self._note(process, "failed", str(error))
        else:
            self._note(process, "none", "")

    def _note(self, process: subprocess.Popen[str], state: JobState, said: str) -> None:
        with self._lock:
            if self._process is process:  # not one that was stopped
                self._job = Job(self._job.name, state, said)
