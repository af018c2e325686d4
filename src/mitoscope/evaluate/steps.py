"""What every threshold gives, in one state that adds up over tiles, slides and processes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
