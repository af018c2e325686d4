"""The most points that a window of fixed size can hold, over all of its placements: exact, in O(n log n).

A window spans [x, x + width) × [y, y + height). Moved right and down until its left and upper edge each touch
a point it holds, it holds no fewer points. So it is enough to look at windows whose left edge is the x of a
point and whose upper edge is the y of a point: the *anchored* windows.

With y fixed, each point is held by a run of x anchors. Going down through the y anchors, a point's run gains
1 when the lower edge passes the point, and loses 1 when the upper edge has passed it. The count at an anchor
is the sum of all changes at run ends up to it, so the most points in a window at that y is the largest prefix
sum of an array of changes, of which 4 a point are made one after another. A segment tree of (sum, largest
prefix sum) answers that after every change. The whole history is known beforehand, so the tree is not walked
change by change: each level holds the states of its nodes after each change that concerns them, and is made
from the level below in a few array operations.

Before that, `prune` leaves out points that no fullest window can hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELLS_PER_WINDOW = 64
"""Cells along each side of the window: the bound is then 6 % above the mean count of even points."""
CELLS_MAX = 1_500_000
"""Most cells of the grid; larger slides, or smaller windows, get coarser cells and a weaker bound."""


Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class _Changes:
    """Changes of +1 or -1 in the order in which they happen, shape (m,).

    The position is an index of an x anchor, the time that of the y anchor at which the change happens.
    """

    position: Indices
    value: Indices
    time: Indices


def most_in_window(points: Floats, *, width: float, height: float) -> tuple[int, Floats]:
    """Return the most points in any window, and the upper edges at which it is reached.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        x and y.
    width, height : float
        Size of the window in the unit of the points.

    Returns
    -------
    count : int
        Largest number of points in [x, x + width) × [y, y + height) over all x and y.
    upper_edges : ndarray of float64, shape (k,)
        In ascending order, each y of a point at which an anchored window holds as many.
    """
    if len(points) == 0:
        return 0, np.empty(0)
    anchors_y = np.unique(points[:, 1])
    per_anchor = _most_per_anchor(_changes(points, width=width, height=height), len(anchors_y))
    count = int(per_anchor.max())
    return count, anchors_y[per_anchor == count]


def _runs(values: Floats, extent: float) -> tuple[Indices, Indices]:
    """Return the first and last anchor of the windows [a, a + extent) that hold each value."""
    anchors = np.unique(values)
    last = np.searchsorted(anchors, values, side="left")
    # The same sum as in the test "value < a + extent", so that both round alike.
    first = np.searchsorted(anchors + extent, values, side="right")
    return first, last


def _changes(points: Floats, *, width: float, height: float) -> _Changes:
    first_x, last_x = _runs(points[:, 0], width)
    first_y, last_y = _runs(points[:, 1], height)
    plus, minus = np.ones_like(first_x), -np.ones_like(first_x)
    position = np.concatenate([first_x, last_x + 1, first_x, last_x + 1])
    value = np.concatenate([plus, minus, minus, plus])
    time = np.concatenate([first_y, first_y, last_y + 1, last_y + 1])
    # At one time all losses come first: a state half-way then never exceeds the state at the end.
    order = np.argsort(time * 2 + (value > 0), kind="stable")
    return _Changes(position[order], value[order], time[order])


def _most_per_anchor(changes: _Changes, anchors: int) -> Indices:
    largest = _largest_prefix_sums(changes)
    # What counts is the state after the last change of each time.
    last = np.searchsorted(changes.time, np.arange(anchors), side="right") - 1
    return np.asarray(largest[last])


def _largest_prefix_sums(changes: _Changes) -> Indices:
    """Return the largest prefix sum of the array after each change, shape (m,)."""
    levels = max(1, int(changes.position.max()).bit_length())
    splits, leaves = _split_down(changes.position, levels)
    total = _cumulative_within(changes.value[leaves.order], leaves.start)
    largest = total.copy()
    for split in reversed(splits):
        total, largest = _join_up(split, total, largest)
    return largest


@dataclass(frozen=True)
class _Split:
    """How the changes of a level's nodes go to their two children, shape (m,).

    `child` is the place of each in the order of the level below, `right` whether it concerns the right child,
    `start` the place of the first change of the same node.
    """

    child: Indices
    right: NDArray[np.bool_]
    start: Indices


@dataclass(frozen=True)
class _Leaves:
    order: Indices
    start: Indices


def _split_down(position: Indices, levels: int) -> tuple[list[_Split], _Leaves]:
    """Sort the changes by node, level by level from the root; within a node they stay in order of time."""
    index = np.arange(len(position))
    place, order, start = position, index, np.zeros_like(index)
    splits: list[_Split] = []
    for bit in reversed(range(levels)):
        right: NDArray[np.bool_] = (place >> bit & 1) == 1
        rights_before: Indices = np.cumsum(right) - right
        rights_in_node: Indices = rights_before - rights_before.take(start)
        first = _node_starts(position, bit).take(place >> bit)
        child = first + np.where(right, rights_in_node, index - start - rights_in_node)
        splits.append(_Split(child, right, start))
        inverse = np.empty_like(index)
        inverse[child] = index
        place, order, start = place.take(inverse), order.take(inverse), first.take(inverse)
    return splits, _Leaves(order, start)


def _node_starts(position: Indices, bit: int) -> Indices:
    changes = np.bincount(position >> bit)
    return np.asarray(np.cumsum(changes) - changes)


def _cumulative_within(values: Indices, start: Indices) -> Indices:
    summed = np.cumsum(values)
    return np.asarray(summed - (summed - values).take(start))


def _join_up(split: _Split, total: Indices, largest: Indices) -> tuple[Indices, Indices]:
    """Return (sum, largest prefix sum) of each node after each of its changes from those of its children."""
    index = np.arange(len(total))
    latest_left = np.maximum.accumulate(np.where(split.right, -1, index))
    latest_right = np.maximum.accumulate(np.where(split.right, index, -1))
    sum_left, largest_left = _state(split, latest_left, total, largest)
    sum_right, largest_right = _state(split, latest_right, total, largest)
    return sum_left + sum_right, np.maximum(largest_left, sum_left + largest_right)


def _state(split: _Split, latest: Indices, total: Indices, largest: Indices) -> tuple[Indices, Indices]:
    """Return a child's state after its latest change; before its first change all is 0."""
    known = latest >= split.start
    index = split.child.take(latest, mode="clip")
    return total.take(index) * known, largest.take(index) * known


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
) -> tuple[tuple[float, float], tuple[int, int], tuple[Indices, Indices]]:
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


def _box_sums(values: Indices, size: tuple[int, int]) -> Indices:
    """Return the sum over the block of `size` cells that begins at each cell, shape (h, w)."""
    h, w = values.shape
    summed = np.zeros((h + 1, w + 1), np.intp)
    summed[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    low = np.minimum(np.arange(h) + size[0], h)
    right = np.minimum(np.arange(w) + size[1], w)
    below = summed[low]
    return np.asarray(below[:, right] - below[:, :w] - summed[:h, right] + summed[:h, :w])
