"""Each crop to its place on the board: as near to its coordinates as the others let it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from mitoscope.curation.board.coordinates import on_grid
from mitoscope.curation.board.free_places import FreePlaces
from mitoscope.curation.board.grid import Grid
from mitoscope.errors import ConfigError

Method = Literal["exact", "greedy"]
EXACT_ENTRIES = 40_000_000
"""Crops times places up to which all are assigned at once (320 MB): 2,600 crops on a board like CMC's."""
_DENSITY_NEIGHBOURS = 15


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
