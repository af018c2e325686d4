"""Rules by which a figure has at most one detection, and a detection at most one figure."""

from __future__ import annotations

from collections import deque

import numpy as np

from mitoscope.evaluate.matching import UNMATCHED, Matching, unmatched
from mitoscope.evaluate.near import (
    Indices,
    Points,
    by_descending_score,
    near_pairs,
    overlapping_pairs,
    rank,
)


def match_closest_unmatched(points: Points, scores: Points, truth: Points, *, radius: float) -> Matching:
    """Match by descending score: each detection takes the closest figure that is still free.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Detections.
    scores : ndarray, shape (n,)
        Their scores.
    truth : ndarray, shape (m, 2)
        True figures.
    radius : float
        Largest distance, inclusive, in the unit of the points.

    Notes
    -----
    Equal scores are settled by y, then x of the detection; equal distances by y, then x of the figure: the
    order in which either is given changes nothing.
    """
    detection, figure, distance = near_pairs(points, truth, radius=radius)
    place = rank(by_descending_score(points, scores))
    order = np.lexsort((truth[figure, 0], truth[figure, 1], distance, place[detection]))
    return _first_free(detection[order], figure[order], unmatched(len(points), len(truth)))


def match_in_truth_order(points: Points, scores: Points, truth: Points, *, radius: float) -> Matching:
    """Match in the order in which the figures are given: each takes the nearest detection not yet taken.

    Parameters
    ----------
    points, scores, truth, radius
        As for :func:`match_closest_unmatched`; scores decide nothing.

    Notes
    -----
    Equal distances are settled by the order of the detections. The order of the figures counts: it is that of
    the file, as in the evaluation container of the MIDOG challenges.
    """
    del scores
    detection, figure, distance = near_pairs(points, truth, radius=radius)
    order = np.lexsort((detection, distance, figure))
    return _first_free(detection[order], figure[order], unmatched(len(points), len(truth)))


def match_boxes(points: Points, scores: Points, truth: Points, *, radius: float, iou: float) -> Matching:
    """Match squares by descending score: each takes the free figure with the greatest overlap.

    Parameters
    ----------
    points, scores, truth
        As for :func:`match_closest_unmatched`; centres of the squares.
    radius : float
        Half the side of the squares, in the unit of the points.
    iou : float
        Least intersection over union, inclusive.

    Notes
    -----
    The rule of COCO (Lin et al. 2014, ``cocoeval``). Ties as for :func:`match_closest_unmatched`.
    """
    detection, figure, overlap = overlapping_pairs(points, truth, side=2 * radius)
    # As in cocoeval: an overlap of exactly the threshold, but for rounding, is enough.
    enough = overlap >= min(iou, 1 - 1e-10)
    detection, figure, overlap = detection[enough], figure[enough], overlap[enough]
    place = rank(by_descending_score(points, scores))
    order = np.lexsort((truth[figure, 0], truth[figure, 1], -overlap, place[detection]))
    return _first_free(detection[order], figure[order], unmatched(len(points), len(truth)))


def _first_free(detections: Indices, figures: Indices, found: Matching) -> Matching:
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

    Parameters
    ----------
    points, scores, truth, radius
        As for :func:`match_closest_unmatched`, ties too.
    """
    detection, figure, distance = near_pairs(points, truth, radius=radius)
    order = np.lexsort((truth[figure, 0], truth[figure, 1], distance, detection))
    figures_near: dict[int, list[int]] = {}
    for one, other in zip(detection[order].tolist(), figure[order].tolist(), strict=True):
        figures_near.setdefault(one, []).append(other)
    found = unmatched(len(points), len(truth))
    truth_of, detection_of = found.truth_of.tolist(), found.detection_of.tolist()
    for one in by_descending_score(points, scores).tolist():
        if one in figures_near:
            _augment(one, figures_near, truth_of, detection_of)
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
