"""One image matched once, what that says at every threshold, and how it adds up over images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mitoscope.evaluate.matching import UNMATCHED, Indices, Matching, Points, unmatched
from mitoscope.evaluate.rules import pairs_in_truth_order, take_free
from mitoscope.statistics import Score


@dataclass(frozen=True, eq=False)
class Steps:
    """How true and false positives change as the threshold falls past each score.

    Parameters
    ----------
    score : ndarray of float64, shape (k,)
        A step is passed when the threshold falls below its score; in any order.
    tp, fp : ndarray of int64, shape (k,)
        Change of the true and of the false positives.
    figures : int
        True figures.

    Notes
    -----
    Steps of images are added; what follows from a sum (curves, thresholds, average precision) is pooled.
    """

    score: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    figures: int

    @classmethod
    def none(cls) -> Steps:
        """Return the steps of nothing: the zero of the sum."""
        empty = np.empty(0, np.int64)
        return cls(np.empty(0), empty, empty, 0)

    @classmethod
    def total(cls, parts: Iterable[Steps]) -> Steps:
        """Return the sum of many."""
        parts = [cls.none(), *parts]
        return cls(
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.tp for part in parts]),
            np.concatenate([part.fp for part in parts]),
            sum(part.figures for part in parts),
        )

    def __add__(self, other: Steps) -> Steps:
        return Steps.total([self, other])

    def at(self, threshold: float) -> Score:
        """Return the score of the detections strictly above a threshold."""
        above = self.score > threshold
        tp = int(self.tp[above].sum())
        return Score(tp, int(self.fp[above].sum()), self.figures - tp)

    def at_many(self, thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return TP, FP and FN strictly above each threshold, shape (t, 3)."""
        order = np.argsort(self.score, kind="stable")
        below = np.searchsorted(self.score[order], thresholds, side="right")
        tp, fp = (_sums_from(change[order])[below] for change in (self.tp, self.fp))
        return np.column_stack([tp, fp, self.figures - tp])

    def levels(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the scores from high to low, each once, and TP and FP from each score up, (l,) each."""
        level, inverse = np.unique(self.score, return_inverse=True)
        tp, fp = np.zeros(len(level), np.int64), np.zeros(len(level), np.int64)
        np.add.at(tp, inverse, self.tp)
        np.add.at(fp, inverse, self.fp)
        return level[::-1], tp[::-1].cumsum(), fp[::-1].cumsum()


def _sums_from(changes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum from each place to the end, and 0 beyond the end, shape (k + 1,)."""
    return np.append(changes[::-1].cumsum()[::-1], 0)


Rule = Callable[..., Matching]
Sweeper = Callable[..., "Sweep"]
"""Points, scores and true points, and the radius as keyword → sweep."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """The detections of one image and its true figures, matched by a rule.

    By all rules but one the outcome for a detection never hangs on those with lower scores, so that what
    holds above a threshold is read off the matching of all.

    Attributes
    ----------
    scores : ndarray, shape (n,)
        Of the detections, whatever the threshold.
    matching : Matching
        Of all detections.
    """

    scores: Points
    matching: Matching

    @cached_property
    def steps(self) -> Steps:
        """The score at every threshold.

        A figure is found as soon as its detection is above; a false one is false from its own score down.
        """
        finder = self.matching.detection_of[self.matching.detection_of != UNMATCHED]
        false = np.flatnonzero(self.matching.truth_of == UNMATCHED)
        change = np.repeat([1, 0], [len(finder), len(false)])
        score = self.scores[np.concatenate([finder, false])]
        return Steps(score, change, 1 - change, figures=len(self.matching.detection_of))

    def at(self, threshold: float) -> Matching:
        """Return the matching of the detections strictly above a threshold, in their order."""
        return self.matching.of(self.scores > threshold)


def sweep_by_score(points: Points, scores: Points, truth: Points, *, radius: float, rule: Rule) -> Sweep:
    """Match one image by a rule in which no detection hangs on those with lower scores."""
    return Sweep(scores, rule(points, scores, truth, radius=radius))


@dataclass(frozen=True, eq=False)
class TruthOrderSweep(Sweep):
    """An image matched in the order of the truth (MIDOG): a lower score can take a figure from a higher one.

    Attributes
    ----------
    pairs : tuple of ndarray
        Detections and figures within reach of each other, in the order in which they are taken.
    """

    pairs: tuple[Indices, Indices]

    @cached_property
    def steps(self) -> Steps:
        """The score at every threshold.

        Detections and figures that are not connected through pairs have nothing to do with each other. A
        figure alone is found by its best detection; where several are connected, the rule is repeated at each
        score.
        """
        detection, figure = self.pairs
        n, figures = len(self.scores), len(self.matching.detection_of)
        group = _groups(detection, figure, n, figures)
        figures_in = np.bincount(group[n:], minlength=int(group.max(initial=-1)) + 1)[group[:n]]
        change = np.zeros((n, 2), np.int64)
        change[:, 1] = 1
        alone = np.flatnonzero(figures_in == 1)
        alone = alone[np.lexsort((-self.scores[alone], group[alone]))]
        best = alone[np.diff(group[alone], prepend=-1) != 0]
        change[best] = 1, 0
        joined = figures_in[detection] > 1
        owner = group[detection[joined]]
        order = np.argsort(owner, kind="stable")  # keeps the order of the pairs within a group
        for pairs in np.split(np.flatnonzero(joined)[order], np.flatnonzero(np.diff(owner[order])) + 1):
            if len(pairs):
                members = np.unique(detection[pairs])
                change[members] = self._repeat(members, pairs)
        return Steps(self.scores, change[:, 0], change[:, 1], figures=figures)

    def _repeat(self, members: Indices, pairs: Indices) -> NDArray[np.int64]:
        """Return the change of TP and FP at each detection of a group; of equal scores at the first."""
        change = np.zeros((len(members), 2), np.int64)
        score = self.scores[members]
        taken = list(zip(*(side[pairs].tolist() for side in self.pairs), strict=True))
        score_of = dict(zip(members.tolist(), score.tolist(), strict=True))
        before = np.zeros(2, np.int64)
        for level in np.unique(score)[::-1].tolist():
            tp = _hits([pair for pair in taken if score_of[pair[0]] >= level])
            now = np.array([tp, int((score >= level).sum()) - tp])
            change[int(np.flatnonzero(score == level)[0])] = now - before
            before = now
        return change

    def at(self, threshold: float) -> Matching:
        """Return the matching of the detections strictly above a threshold, in their order."""
        above = self.scores > threshold
        detection, figure = self.pairs
        kept = above[detection]
        none = unmatched(len(self.scores), len(self.matching.detection_of))
        return take_free(detection[kept], figure[kept], none).of(above)


def sweep_in_truth_order(points: Points, scores: Points, truth: Points, *, radius: float) -> Sweep:
    """Match one image as MIDOG does: see :func:`~mitoscope.evaluate.rules.pairs_in_truth_order`."""
    pairs = pairs_in_truth_order(points, truth, radius=radius)
    return TruthOrderSweep(scores, take_free(*pairs, unmatched(len(points), len(truth))), pairs)


def _groups(detection: Indices, figure: Indices, detections: int, figures: int) -> Indices:
    n = detections + figures
    graph = coo_matrix((np.ones(len(detection), np.int8), (detection, figure + detections)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def _hits(pairs: list[tuple[int, int]]) -> int:
    """Count the pairs that are taken in order where both sides are free."""
    detections, figures = set[int](), set[int]()
    for detection, figure in pairs:
        if detection not in detections and figure not in figures:
            detections.add(detection)
            figures.add(figure)
    return len(figures)
