"""The picture of a board: drawn once in the background, then shown like a slide."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mitoscope.curation.board import Grid, Layout
from mitoscope.errors import MitoscopeError
from mitoscope.loops.board_image import write_board
from mitoscope.loops.crops import MPP, CropPlace, gather_crops
from mitoscope.store import Board, BoardPlace

PictureState = Literal["drawing", "ready", "failed"]

PICTURE = "board.tiff"


@dataclass
class BoardPicture:
    """How far the picture of a board is.

    Parameters
    ----------
    path : Path
        Where it lies when it is ready.
    state : str
        ``drawing``, ``ready`` or ``failed``.
    done, of : float
        Parts of the work.
    reason : str, optional
        Why it failed.
    """

    path: Path
    state: PictureState = "drawing"
    done: float = 0.0
    of: float = 1.0
    reason: str | None = None

    def start(self, board: Board, places: Sequence[BoardPlace], drawing: Drawing) -> None:
        """Begin to draw, in a thread that does not keep the process alive."""
        job = threading.Thread(target=self._draw, args=(board, places, drawing), daemon=True)
        job.start()

    def _draw(self, board: Board, places: Sequence[BoardPlace], drawing: Drawing) -> None:
        grid = Grid(board.columns, board.rows, board.cell_px)
        column = np.array([place.column for place in places], dtype=np.int64)
        row = np.array([place.row for place in places], dtype=np.int64)
        wanted = np.column_stack([column, row]).astype(np.float64)
        try:
            crops = gather_crops(
                drawing.places,
                drawing.files,
                self.path.parent,
                side_px=board.cell_px,
                mpp_override=drawing.mpp_override,
                progress=self._progress,
            )
            layout = Layout(grid, column, row, wanted, "greedy")
            write_board(self.path, layout, crops, drawing.colours, mpp=MPP, progress=self._progress)
        except MitoscopeError as error:
            self.state, self.reason = "failed", error.what
        else:
            self.state = "ready"

    def _progress(self, done: float, of: float) -> None:
        self.done, self.of = done, of


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a picture is drawn from: places and frame colours of the cells, files of the slides."""

    places: Sequence[CropPlace]
    colours: Sequence[str]
    files: Mapping[str, Path]
    mpp_override: bool


def picture_path(store_path: Path, board_id: int) -> Path:
    """Return where the picture of a board lies: in a folder beside the study."""
    return store_path.parent / f"{store_path.stem}.boards" / f"{board_id}" / PICTURE
