"""The merge: from the points of many tiles to the points of a slide."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections

# The tree is asked for a little more than the radius and the distance is then compared exactly, so that
# the result does not depend on how the tree rounds.
_SLACK = 1e-9
_FEW = 512
"""So many points are compared each with each, which takes less time than loading the tree."""


def merge(parts: Iterable[Detections], *, radius_px0: float) -> Detections:
    """Join the detections of tiles, sort them and suppress the lesser of two that are near each other.

    Parameters
    ----------
    parts : iterable of Detections
        In any order: the result does not depend on it.
    radius_px0 : float
        Radius of suppression in level-0 px, inclusive.

    Returns
    -------
    Detections
        By descending score.
    """
    return suppress(Detections.concat(parts).sort(), radius_px0=radius_px0)


def suppress(detections: Detections, *, radius_px0: float) -> Detections:
    """Keep a detection unless one that is kept and comes before it lies within the radius.

    Parameters
    ----------
    detections : Detections
        In order of precedence, usually sorted by descending score.
    radius_px0 : float
        Radius in level-0 px, inclusive. A negative one suppresses nothing.

    Returns
    -------
    Detections
        In the same order.

    Notes
    -----
    Non-maximum suppression by centre distance as in the CMC and CCMCT evaluation (Aubreville et al. 2020;
    there 25 px). Kept points lie further apart than the radius, so that only a handful of them can reach a
    given point: the search through a k-d tree takes O(n log n).
    """
    if radius_px0 < 0 or len(detections) < 2:
        return detections
    return detections.take(_kept(detections.points_px0, radius_px0))


def _kept(points: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    if len(points) <= _FEW:
        return _kept_of_few(points, radius)
    from scipy.spatial import cKDTree

    reach = radius * (1 + _SLACK)
    tree = cKDTree(points)
    nearest, _ = tree.query(points, k=2)
    crowded = np.flatnonzero(np.asarray(nearest)[:, 1] <= reach)
    kept = np.ones(len(points), dtype=np.bool_)
    for index in crowded:
        if not kept[index]:
            continue
        near = np.asarray(tree.query_ball_point(points[index], reach))
        near = near[near > index]
        distance2 = ((points[near] - points[index]) ** 2).sum(axis=1)
        kept[near[distance2 <= radius * radius]] = False
    return kept


def _kept_of_few(points: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    near = ((points[:, None] - points) ** 2).sum(axis=2) <= radius * radius
    kept = np.ones(len(points), dtype=np.bool_)
    for index in np.flatnonzero(np.triu(near, 1).any(axis=1)):
        if kept[index]:
            kept[index + 1 :] &= ~near[index, index + 1 :]
    return kept
