"""Hits and misses that add up, the shares that follow from them, and averages of shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Score:
    """True positives, false positives and false negatives.

    Scores of images, slides or processes are added; precision, recall and F1 of the sum are the micro
    average. A share of nothing (0/0) is None: it is stated, not invented.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @classmethod
    def total(cls, scores: Iterable[Score]) -> Score:
        """Return the sum of many: its shares are the micro average, as in the CMC and CCMCT papers."""
        return sum(scores, cls())

    def __add__(self, other: Score) -> Score:
        return Score(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float | None:
        """Share of detections that are true; None without a detection."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Share of true figures that were found; None without a true figure."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN); None without a detection and without a true figure."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    def as_dict(self) -> dict[str, Any]:
        """Return counts and shares for JSON."""
        counts = {"tp": self.tp, "fp": self.fp, "fn": self.fn}
        return {**counts, "precision": self.precision, "recall": self.recall, "f1": self.f1}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def divide(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Return part / whole, element by element; 0/0 is NaN."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0))


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return precision, recall and F1 of TP, FP and FN, (n, 3), as rows, shape (3, n); 0/0 is NaN."""
    tp, fp, fn = counts.T
    return divide(np.stack([tp, tp, 2 * tp]), np.stack([tp + fp, tp + fn, 2 * tp + fp + fn]))


def place_of_best_f1(counts: NDArray[np.int64]) -> int:
    """Return the place of the greatest F1 among TP, FP and FN, (n, 3); the middle one of equals.

    Equal thresholds are neighbours: the middle is the farthest from where F1 falls. 0/0 counts as 0.
    """
    f1 = np.nan_to_num(shares(counts)[2])
    equals = np.flatnonzero(f1 == f1.max())
    return int(equals[len(equals) // 2])


@dataclass(frozen=True, slots=True)
class Average:
    """Mean and standard deviation of what is defined.

    Attributes
    ----------
    mean : float or None
        None if nothing is defined.
    sd : float or None
        Of the sample (n - 1); None with fewer than two values.
    n : int
        Values that are defined.
    undefined : int
        Values that are 0/0 and left out.
    """

    mean: float | None
    sd: float | None
    n: int
    undefined: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Average:
        """Average values; None says nothing."""
        values = list(values)
        known = [value for value in values if value is not None]
        return cls(
            mean=float(np.mean(known)) if known else None,
            sd=float(np.std(known, ddof=1)) if len(known) > 1 else None,
            n=len(known),
            undefined=len(values) - len(known),
        )

    def __str__(self) -> str:
        if self.mean is None:
            return "undefined (0/0)"
        return f"{self.mean:.3f}" if self.sd is None else f"{self.mean:.3f} ± {self.sd:.3f}"


@dataclass(frozen=True, slots=True)
class MeanScore:
    """Mean over units (slides, cases) of each unit's own precision, recall and F1: the macro average."""

    precision: Average
    recall: Average
    f1: Average

    @classmethod
    def of(cls, scores: Iterable[Score]) -> MeanScore:
        """Return the mean of the shares of each, as the MIDOG++ paper says it averages over slides.

        Notes
        -----
        A slide with neither figures nor detections has no F1 and is left out; how many were is stated. (The
        published code of MIDOG++ pools instead: that is :meth:`Score.total`.)
        """
        scores = list(scores)
        return cls(
            Average.of(score.precision for score in scores),
            Average.of(score.recall for score in scores),
            Average.of(score.f1 for score in scores),
        )


def sum_by(scores: Mapping[str, Score], group_of: Mapping[str, str]) -> dict[str, Score]:
    """Return the sum of the scores of each group, in the order in which groups appear.

    Parameters
    ----------
    scores : mapping of str to Score
        By image.
    group_of : mapping of str to str
        Image → case, domain, ...

    Raises
    ------
    KeyError
        If an image has no group.
    """
    sums: dict[str, Score] = {}
    for image, score in scores.items():
        group = group_of[image]
        sums[group] = sums.get(group, Score()) + score
    return sums
