"""Which detections are near which figures: all pairs within a radius."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Points = NDArray[np.float64]
Indices = NDArray[np.intp]

# The tree is asked for a little more, so that its rounding loses nobody; then distances are compared exactly.
_SLACK = 1 + 1e-9


def near_pairs(points: Points, others: Points, *, radius: float) -> tuple[Indices, Indices, Points]:
    """Return all pairs within a radius, inclusive, as index of the point, index of the other, distance.

    Parameters
    ----------
    points, others : ndarray, shape (n, 2) and (m, 2)
        In one unit.
    radius : float
        In the unit of the points.
    """
    if not len(points) or not len(others):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    first, second = _candidates(points, others, radius, p=2.0)
    offsets = points[first] - others[second]
    distance = np.hypot(offsets[:, 0], offsets[:, 1])
    near = distance <= radius
    return first[near], second[near], distance[near]


def overlapping_pairs(points: Points, others: Points, *, side: float) -> tuple[Indices, Indices, Points]:
    """Return the pairs of squares, by their centres, that overlap, with intersection over union."""
    if not len(points) or not len(others):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    first, second = _candidates(points, others, side, p=np.inf)
    offsets = np.abs(points[first] - others[second])
    common = np.prod(np.maximum(side - offsets, 0.0), axis=1)
    overlap = common / (2 * side * side - common)
    return first[overlap > 0], second[overlap > 0], overlap[overlap > 0]


def _candidates(points: Points, others: Points, reach: float, *, p: float) -> tuple[Indices, Indices]:
    found = KDTree(points).sparse_distance_matrix(KDTree(others), reach * _SLACK, p=p, output_type="ndarray")
    return np.asarray(found["i"], np.intp), np.asarray(found["j"], np.intp)


def by_descending_score(points: Points, scores: Points) -> Indices:
    """Return the indices by descending score; ties by y, then x, so that the order given does not count."""
    return np.lexsort((points[:, 0], points[:, 1], -scores))


def rank(order: Indices) -> Indices:
    """Return the place of each index in an order."""
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order))
    return places
