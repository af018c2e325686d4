"""Each crop to its place on the board: as near to its coordinates as the others let it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from mitoscope.curation.board.coordinates import on_grid
from mitoscope.curation.board.grid import Grid
from mitoscope.errors import ConfigError

Method = Literal["exact", "greedy"]
EXACT_ENTRIES = 40_000_000
"""Crops times places up to which all are assigned at once (320 MB): 2,600 crops on a board like CMC's."""
_DENSITY_NEIGHBOURS = 15


class FreePlaces:
    """A grid that fills up.

    In each row two tables lead from a place to the next free one on its left and right; the way there is
    shortened each time it is gone (union-find with path halving). A search goes from row to row outwards and
    ends where the next row is farther than the best place found: it costs the height of the filled patch
    around the point, not its area.
    """

    def __init__(self, grid: Grid) -> None:
        self._columns, self._rows = grid.columns, grid.rows
        width = grid.columns + 2  # a border place on both sides is free for ever and means "none"
        self._left = [list(range(width)) for _ in range(grid.rows)]
        self._right = [list(range(width)) for _ in range(grid.rows)]

    def take_nearest(self, column: float, row: float) -> tuple[int, int]:
        """Take the free place nearest to a point (Euclidean) and return its column and row.

        Of equally near ones the row nearest to the point counts, then the upper row, then the left place.
        The grid must have a free place.
        """
        best, found = math.inf, (-1, -1)
        above = min(max(math.floor(row), 0), self._rows - 1)
        below = above + 1
        while above >= 0 or below < self._rows:
            if above >= 0 and (below >= self._rows or row - above <= below - row):
                candidate, above = above, above - 1
            else:
                candidate, below = below, below + 1
            vertical = (candidate - row) ** 2
            if vertical >= best:
                break
            for place in self._beside(candidate, column):
                distance = vertical + (place - column) ** 2
                if distance < best:
                    best, found = distance, (place, candidate)
        self._take(*found)
        return found

    def _beside(self, row: int, column: float) -> list[int]:
        """Return the free places of a row next to a column, at most one on each side."""
        start = min(max(math.floor(column), 0), self._columns - 1) + 1
        left = _root(self._left[row], start)
        right = _root(self._right[row], start + 1)
        return [place - 1 for place in (left, right) if 1 <= place <= self._columns]

    def _take(self, column: int, row: int) -> None:
        self._left[row][column + 1] = column
        self._right[row][column + 1] = column + 2


def _root(link: list[int], place: int) -> int:
    while link[place] != place:
        link[place] = place = link[link[place]]
    return place


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each crop stands.

    Parameters
    ----------
    grid : Grid
        The board.
    column, row : ndarray of int64, shape (n,)
        Place of each crop; no two have the same.
    wanted : ndarray of float64, shape (n, 2)
        Where each would stand if it were alone, in columns and rows.
    method : str
        ``exact`` or ``greedy``.
    """

    grid: Grid
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    wanted: NDArray[np.float64]
    method: Method

    @property
    def points(self) -> NDArray[np.float64]:
        """Places as points, shape (n, 2)."""
        return np.column_stack([self.column, self.row]).astype(np.float64)

    @property
    def shift(self) -> NDArray[np.float64]:
        """How far each crop stands from where it belongs, in places, shape (n,)."""
        return np.asarray(np.linalg.norm(self.points - self.wanted, axis=1))


def lay_out(coordinates: NDArray[np.floating], grid: Grid, *, method: Method | None = None) -> Layout:
    """Assign each crop a place of its own.

    Parameters
    ----------
    coordinates : ndarray of float, shape (n, 2)
        From :func:`~mitoscope.curation.board.coordinates.project`, or given.
    grid : Grid
        With a place for each.
    method : str, optional
        ``exact``: the sum of squared shifts is as small as can be. ``greedy``: one by one, the crops of dense
        parts first, each to the nearest free place. By default exact where it fits into memory.

    Raises
    ------
    ConfigError
        If there are more crops than places, or too many for the exact method.
    FormatError, NonFiniteError
        If the coordinates are not such.
    """
    wanted = on_grid(coordinates, grid)
    entries = len(wanted) * grid.places
    if len(wanted) > grid.places:
        what = f"{len(wanted)} crops on a board of {grid.columns} × {grid.rows} places"
        raise ConfigError(what, mend="make the board larger or its places smaller")
    if method == "exact" and entries > EXACT_ENTRIES:
        what = f"{len(wanted)} crops on {grid.places} places are too many for the exact method"
        raise ConfigError(what, mend="use the greedy one or a smaller board")
    chosen: Method = method or ("exact" if entries <= EXACT_ENTRIES else "greedy")
    place = _exact(wanted, grid) if chosen == "exact" else _greedy(wanted, grid)
    return Layout(grid, place[:, 0], place[:, 1], wanted, chosen)


def _exact(wanted: NDArray[np.float64], grid: Grid) -> NDArray[np.int64]:
    row, column = np.divmod(np.arange(grid.places), grid.columns)
    across = (wanted[:, :1] - np.arange(grid.columns)) ** 2
    down = (wanted[:, 1:] - np.arange(grid.rows)) ** 2
    cost = (down[:, :, None] + across[:, None, :]).reshape(len(wanted), grid.places)
    crop, place = linear_sum_assignment(cost)
    found = np.empty((len(wanted), 2), dtype=np.int64)
    found[crop] = np.column_stack([column[place], row[place]])
    return found


def _greedy(wanted: NDArray[np.float64], grid: Grid) -> NDArray[np.int64]:
    free = FreePlaces(grid)
    found = np.empty((len(wanted), 2), dtype=np.int64)
    for crop in densest_first(wanted).tolist():
        found[crop] = free.take_nearest(*wanted[crop].tolist())
    return found


def densest_first(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the order of points by the distance to their 15th neighbour: the hearts of clusters come first.

    A cluster then grows around its heart, and stragglers do not hold its places; ties in their order.
    """
    k = min(_DENSITY_NEIGHBOURS, len(points) - 1)
    if k < 1:
        return np.arange(len(points))
    distance, _ = cKDTree(points).query(points, k=[k + 1])
    return np.argsort(np.asarray(distance)[:, 0], kind="stable")
