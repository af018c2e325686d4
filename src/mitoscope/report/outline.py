"""Outlines of the tissue as closed polygons for a drawing."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from mitoscope.report.drawing import Frame
from mitoscope.tissue import TissueMask

_SIDE_MAX = 420
"""Longest side of the mask whose outline is drawn: finer would not be seen."""

_Node = tuple[int, int]


def shrink_mask(mask: NDArray[np.bool_], *, max_side: int) -> tuple[NDArray[np.bool_], int]:
    """Reduce a mask by a whole factor: true where at least half of the block is.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        The mask.
    max_side : int
        Longest side of the result.

    Returns
    -------
    ndarray of bool, int
        The reduced mask and the factor.
    """
    factor = -(-max(mask.shape) // max_side)
    if factor == 1:
        return mask, 1
    padding = [(0, -side % factor) for side in mask.shape]
    # Blocks that reach over the border repeat its last pixels: a slide full of tissue stays full.
    padded = np.pad(mask, padding, mode="edge")
    rows, columns = (side // factor for side in padded.shape)
    share = padded.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
    return np.asarray(share >= 0.5), factor


def trace_outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the borders of a mask as closed polygons through the midpoints of the pixel edges.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        True inside.

    Returns
    -------
    list of ndarray of float64, shape (n, 2)
        x and y in mask pixels, pixel 0 spanning [0, 1); holes are polygons of their own, so that the even-odd
        rule fills the mask.
    """
    successors = _border_edges(mask)
    outlines = []
    while successors:
        # A corner that two pixels share has two ways out; a walk begins where there is one.
        start = next(node for node, ways in successors.items() if len(ways) == 1)
        outlines.append(_rounded(_midpoints(_follow(successors, start))))
    return outlines


def _border_edges(mask: NDArray[np.bool_]) -> dict[_Node, list[_Node]]:
    """Return the directed pixel edges between inside and outside, with the inside on the right hand."""
    padded = np.pad(mask, 1).astype(np.int8)
    edges: dict[_Node, list[_Node]] = defaultdict(list)
    down = np.diff(padded, axis=0)[:, 1:-1]
    for y, x in zip(*(index.tolist() for index in np.nonzero(down)), strict=True):
        if down[y, x] > 0:
            edges[x, y].append((x + 1, y))
        else:
            edges[x + 1, y].append((x, y))
    right = np.diff(padded, axis=1)[1:-1, :]
    for y, x in zip(*(index.tolist() for index in np.nonzero(right)), strict=True):
        if right[y, x] > 0:
            edges[x, y + 1].append((x, y))
        else:
            edges[x, y].append((x, y + 1))
    return edges


def _follow(successors: dict[_Node, list[_Node]], start: _Node) -> list[_Node]:
    """Take one closed walk out of the edges; where pixels touch at a corner it stays with the same one."""
    walk = [start]
    while True:
        here, ways = walk[-1], successors[walk[-1]]
        onward = ways[0] if len(ways) == 1 else _right_turn(walk[-2], here)
        ways.remove(onward)
        if not ways:
            del successors[here]
        walk.append(onward)
        if onward == start:
            return walk


def _right_turn(before: _Node, here: _Node) -> _Node:
    """Return the next corner to the right, where the inside lies; y points down."""
    return here[0] - (here[1] - before[1]), here[1] + (here[0] - before[0])


def _midpoints(walk: list[_Node]) -> NDArray[np.float64]:
    nodes = np.array(walk, dtype=np.float64)
    points = (nodes[:-1] + nodes[1:]) / 2
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    kept = points[~_straight(before, points, after)]
    return kept if len(kept) >= 3 else points


def _rounded(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut each corner at a quarter of its edges (Chaikin): stairs of mask pixels become a line."""
    after = np.roll(points, -1, axis=0)
    return np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], axis=1).reshape(-1, 2)


def _straight(
    before: NDArray[np.float64], points: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.bool_]:
    first, second = points - before, after - points
    return np.asarray(np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) < 1e-9)


def place_outlines(tissue: TissueMask, frame: Frame) -> list[NDArray[np.float64]]:
    """Return the borders of the tissue in picture pixels, polygons of shape (n, 2)."""
    mask, factor = shrink_mask(tissue.mask, max_side=_SIDE_MAX)
    scale = factor * np.array(tissue.px0_per_pixel)
    # The last mask pixel may reach over the slide's edge.
    size = np.array([tissue.slide_size.width, tissue.slide_size.height], dtype=np.float64)
    return [frame.place_points(np.minimum(outline * scale, size)) for outline in trace_outlines(mask)]


def tissue_path(tissue: TissueMask, frame: Frame) -> str:
    """Return the borders of the tissue as the ``d`` of one SVG path in picture pixels, with one decimal."""
    return "".join(
        f"M{' '.join(f'{x:.1f},{y:.1f}' for x, y in outline.tolist())}Z"
        for outline in place_outlines(tissue, frame)
    )
