"""The process that searches: slides come one after the other, what happens goes back as messages.

It runs at a low priority, so that whoever labels meanwhile does not wait, and it may be killed at any
moment: its ledger goes on with the next one. When the server goes, so does it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections

NICENESS = 15


class Channel(Protocol):
    """One end of a pipe between processes, which is of another type on each system."""

    def send(self, message: Any, /) -> None:
        """Send a message."""

    def recv(self) -> Any:
        """Wait for a message and return it."""

    def poll(self, timeout: float = ..., /) -> bool:
        """Say whether a message comes within so many seconds."""
        ...

    def close(self) -> None:
        """Close this end."""


@dataclass(frozen=True, slots=True)
class Task:
    """One slide to be searched.

    Parameters
    ----------
    slide : Path
        Its file.
    out_dir : Path
        Where ledger and results go.
    model : str
        Name or folder of the bundle.
    point : str or None
        Its operating point; None is the default one.
    mpp : float or None
        Resolution of level 0 in µm/px, where the file states none.
    mpp_override : bool
        Whether that replaces what the file states.
    """

    slide: Path
    out_dir: Path
    model: str
    point: str | None
    mpp: float | None
    mpp_override: bool


@dataclass(frozen=True, slots=True)
class Progressed:
    """So many mm² of tissue are searched."""

    done_mm2: float
    of_mm2: float


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """Candidates of the first stage, in level-0 px: shape (n, 2) and (n,)."""

    points_px0: NDArray[np.float64]
    score: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finished:
    """The results are written: the manifest, and the name of the model with its version."""

    manifest: Path
    model: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The slide could not be searched: why, and what to do about it."""

    reason: str


Message = Progressed | Proposed | Finished | Failed


def run(connection: Channel) -> None:
    """Search what is sent until None comes, or the server is gone."""
    if sys.platform != "win32":
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; it ends this process
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while (task := connection.recv()) is not None:
            connection.send(_searched(task, connection))


def _searched(task: Task, connection: Channel) -> Message:
    from mitoscope.bundle import load_bundle
    from mitoscope.errors import LedgerMismatchError, MitoscopeError
    from mitoscope.infer import DetectConfig, detect_slide
    from mitoscope.report import write_outputs

    def found(part: Detections) -> None:
        connection.send(Proposed(part.points_px0, part.score))

    try:
        bundle = load_bundle(task.model)
        config = DetectConfig(point=task.point, mpp=task.mpp, mpp_override=task.mpp_override)
        search = partial(
            detect_slide,
            task.slide,
            bundle,
            task.out_dir,
            progress=lambda done, of: connection.send(Progressed(done, of)),
            found=found,
        )
        try:
            run_ = search(config=config)
        except LedgerMismatchError:  # of another model, or of the file as it was before
            run_ = search(config=config.model_copy(update={"resume": False}))
        written = write_outputs(run_, task.out_dir, force=True)
    except MitoscopeError as error:
        return Failed(str(error))
    except MemoryError:
        return Failed("out of memory; close other programs, or search it on a machine with more")
    return Finished(written[-1], bundle.manifest.source)
