"""How good a classifier or a regressor is: ROC, accuracy, F1; correlation and error; tiles found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.classification import roc_auc
from mitoscope.evaluate.interval import Interval, draw_cases, percentiles
from mitoscope.evaluate.tile_level import judge_tiles
from mitoscope.train.judging import THRESHOLDS

Floats = NDArray[np.float64]
_POSITIVE = 0.5
"""A tile whose agreement lies above it holds a figure: more than half of the crowd marked one."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a threshold makes of scores.

    Parameters
    ----------
    threshold : float
        Scores strictly above it are positive.
    f1, precision, recall, accuracy : float
        0 where it is 0/0.
    """

    threshold: float
    f1: float
    precision: float
    recall: float
    accuracy: float


def best_rates(score: Floats, positive: NDArray[np.bool_]) -> Rates:
    """Return the rates at the threshold of greatest F1; the middle one of equals."""
    tiles = judge_tiles(score, positive, thresholds=THRESHOLDS)
    f1 = 2 * tiles.tp / np.maximum(2 * tiles.tp + tiles.fp + tiles.fn, 1)
    equals = np.flatnonzero(f1 == f1.max())
    return rates_at(float(THRESHOLDS[equals[len(equals) // 2]]), score, positive)


def rates_at(threshold: float, score: Floats, positive: NDArray[np.bool_]) -> Rates:
    """Return the rates at a threshold."""
    found = score > threshold
    tp, fp = int((found & positive).sum()), int((found & ~positive).sum())
    fn, right = int((~found & positive).sum()), int((found == positive).sum())
    return Rates(
        threshold,
        f1=2 * tp / max(2 * tp + fp + fn, 1),
        precision=tp / max(tp + fp, 1),
        recall=tp / max(tp + fn, 1),
        accuracy=right / max(len(score), 1),
    )


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
    rates = best_rates(score, positive)
    return {
        "auc": _auc(score, positive),
        "threshold": rates.threshold,
        "f1": rates.f1,
        "precision": rates.precision,
        "recall": rates.recall,
        "accuracy": rates_at(_POSITIVE, score, positive).accuracy,
    }


def regressor_scores(score: Floats, target: Floats) -> dict[str, float]:
    """Judge a regressor by its values, and by the tiles it finds.

    Parameters
    ----------
    score, target : ndarray, shape (n,)
        Predicted and true agreement in [0, 1].
    """
    rates = best_rates(score, target > _POSITIVE)
    return {
        "correlation": _correlation(score, target),
        "rmse": float(np.sqrt(np.mean((score - target) ** 2))),
        "auc": _auc(score, target > _POSITIVE),
        "threshold": rates.threshold,
        "f1": rates.f1,
        "precision": rates.precision,
        "recall": rates.recall,
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
    case = np.unique(np.asarray(cases), return_inverse=True)[1]
    rows = [np.flatnonzero(case == one) for one in range(case.max() + 1)]
    if len(rows) < 2:
        return None
    drawn = [
        measure(score[index], target[index])[name]
        for block in draw_cases(len(rows), repeats=200, seed=0)
        for index in (np.concatenate([rows[one] for one in chosen]) for chosen in block)
    ]
    return percentiles(np.array(drawn), 0.95)


def _auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    area = roc_auc(score, positive)
    return float("nan") if area is None else area


def _correlation(score: Floats, target: Floats) -> float:
    if len(score) < 2 or np.ptp(score) == 0 or np.ptp(target) == 0:
        return float("nan")  # nothing varies
    return float(np.corrcoef(score, target)[0, 1])
