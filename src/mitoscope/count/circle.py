"""The most points that a circle of fixed size can hold, over all of its placements on the slide: exact.

The centres of the circles that hold a point are a disc around it. Where most of these discs overlap, the part
that they have in common is bounded by an arc of one of them, or it is all that is allowed of the slide. So
it is enough to go once around each disc, and along the edges of what is allowed: around a disc each other one
covers an arc, and the deepest overlap of arcs is found by sorting their ends, in O(n log n) a disc (Chazelle
and Lee 1986, Computing 36, 1-16). Unlike a rectangle, a circle cannot always be moved onto the slide without
losing a point, so what is allowed belongs to the search: a centre is on the slide by at least the radius.

Few discs need it. What is allowed is cut into squares, and these into smaller ones: no circle that is centred
in a square holds more than the circle around its middle that is larger by half its diagonal. Squares where
that is less than some circle truly holds are left out, and the discs whose edge passes through none as well.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mitoscope.errors import RegionError
from mitoscope.geometry import SizePx

_ROUNDING = 1e-10
"""Of the radius: what touches the edge is found whatever the rounding; less than `Window` forgives."""
PRUNE_FROM = 500
"""With fewer points all of them are gone around in a fifth of a second."""
SIDES = 0.5, 0.001
"""Of the largest squares and of the smallest, as parts of the radius."""
SQUARES_A_POINT = 8
"""Squares are not halved into more: counting in so many takes as long as going around a point."""
CENTRES_MAX = 4096
"""Of more equal circles than this, the first ones that were found are compared."""

Floats = NDArray[np.float64]


def fullest_circles(points_px0: Floats, *, window: SizePx, slide_size: SizePx) -> tuple[int, Floats]:
    """Return the most points in any circle, and the upper left corners of the boxes around such circles.

    Parameters
    ----------
    points_px0 : ndarray of float64, shape (n, 2)
        Points on the slide in level-0 pixels, n > 0.
    window : SizePx
        The box around the circle; an ellipse of pixels where these are not square.
    slide_size : SizePx
        Size of level 0.

    Returns
    -------
    count : int
    corners : ndarray of float64, shape (k, 2)
        Of circles that are centred on the points they hold, as far as the slide allows; none where all points
        lie in corners of the slide into which no circle reaches.
    """
    stretch = np.array([1.0, window.width / window.height])
    points, half = points_px0 * stretch, window.width / 2
    low = np.full(2, half)
    high = np.array([slide_size.width, slide_size.height]) * stretch - half
    radius = half * (1 + _ROUNDING)
    tree = cKDTree(points)
    centres = np.concatenate([np.clip(points, low, high), _along_edges(points, radius, low, high)])
    most = int(_held(tree, centres, radius).max())
    anchors = points
    if len(points) >= PRUNE_FROM:
        anchors, most = _anchors(tree, points, radius, low, high, most)
    reach = tree.query_ball_point(anchors, 2 * radius, return_length=True)
    kept = [centres]
    for row in np.argsort(-reach, kind="stable").tolist():
        if reach[row] < most:
            break
        near = points[tree.query_ball_point(anchors[row], 2 * radius)]
        found = _around(anchors[row], near, radius, low, high)
        most = max(most, int(_held(tree, found, radius).max(initial=0)))
        kept.append(found)
    centres = np.concatenate(kept)
    if not most:
        return 0, np.empty((0, 2))
    centres = np.unique(centres[_held(tree, centres, radius) == most], axis=0)[:CENTRES_MAX]
    centres = np.unique(_centred(tree, points, centres, radius, low, high), axis=0)
    return most, (centres - half) / stretch


def _anchors(
    tree: cKDTree, points: Floats, radius: float, low: Floats, high: Floats, most: int
) -> tuple[Floats, int]:
    """Return the points whose disc may bound the centres of a fullest circle, and the most that is known."""
    largest, smallest = (part * radius for part in SIDES)
    side = max(largest, float(np.sqrt(np.prod(high - low) / len(points))))
    across = [
        at + side * (np.arange(max(1, int(np.ceil(length / side)))) + 0.5)
        for at, length in zip(low.tolist(), (high - low).tolist(), strict=True)
    ]
    middles = np.stack(np.meshgrid(*across), axis=-1).reshape(-1, 2)
    quarters = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) / 4
    while True:
        half_diagonal = side * np.sqrt(0.5)
        middles = middles[_held(tree, middles, radius + half_diagonal) >= most]
        most = max(most, int(_held(tree, np.clip(middles, low, high), radius).max(initial=0)))
        if side <= smallest or 4 * len(middles) > SQUARES_A_POINT * len(points):
            break
        middles = (middles[:, None] + quarters * side).reshape(-1, 2)
        side /= 2
    return points[_on_edges(tree, middles, radius, half_diagonal)], most


def _on_edges(tree: cKDTree, middles: Floats, radius: float, within: float) -> NDArray[np.intp]:
    """Return the rows of the points whose disc has its edge within a distance of one of these places."""
    on_edge = np.zeros(len(tree.data), np.bool_)
    for middle in middles:
        near = np.asarray(tree.query_ball_point(middle, (radius + within) * (1 + _ROUNDING)), np.intp)
        apart = np.hypot(*(tree.data[near] - middle).T)
        on_edge[near[apart >= (radius - within) * (1 - _ROUNDING)]] = True
    return np.flatnonzero(on_edge)


def check_fits(window: SizePx, slide_size: SizePx) -> None:
    """Refuse a circle that is larger than the slide: cut off, it would be none.

    Raises
    ------
    RegionError
        If it is.
    """
    if window.width > slide_size.width or window.height > slide_size.height:
        raise RegionError(
            f"a circle of {window.width} px does not fit on the slide of {slide_size.width} × "
            f"{slide_size.height} px",
            mend="count over a rectangle or a smaller area",
        )


def _held(tree: cKDTree, centres: Floats, radius: float) -> NDArray[np.intp]:
    if not len(centres):
        return np.empty(0, np.intp)
    # The point around which a centre was found lies on the edge, and may be a rounding beyond it.
    reach = radius * (1 + _ROUNDING)
    return np.asarray(tree.query_ball_point(centres, reach, return_length=True), dtype=np.intp)


def _around(point: Floats, near: Floats, radius: float, low: Floats, high: Floats) -> Floats:
    """Return centres at a distance of the radius from a point at which most of the near ones are held."""
    apart = near - point
    distance = np.hypot(apart[:, 0], apart[:, 1])
    other = distance > 0  # the point itself, and those on it, are held all around
    apart, distance = apart[other], distance[other]
    towards = np.arctan2(apart[:, 1], apart[:, 0])
    half = np.arccos(np.minimum(distance / (2 * radius), 1.0))
    # The four bounds of the centre are arcs too, each heavier than all points together.
    bound = np.clip(np.array([*(low - point), *(point - high)]) / radius, -1.0, None)
    if (bound > 1).any():
        return np.empty((0, 2))
    heavy = len(near) + 1
    towards = np.concatenate([towards, [0.0, np.pi / 2, np.pi, -np.pi / 2]])
    half = np.concatenate([half, np.arccos(bound)])
    weight = np.concatenate([np.ones(len(apart), np.intp), np.full(4, heavy)])
    angles, depth = _deepest(towards - half, 2 * half, weight, period=2 * np.pi)
    if depth < 4 * heavy:
        return np.empty((0, 2))
    return np.asarray(point + radius * np.column_stack([np.cos(angles), np.sin(angles)]))


def _along_edges(points: Floats, radius: float, low: Floats, high: Floats) -> Floats:
    """Return centres on the edges of what is allowed at which most points of that edge are held."""
    centres = []
    for axis in (0, 1):
        for at in {float(low[axis]), float(high[axis])}:
            aside = points[:, axis] - at
            near = np.abs(aside) <= radius
            half = np.sqrt(radius**2 - aside[near] ** 2)
            along = points[near, 1 - axis]
            start = np.maximum(along - half, low[1 - axis])
            end = np.minimum(along + half, high[1 - axis])
            on = start <= end
            if not on.any():
                continue
            places, _ = _deepest(start[on], (end - start)[on], np.ones(int(on.sum()), np.intp))
            centre = np.empty((len(places), 2))
            centre[:, axis], centre[:, 1 - axis] = at, places
            centres.append(centre)
    return np.concatenate(centres) if centres else np.empty((0, 2))


def _deepest(
    start: Floats, length: Floats, weight: NDArray[np.intp], *, period: float | None = None
) -> tuple[Floats, int]:
    """Return the middles of the stretches that most intervals cover, by weight, and how much that is.

    Intervals are closed. With a period they lie on a circle; one that is as long as it covers all of it.
    """
    base = 0
    if period is not None:
        full = length >= period
        base = int(weight[full].sum())
        start, length, weight = start[~full] % period, length[~full], weight[~full]
        if not len(start):
            return np.array([0.0]), base
        # An interval over the seam is there twice, one turn apart; only the first turn is read.
        over = start + length > period
        start = np.concatenate([start, start[over] - period])
        length, weight = np.concatenate([length, length[over]]), np.concatenate([weight, weight[over]])
    place = np.concatenate([start, start + length])
    change = np.concatenate([weight, -weight])
    order = np.lexsort((change < 0, place))
    place, depth = place[order], base + np.cumsum(change[order])
    deepest = int(depth.max())
    at = np.flatnonzero(depth == deepest)
    # Behind the last end nothing is covered, so there is a place after each of these.
    return (place[at] + place[at + 1]) / 2, deepest


def _centred(
    tree: cKDTree, points: Floats, centres: Floats, radius: float, low: Floats, high: Floats
) -> Floats:
    """Move circles so that what they hold lies in their middle, as far as the slide allows."""
    moved = centres.copy()
    for row, held in enumerate(tree.query_ball_point(centres, radius * (1 + _ROUNDING))):
        apart = np.unique(points[held], axis=0)
        around = shapely.minimum_bounding_circle(shapely.MultiPoint(apart)).centroid
        wanted = np.clip(apart[0] if len(apart) == 1 else [around.x, around.y], low, high)
        if tree.query_ball_point(wanted, radius, return_length=True) == np.size(held):
            moved[row] = wanted
    return moved
