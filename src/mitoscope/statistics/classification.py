"""Classification of cells and tiles: confusion matrix, rates at thresholds, area under the ROC curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.statistics.rates import Score, divide


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """How often a cell of one class was taken for another; matrices of the same labels add up.

    Attributes
    ----------
    labels : tuple of str
        Classes, in the order of rows and columns.
    counts : ndarray of int64, shape (k, k)
        Rows are the true classes, columns the predicted ones.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    @classmethod
    def of(
        cls, true: Sequence[str], predicted: Sequence[str], *, labels: Sequence[str] | None = None
    ) -> ConfusionMatrix:
        """Count pairs of true and predicted classes.

        Parameters
        ----------
        true, predicted : sequence of str
            Class of each cell.
        labels : sequence of str, optional
            Order of the classes; by default all that occur, sorted.

        Raises
        ------
        FormatError
            If the lengths differ or a class is not among the labels.
        """
        if len(true) != len(predicted):
            raise FormatError(f"{len(true)} true and {len(predicted)} predicted classes", where="classes")
        names = tuple(sorted({*true, *predicted}) if labels is None else labels)
        unknown = sorted({*true, *predicted} - set(names))
        if unknown:
            raise FormatError(f"unknown class {unknown[0]!r}", where="classes", mend=f"one of: {names}")
        index = {name: place for place, name in enumerate(names)}
        counts = np.zeros((len(names), len(names)), np.int64)
        np.add.at(counts, ([index[name] for name in true], [index[name] for name in predicted]), 1)
        return cls(names, counts)

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        if self.labels != other.labels:
            raise FormatError("confusion matrices of different classes cannot be added", where="classes")
        return ConfusionMatrix(self.labels, self.counts + other.counts)

    @property
    def accuracy(self) -> float | None:
        """Share of the cells whose class is right; None without any."""
        total = int(self.counts.sum())
        return int(np.trace(self.counts)) / total if total else None

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean over the classes of the share that is told right; None where a class has no cell."""
        value = float(balanced_accuracy(self.counts))
        return None if np.isnan(value) else value

    def one_against_all(self, label: str) -> Score:
        """Return TP, FP and FN of one class; precision, recall and F1 follow."""
        place = self.labels.index(label)
        tp = int(self.counts[place, place])
        return Score(tp, int(self.counts[:, place].sum()) - tp, int(self.counts[place].sum()) - tp)


def balanced_accuracy(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean over the classes of the share that is told right; NaN where a class has no cell.

    Parameters
    ----------
    counts : ndarray, shape (..., k, k)
        Confusion matrices: rows are the true classes.
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.asarray(divide(right, counts.sum(axis=-1)).mean(axis=-1), dtype=np.float64)


def roc_auc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the area under the ROC curve; None if all are positive or none is.

    Parameters
    ----------
    scores : array_like, shape (n,)
        The higher, the more likely positive.
    positive : array_like of bool, shape (n,)
        The truth.

    Raises
    ------
    FormatError
        If the lengths differ.
    NonFiniteError
        If a score is NaN or infinite.
    """
    score, truth = _checked(scores, positive)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    level, inverse = np.unique(-score, return_inverse=True)
    hits, false = (
        np.append(0, np.bincount(inverse[rows], minlength=len(level)).cumsum()) for rows in (truth, ~truth)
    )
    return float(np.trapezoid(hits, false) / (positives * negatives))


@dataclass(frozen=True, eq=False)
class ThresholdRates:
    """Outcomes of cells or tiles at thresholds; 0/0 is NaN.

    Attributes
    ----------
    threshold : ndarray, shape (t,)
        Scores strictly above it are positive.
    tp, fp, fn, tn : ndarray of int64, shape (t,)
        How many there are of each kind.
    """

    threshold: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    tn: NDArray[np.int64]

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of what is positive in truth that scores above: the true positive rate, shape (t,)."""
        return divide(self.tp, self.tp + self.fn)

    @property
    def false_positive_rate(self) -> NDArray[np.float64]:
        """Share of what is negative in truth that scores above, shape (t,)."""
        return divide(self.fp, self.fp + self.tn)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of what scores above that is positive in truth, shape (t,)."""
        return divide(self.tp, self.tp + self.fp)

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 TP / (2 TP + FP + FN), shape (t,)."""
        return divide(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of all that is told right, shape (t,)."""
        return divide(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def counts(self) -> NDArray[np.int64]:
        """TP, FP and FN at each threshold, shape (t, 3)."""
        return np.column_stack([self.tp, self.fp, self.fn])


def rates_at(scores: ArrayLike, positive: ArrayLike, *, thresholds: ArrayLike) -> ThresholdRates:
    """Return what thresholds make of scores.

    Parameters
    ----------
    scores : array_like
        Of a classifier, a regressor, or the highest score of the detections in a tile.
    positive : array_like of bool, of the same shape
        The truth.
    thresholds : array_like, shape (t,)
        Scores strictly above count.

    Raises
    ------
    FormatError
        If the shapes differ.
    NonFiniteError
        If a score is NaN or infinite.
    """
    score, truth = _checked(scores, positive)
    cut = np.asarray(thresholds, np.float64).reshape(-1)
    of_true, of_false = np.sort(score[truth]), np.sort(score[~truth])
    tp = len(of_true) - np.searchsorted(of_true, cut, side="right")
    fp = len(of_false) - np.searchsorted(of_false, cut, side="right")
    return ThresholdRates(cut, tp, fp, len(of_true) - tp, len(of_false) - fp)


def _checked(scores: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    score, truth = np.asarray(scores, np.float64), np.asarray(positive, np.bool_)
    if score.shape != truth.shape:
        raise FormatError(f"scores of {score.shape} with classes of {truth.shape}", where="classes")
    if not np.isfinite(score).all():
        raise NonFiniteError("NaN or infinity among the scores", where="classes")
    return score.reshape(-1), truth.reshape(-1)
