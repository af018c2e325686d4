"""Rules by which one detection may find several figures, or several detections one figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.matching import THINNED, UNMATCHED, Matching
from mitoscope.evaluate.near import Points, by_descending_score, near_pairs, rank


def match_by_balls(points: Points, scores: Points, truth: Points, *, radius: float) -> Matching:
    """Match as the evaluation code of CMC and CCMCT does: thin the detections, then look into balls.

    1. By descending score, a detection takes out all others within the radius, inclusive.
    2. Around every detection that is left, and around every figure, lies a ball of the radius, inclusive. If
       it holds at least one detection and at least one figure, all that it holds are hits.

    So a figure is a hit even if a detection is within the radius of its neighbour only, one detection may
    find several figures, and several detections of one figure are not false.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Detections.
    scores : ndarray, shape (n,)
        Their scores.
    truth : ndarray, shape (m, 2)
        True figures.
    radius : float
        In the unit of the points.

    Notes
    -----
    Equal scores are settled by y, then x.
    """
    order = by_descending_score(points, scores)
    left = thin(points, order, radius=radius)
    kept = order[left[order]]
    n = len(kept)
    # Detections first, best first: the smallest index in a ball is its best detection.
    everything = np.concatenate([points[kept], truth])
    centre, member, _ = near_pairs(everything, everything, radius=radius)
    best = np.full(len(everything), n)
    np.minimum.at(best, centre, np.where(member < n, member, n))
    has_figure = np.zeros(len(everything), np.bool_)
    has_figure[centre[member >= n]] = True
    counts = (best[centre] < n) & has_figure[centre]
    finder = np.full(len(everything), n)
    np.minimum.at(finder, member[counts], best[centre[counts]])
    truth_of = np.full(len(points), THINNED, dtype=np.intp)
    # What remains is thinned, so a detection that is a hit has a figure within the radius of itself.
    truth_of[kept] = _closest(points[kept], truth, radius=radius)
    found = finder[n:]
    detection_of = np.full(len(truth), UNMATCHED, dtype=np.intp)
    detection_of[found < n] = kept[found[found < n]]
    return Matching(truth_of, detection_of)


def thin(points: Points, order: NDArray[np.intp], *, radius: float) -> NDArray[np.bool_]:
    """Say of each point whether it is left when each, in order, takes out those within the radius."""
    left = np.ones(len(points), np.bool_)
    one, other, _ = near_pairs(points, points, radius=radius)
    place = rank(order)
    later = place[one] < place[other]
    one, other = one[later], other[later]
    by_rank = np.argsort(place[one], kind="stable")
    for first, second in zip(one[by_rank].tolist(), other[by_rank].tolist(), strict=True):
        if left[first]:
            left[second] = False
    return left


def match_any_near(points: Points, scores: Points, truth: Points, *, radius: float) -> Matching:
    """Match every figure with any detection near it.

    A figure is found if a detection is within the radius, inclusive; several count once. A detection is false
    if no figure is within the radius.

    Parameters
    ----------
    points, scores, truth, radius
        As for :func:`match_by_balls`.
    """
    detection, figure, _ = near_pairs(points, truth, radius=radius)
    order = by_descending_score(points, scores)
    first = np.full(len(truth), len(points))
    np.minimum.at(first, figure, rank(order)[detection])
    detection_of = np.full(len(truth), UNMATCHED, dtype=np.intp)
    detection_of[first < len(points)] = order[first[first < len(points)]]
    return Matching(_closest(points, truth, radius=radius), detection_of)


def _closest(points: Points, truth: Points, *, radius: float) -> NDArray[np.intp]:
    """Return for each detection the closest figure within the radius, -1 for none."""
    closest = np.full(len(points), UNMATCHED, dtype=np.intp)
    detection, figure, distance = near_pairs(points, truth, radius=radius)
    order = np.lexsort((truth[figure, 0], truth[figure, 1], distance))[::-1]
    closest[detection[order]] = figure[order]  # the last one written is the closest
    return closest
