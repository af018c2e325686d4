"""Classification of cells: confusion matrix, accuracy, precision and recall of each class, ROC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.evaluate.averages import Average
from mitoscope.evaluate.score import Score


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
        np.add.at(counts, ([index[one] for one in true], [index[one] for one in predicted]), 1)
        return cls(names, counts)

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        if self.labels != other.labels:
            raise FormatError("confusion matrices of different classes", where="classes")
        return ConfusionMatrix(self.labels, self.counts + other.counts)

    @property
    def accuracy(self) -> float | None:
        """Share of the cells whose class is right; None without any."""
        total = int(self.counts.sum())
        return int(np.trace(self.counts)) / total if total else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa; None where chance alone agrees on all."""
        total = int(self.counts.sum())
        if not total:
            return None
        expected = float(self.counts.sum(axis=0) @ self.counts.sum(axis=1)) / total**2
        return None if expected == 1 else (int(np.trace(self.counts)) / total - expected) / (1 - expected)

    def one_against_all(self, label: str) -> Score:
        """Return TP, FP and FN of one class; precision, recall and F1 follow."""
        place = self.labels.index(label)
        tp = int(self.counts[place, place])
        return Score(tp, int(self.counts[:, place].sum()) - tp, int(self.counts[place].sum()) - tp)


@dataclass(frozen=True, eq=False)
class Roc:
    """True and false positive rates as the threshold falls, from (0, 0) to (1, 1).

    Attributes
    ----------
    false_positive_rate, true_positive_rate : ndarray, shape (l + 1,)
    threshold : ndarray, shape (l + 1,)
        Scores from it up are positive; infinite for the first point.
    """

    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]
    threshold: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """Area under the curve."""
        return float(np.trapezoid(self.true_positive_rate, self.false_positive_rate))


def roc(scores: ArrayLike, positive: ArrayLike) -> Roc | None:
    """Return the ROC curve; None if all are positive or none is.

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
    score, truth = np.asarray(scores, np.float64).reshape(-1), np.asarray(positive, np.bool_).reshape(-1)
    if len(score) != len(truth):
        raise FormatError(f"{len(score)} scores with {len(truth)} classes", where="classes")
    if not np.isfinite(score).all():
        raise NonFiniteError("NaN or infinity among the scores", where="classes")
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    level, inverse = np.unique(-score, return_inverse=True)
    hits = np.bincount(inverse[truth], minlength=len(level)).cumsum()
    false = np.bincount(inverse[~truth], minlength=len(level)).cumsum()
    return Roc(
        np.insert(false / negatives, 0, 0.0),
        np.insert(hits / positives, 0, 0.0),
        np.insert(-level, 0, np.inf),
    )


def roc_auc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the area under the ROC curve; None if all are positive or none is. Parameters as for `roc`."""
    curve = roc(scores, positive)
    return None if curve is None else curve.auc


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Precision and recall of each class and accuracy, mean ± sd over runs (CCMCT Table 3, CMC Table 2)."""

    accuracy: Average
    precision: dict[str, Average]
    recall: dict[str, Average]
    f1: dict[str, Average]


def over_runs(runs: Sequence[ConfusionMatrix]) -> RunSummary:
    """Summarise the confusion matrices of several runs of one experiment.

    Raises
    ------
    FormatError
        If there is no run or the classes differ.
    """
    if not runs or any(run.labels != runs[0].labels for run in runs):
        raise FormatError("runs with the same classes expected", where="classes")
    scores = {label: [run.one_against_all(label) for run in runs] for label in runs[0].labels}
    return RunSummary(
        accuracy=Average.of(run.accuracy for run in runs),
        precision={label: Average.of(one.precision for one in each) for label, each in scores.items()},
        recall={label: Average.of(one.recall for one in each) for label, each in scores.items()},
        f1={label: Average.of(one.f1 for one in each) for label, each in scores.items()},
    )
