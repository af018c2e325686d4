"""How good a classifier or a regressor is: ROC, accuracy, F1; correlation and error; tiles found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mitoscope.statistics import Interval, draw_rows, percentiles, place_of_best_f1, rates_at, roc_auc
from mitoscope.train.judging import THRESHOLDS

Floats = NDArray[np.float64]
_POSITIVE = 0.5
"""A tile whose agreement lies above it holds a figure: more than half of the crowd marked one."""
_REPEATS = 200


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
    accuracy = float(rates_at(score, positive, thresholds=[_POSITIVE]).accuracy[0])
    return {"auc": _auc(score, positive), **best_rates(score, positive), "accuracy": np.nan_to_num(accuracy)}


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
        "auc": _auc(score, target > _POSITIVE),
        **best_rates(score, target > _POSITIVE),
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
