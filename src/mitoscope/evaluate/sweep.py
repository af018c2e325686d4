"""Judging one image at all thresholds at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mitoscope.evaluate.matching import UNMATCHED, Matching
from mitoscope.evaluate.near import Indices, Points, near_pairs
from mitoscope.evaluate.steps import Steps

Rule = Callable[..., Matching]


def steps_of(matching: Matching, scores: Points) -> Steps:
    """Return the steps of a rule whose outcome for a detection does not hang on those with lower scores.

    Each figure is found as soon as its detection is above the threshold, each false detection is false from
    its own score down.
    """
    finder = matching.detection_of[matching.detection_of != UNMATCHED]
    false = np.flatnonzero(matching.truth_of == UNMATCHED)
    change = np.repeat([1, 0], [len(finder), len(false)])
    return Steps(
        scores[np.concatenate([finder, false])], change, 1 - change, figures=len(matching.detection_of)
    )


def sweep_groups(points: Points, scores: Points, truth: Points, *, radius: float, rule: Rule) -> Steps:
    """Return the steps of a rule that has to be repeated at every threshold.

    Detections and figures that are not connected through pairs within the radius have nothing to do with each
    other: the rule is repeated for each connected group of more than one figure, at each of its scores.
    """
    detection, figure, _ = near_pairs(points, truth, radius=radius)
    group = _groups(detection, figure, len(points), len(truth))
    figures = np.bincount(group[len(points) :], minlength=int(group.max(initial=-1)) + 1)
    alone = figures[group[: len(points)]] == 0
    parts = [_false(scores[alone])]
    order = np.argsort(group[: len(points)], kind="stable")
    order = order[~alone[order]]
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []:
        own = group[members[0]]
        if figures[own] == 1:
            parts.append(_found_once(scores[members]))
        else:
            truths = truth[group[len(points) :] == own]
            parts.append(_repeat(points[members], scores[members], truths, radius=radius, rule=rule))
    swept = Steps.total(parts)
    return Steps(swept.score, swept.tp, swept.fp, figures=len(truth))


def _groups(detection: Indices, figure: Indices, detections: int, figures: int) -> Indices:
    n = detections + figures
    graph = coo_matrix((np.ones(len(detection), np.int8), (detection, figure + detections)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def _false(scores: Points) -> Steps:
    none = np.zeros(len(scores), np.int64)
    return Steps(scores, none, none + 1, figures=0)


def _found_once(scores: Points) -> Steps:
    """Return the steps of detections of one figure: found with the best, the others are false."""
    tp = np.zeros(len(scores), np.int64)
    tp[scores.argmax()] = 1
    return Steps(scores, tp, 1 - tp, figures=0)


def _repeat(points: Points, scores: Points, truth: Points, *, radius: float, rule: Rule) -> Steps:
    levels = np.unique(scores)[::-1]
    counts = np.zeros((len(levels) + 1, 2), np.int64)
    for place, level in enumerate(levels.tolist()):
        above = scores >= level
        outcome = rule(points[above], scores[above], truth, radius=radius).score
        counts[place + 1] = outcome.tp, outcome.fp
    change = np.diff(counts, axis=0)
    return Steps(levels, change[:, 0], change[:, 1], figures=0)
