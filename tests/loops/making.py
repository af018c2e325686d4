"""Boards made for the tests, and what computes steps as another machine would."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.board import Grid, Layout
from mitoscope.loops.board_image import write_board

SIDE = 48
COLOURS = ("#e03131", "#1c7ed6")


class Posted:
    """Computes what has travelled as it would to another machine."""

    def run(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Generator[tuple[Any, Any], None, None]:
        for item in reversed(items):  # in whichever order it comes back
            yield item, pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(item)))


def made_layout(grid: Grid, crops: int, *, seed: int = 0) -> Layout:
    """Return crops at random places."""
    places = np.random.default_rng(seed).permutation(grid.places)[:crops]
    row, column = np.divmod(places, grid.columns)
    wanted = np.column_stack([column, row]).astype(np.float64)
    return Layout(grid, column.astype(np.int64), row.astype(np.int64), wanted, "greedy")


def made_crops(crops: int, side: int = SIDE) -> NDArray[np.uint8]:
    """Return crops of one colour each."""
    colours = np.random.default_rng(1).integers(60, 200, (crops, 1, 1, 3), dtype=np.uint8)
    return np.broadcast_to(colours, (crops, side, side, 3)).copy()


def made_board(path: Path, grid: Grid, crops: int) -> tuple[Layout, NDArray[np.uint8]]:
    """Write a board and return what stands on it."""
    layout, pixels = made_layout(grid, crops), made_crops(crops, grid.cell_px)
    write_board(path, layout, pixels, [COLOURS[row % 2] for row in range(crops)], mpp=0.25)
    return layout, pixels
