"""Leaving out points that no fullest window can hold, so that the exact sweep has fewer to look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

CELLS_PER_WINDOW = 64
"""Cells along each side of the window: the bound is then 6 % above the mean count of even points."""
CELLS_MAX = 1_500_000
"""Most cells of the grid; larger slides, or smaller windows, get coarser cells and a weaker bound."""

Floats = NDArray[np.float64]
Counts = NDArray[np.intp]


def prune(points: Floats, *, width: float, height: float, most: Callable[[Floats], int]) -> Floats:
    """Return the points that a fullest window may hold, in their order.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        x and y.
    width, height : float
        Size of the window.
    most : callable
        Returns the most of some points in any window; asked once, of the points around the best cell.

    Notes
    -----
    The points are counted in the cells of a grid. A window whose upper left corner lies in a cell reaches
    over a known block of cells, and holds no more than these. Where that is less than some window truly
    holds, no fullest window has its corner; points that are reached from no other cell are left out.
    """
    cell, shape, index = _grid(points, width=width, height=height)
    # One cell more than the window is long, and one for the rounding of coordinates to cells.
    reach = int(np.ceil(height / cell[1])) + 2, int(np.ceil(width / cell[0])) + 2
    counts = np.bincount(index[1] * shape[1] + index[0], minlength=shape[0] * shape[1]).reshape(shape)
    bound = _box_sums(counts, reach)
    row, column = np.unravel_index(int(bound.argmax()), bound.shape)
    near = (index[1] >= row) & (index[1] < row + reach[0])
    near &= (index[0] >= column) & (index[0] < column + reach[1])
    promising = bound >= most(points[near])
    # A point is reached from the cells up to `reach` above and left of it: the same sums, seen from the end.
    reached = _box_sums(promising[::-1, ::-1].astype(np.intp), reach)[::-1, ::-1] > 0
    return points[reached[index[1], index[0]]]


def _grid(
    points: Floats, *, width: float, height: float
) -> tuple[tuple[float, float], tuple[int, int], tuple[Counts, Counts]]:
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    cells = CELLS_PER_WINDOW
    while cells > 1 and _area(extent, width / cells, height / cells) > CELLS_MAX:
        cells //= 2
    factor = max(1.0, float(np.sqrt(_area(extent, width, height) / CELLS_MAX))) if cells == 1 else 1.0 / cells
    cell = width * factor, height * factor
    column, row = ((points - low) // cell).astype(np.intp).T
    return cell, (int(row.max()) + 1, int(column.max()) + 1), (column, row)


def _area(extent: Floats, width: float, height: float) -> float:
    return float((extent[0] / width + 1) * (extent[1] / height + 1))


def _box_sums(values: Counts, size: tuple[int, int]) -> Counts:
    """Return the sum over the block of `size` cells that begins at each cell, shape (h, w)."""
    h, w = values.shape
    summed = np.zeros((h + 1, w + 1), np.intp)
    summed[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    low = np.minimum(np.arange(h) + size[0], h)
    right = np.minimum(np.arange(w) + size[1], w)
    below = summed[low]
    return np.asarray(below[:, right] - below[:, :w] - summed[:h, right] + summed[:h, :w])
