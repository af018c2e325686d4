"""How good a classifier or a regressor is: ROC, accuracy, F1; correlation and error; tiles found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import BALANCED_ACCURACY
from mitoscope.detections import Detections
from mitoscope.evaluate import Protocol, Steps, average_precision
from mitoscope.statistics import (
    Interval,
    Intervals,
    Score,
    bootstrap,
    draw_rows,
    percentiles,
    place_of_best_f1,
    rates_at,
    roc_auc,
)

THRESHOLDS: Final = np.round(np.arange(0.05, 0.99, 0.01), 2)
"""Operating points to choose from."""
Floats = NDArray[np.float64]
POSITIVE: Final = 0.5
"""A tile whose agreement lies above it holds a figure: more than half of the crowd marked one."""
_REPEATS = 200


@dataclass(frozen=True, slots=True)
class Judgement:
    """The score over all images at one threshold."""

    threshold: float
    score: Score

    @property
    def f1(self) -> float:
        """F1; 0 where it is not defined."""
        return self.score.f1 or 0.0

    def as_dict(self) -> dict[str, float | int | None]:
        """Return everything by name; what is undefined (0/0) is None, but F1 is 0."""
        return {"threshold": self.threshold, **self.score.as_dict(), "f1": self.f1}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The scores at all thresholds.

    Parameters
    ----------
    cases : tuple of Steps
        Of each case.
    """

    cases: tuple[Steps, ...]

    @property
    def pooled(self) -> Steps:
        """The sum over the cases."""
        return Steps.total(self.cases)

    def at(self, threshold: float) -> Judgement:
        """Return the score over all images at a threshold."""
        return Judgement(threshold, self.pooled.at(threshold))

    def best(self, *, floor: float = 0.0) -> Judgement:
        """Return the score of greatest F1 among the thresholds from the floor up; the middle of equals."""
        offered = THRESHOLDS[floor <= THRESHOLDS]
        return self.at(float(offered[place_of_best_f1(self.pooled.at_many(offered))]))

    def average_precision(self) -> float:
        """Return the average precision; 0 without a true figure."""
        return average_precision(self.pooled) or 0.0

    def intervals(self, threshold: float) -> Intervals:
        """Return the 95 % intervals at a threshold, by drawing cases with replacement."""
        return bootstrap([steps.at(threshold) for steps in self.cases])


def judge(
    detections: Sequence[Detections],
    truths: Sequence[NDArray[np.float64]],
    protocol: Protocol,
    *,
    cases: Sequence[str] | None = None,
) -> Curve:
    """Match the detections of every image with its figures at every threshold.

    Parameters
    ----------
    detections : sequence of Detections
    truths : sequence of ndarray, shape (n, 2)
        Centres of the figures, in the same px.
    protocol : Protocol
        The rule; its radius in px, since training has one resolution.
    cases : sequence of str, optional
        Case of each image; without it each image is a case.
    """
    names = [str(place) for place in range(len(truths))] if cases is None else cases
    steps_of: dict[str, list[Steps]] = {}
    for case, found, truth in zip(names, detections, truths, strict=True):
        steps_of.setdefault(case, []).append(protocol.sweep(found.points_px0, found.score, truth).steps)
    return Curve(tuple(Steps.total(steps) for steps in steps_of.values()))


def best_rates(score: Floats, positive: NDArray[np.bool_]) -> dict[str, float]:
    """Return the threshold of greatest F1, the middle one of equals, and F1, precision and recall there.

    0/0 is 0.
    """
    rates = rates_at(score, positive, thresholds=THRESHOLDS)
    best = place_of_best_f1(rates.counts)
    columns = {
        "threshold": rates.threshold,
        "f1": rates.f1,
        "precision": rates.precision,
        "recall": rates.recall,
    }
    return {name: float(np.nan_to_num(column[best])) for name, column in columns.items()}


def classifier_scores(score: Floats, target: Floats) -> dict[str, float]:
    """Judge a classifier.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Probability of class 0, the mitotic figure.
    target : ndarray, shape (n,)
        Index of the true class.
    """
    positive = target == 0
    rates = rates_at(score, positive, thresholds=[POSITIVE])
    accuracy = np.nan_to_num(float(rates.accuracy[0]))
    balanced = float((rates.recall[0] + 1 - rates.false_positive_rate[0]) / 2)
    own = {"accuracy": accuracy, BALANCED_ACCURACY: balanced}
    return {"auc": _auc(score, positive), **best_rates(score, positive), **own}


def regressor_scores(score: Floats, target: Floats) -> dict[str, float]:
    """Judge a regressor by its values, and by the tiles it finds.

    Parameters
    ----------
    score, target : ndarray, shape (n,)
        Predicted and true agreement in [0, 1].
    """
    return {
        "correlation": _correlation(score, target),
        "rmse": float(np.sqrt(np.mean((score - target) ** 2))),
        "auc": _auc(score, target > POSITIVE),
        **best_rates(score, target > POSITIVE),
    }


def interval_of(
    name: str, score: Floats, target: Floats, cases: Sequence[str], *, classes: bool
) -> Interval | None:
    """Return the 95 % interval of one of the measures, by drawing cases with replacement.

    Parameters
    ----------
    name : str
        The measure.
    score, target : ndarray, shape (n,)
    cases : sequence of str
        Case of each crop or tile: those of one case are drawn together. None is given for a single case.
    classes : bool
        Whether a classifier is judged, or a regressor.
    """
    measure = classifier_scores if classes else regressor_scores
    drawn = [measure(score[rows], target[rows])[name] for rows in draw_rows(cases, repeats=_REPEATS)]
    return percentiles(np.array(drawn))


def _auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    area = roc_auc(score, positive)
    return float("nan") if area is None else area


def _correlation(score: Floats, target: Floats) -> float:
    if len(score) < 2 or np.ptp(score) == 0 or np.ptp(target) == 0:
        return float("nan")  # nothing varies
    return float(np.corrcoef(score, target)[0, 1])
