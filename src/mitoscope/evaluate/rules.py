"""The rules of the protocols: of points, scores and true figures, which are matched.

Points are of shape (n, 2), their scores (n,), true figures (m, 2); the radius, inclusive, is in the unit of
the points. Equal scores are settled by y, then x of the detection; equal distances by y, then x of the
figure: the order in which either is given changes nothing, except where a rule says so.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.matching import (
    THINNED,
    UNMATCHED,
    Indices,
    Matching,
    Points,
    by_descending_score,
    overlapping_pairs,
    rank,
    unmatched,
)
from mitoscope.geometry import near_pairs


def match_closest_unmatched(points: Points, scores: Points, truth: Points, *, radius: float) -> Matching:
    """Match by descending score: each detection takes the closest figure that is still free."""
    detection, figure, distance = near_pairs(points, truth, radius=radius)
    place = rank(by_descending_score(points, scores))
    order = np.lexsort((truth[figure, 0], truth[figure, 1], distance, place[detection]))
    return take_free(detection[order], figure[order], unmatched(len(points), len(truth)))


def pairs_in_truth_order(points: Points, truth: Points, *, radius: float) -> tuple[Indices, Indices]:
    """Return the pairs of detection and figure within the radius in the order in which MIDOG takes them.

    Figure by figure as they are given, each takes the nearest detection not yet taken: the order of the
    figures counts, it is that of the file, as in the evaluation container of the MIDOG challenges. Equal
    distances are settled by the order of the detections. Scores decide nothing.
    """
    detection, figure, distance = near_pairs(points, truth, radius=radius)
    order = np.lexsort((detection, distance, figure))
    return detection[order], figure[order]


def match_boxes(points: Points, scores: Points, truth: Points, *, radius: float, iou: float) -> Matching:
    """Match squares by descending score: each takes the free figure of the greatest overlap, at least `iou`.

    The points are centres, the radius half the side of the squares. The rule of COCO (Lin et al. 2014,
    ``cocoeval``).
    """
    detection, figure, overlap = overlapping_pairs(points, truth, side=2 * radius)
    # As in cocoeval: an overlap of exactly the threshold, but for rounding, is enough.
    enough = overlap >= min(iou, 1 - 1e-10)
    detection, figure, overlap = detection[enough], figure[enough], overlap[enough]
    place = rank(by_descending_score(points, scores))
    order = np.lexsort((truth[figure, 0], truth[figure, 1], -overlap, place[detection]))
    return take_free(detection[order], figure[order], unmatched(len(points), len(truth)))


def take_free(detections: Indices, figures: Indices, found: Matching) -> Matching:
    """Take the pairs in order, leaving out those of which one side is taken."""
    truth_of, detection_of = found.truth_of.tolist(), found.detection_of.tolist()
    for detection, figure in zip(detections.tolist(), figures.tolist(), strict=True):
        if truth_of[detection] == UNMATCHED and detection_of[figure] == UNMATCHED:
            truth_of[detection], detection_of[figure] = figure, detection
    return Matching(np.array(truth_of, np.intp), np.array(detection_of, np.intp))


def match_most(points: Points, scores: Points, truth: Points, *, radius: float) -> Matching:
    """Match as many as can be matched, and of all such matchings one with the highest scores.

    By descending score, a detection is matched if it can be without unmatching one before it, if need be by
    giving others another of their figures (augmenting paths, Kuhn 1955). So at every threshold the number of
    hits is the largest that is possible, and lowering the threshold takes no hit away.
    """
    detection, figure, distance = near_pairs(points, truth, radius=radius)
    order = np.lexsort((truth[figure, 0], truth[figure, 1], distance, detection))
    figures_near: dict[int, list[int]] = {}
    for near, reached in zip(detection[order].tolist(), figure[order].tolist(), strict=True):
        figures_near.setdefault(near, []).append(reached)
    found = unmatched(len(points), len(truth))
    truth_of, detection_of = found.truth_of.tolist(), found.detection_of.tolist()
    for start in by_descending_score(points, scores).tolist():
        if start in figures_near:
            _augment(start, figures_near, truth_of, detection_of)
    return Matching(np.array(truth_of, np.intp), np.array(detection_of, np.intp))


def _augment(
    start: int, figures_near: dict[int, list[int]], truth_of: list[int], detection_of: list[int]
) -> None:
    """Match one more detection along a shortest path that ends at a free figure, if there is one."""
    reached_from: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        detection = waiting.popleft()
        for figure in figures_near[detection]:
            if figure in reached_from:
                continue
            reached_from[figure] = detection
            if detection_of[figure] == UNMATCHED:
                _reassign(figure, reached_from, truth_of, detection_of)
                return
            waiting.append(detection_of[figure])


def _reassign(
    figure: int, reached_from: dict[int, int], truth_of: list[int], detection_of: list[int]
) -> None:
    while figure != UNMATCHED:
        detection = reached_from[figure]
        given_up = truth_of[detection]
        truth_of[detection], detection_of[figure] = figure, detection
        figure = given_up


def match_by_balls(points: Points, scores: Points, truth: Points, *, radius: float) -> Matching:
    """Match as the evaluation code of CMC and CCMCT does: thin the detections, then look into balls.

    1. By descending score, a detection takes out all others within the radius, inclusive.
    2. Around every detection that is left, and around every figure, lies a ball of the radius, inclusive. If
       it holds at least one detection and at least one figure, all that it holds are hits.

    So a figure is a hit even if a detection is within the radius of its neighbour only, one detection may
    find several figures, and several detections of one figure are not false.
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
