"""Each crop to its place on the board: as near to its coordinates as the others let it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from mitoscope.curation.board.coordinates import check_points
from mitoscope.errors import ConfigError
from mitoscope.geometry import SizePx

CELL_PX = 128
"""Side of a crop and of its place on the board (CMC: crops of 128 px)."""
OCCUPANCY = 50_286 * CELL_PX**2 / (80_000 * 60_000)
"""Share of the places that hold a crop: 17 % on the board of CMC, 50,286 crops on 80,000 × 60,000 px."""
ASPECT = (4, 3)
"""Width to height of the board of CMC."""
Method = Literal["exact", "greedy"]
EXACT_ENTRIES = 40_000_000
"""Crops times places up to which all are assigned at once (320 MB): 2,600 crops on a board like CMC's."""
_DENSITY_NEIGHBOURS = 15


@dataclass(frozen=True, slots=True)
class Grid:
    """A board of so many columns and rows of square places.

    Parameters
    ----------
    columns, rows : int
    cell_px : int
        Side of a place in board px.
    """

    columns: int
    rows: int
    cell_px: int = CELL_PX

    def __post_init__(self) -> None:
        if self.columns < 1 or self.rows < 1 or self.cell_px < 1:
            what = f"a board of {self.columns} × {self.rows} places of {self.cell_px} px"
            raise ConfigError(what, mend="make it at least 1 × 1 places")

    @classmethod
    def of_size(cls, size: SizePx, *, cell_px: int = CELL_PX) -> Grid:
        """Return the grid of a board of that size; what is left over at its right and lower edge is blank."""
        if cell_px < 1 or cell_px > min(size.width, size.height):
            what = f"places of {cell_px} px on a board of {size.width} × {size.height} px"
            raise ConfigError(what, mend="make the board larger or its places smaller")
        return cls(size.width // cell_px, size.height // cell_px, cell_px)

    @classmethod
    def for_crops(cls, crops: int, *, cell_px: int = CELL_PX, occupancy: float = OCCUPANCY) -> Grid:
        """Return a 4:3 grid of which so many crops fill a share.

        Raises
        ------
        ConfigError
            If there is no crop, or the share is not in (0, 1].
        """
        if crops < 1 or not 0 < occupancy <= 1:
            raise ConfigError(f"a board of {crops} crops of which a share {occupancy:g} is filled")
        rows = math.ceil(math.sqrt(crops / occupancy * ASPECT[1] / ASPECT[0]))
        columns = math.ceil(max(crops, crops / occupancy) / rows)
        return cls(columns, rows, cell_px)

    @property
    def places(self) -> int:
        """Number of places."""
        return self.columns * self.rows

    @property
    def size(self) -> SizePx:
        """Size of the board in px."""
        return SizePx(self.columns * self.cell_px, self.rows * self.cell_px)


def on_grid(coordinates: NDArray[np.floating], grid: Grid) -> NDArray[np.float64]:
    """Return coordinates spread over a grid, in columns and rows: (0, 0) is the centre of its first place.

    Both axes are stretched to the whole board, as for CMC; an axis without extent lies in its middle.

    Parameters
    ----------
    coordinates : ndarray of float, shape (n, 2)
    grid : Grid

    Raises
    ------
    FormatError, NonFiniteError
        As :func:`check_points`.
    """
    points = check_points(coordinates, "coordinates", dimensions=2)
    if not len(points):
        return points
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    last = np.array([grid.columns - 1, grid.rows - 1], dtype=np.float64)
    placed = np.where(extent > 0, (points - low) / np.where(extent > 0, extent, 1.0), 0.5) * last
    return np.asarray(placed, dtype=np.float64)


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
        best, nearest = math.inf, (-1, -1)
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
                    best, nearest = distance, (place, candidate)
        self._take(*nearest)
        return nearest

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
