"""Precision and recall over thresholds, and the threshold of greatest F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.evaluate.score import Score
from mitoscope.evaluate.steps import Steps

Floats = NDArray[np.float64]

CMC_THRESHOLDS = np.arange(0.3, 0.99, 0.01)
"""Thresholds of the CMC evaluation (calculate_F1, minthres 0.3)."""
CCMCT_THRESHOLDS = np.arange(0.5, 0.99, 0.01)
"""Thresholds of the CCMCT evaluation (minthres 0.5)."""
MIDOGPP_THRESHOLDS = np.arange(0.5, 1.0, 0.01)
"""Thresholds of the MIDOG++ evaluation."""

ChosenOn = Literal["validation set", "test set"]


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision, recall and F1 at each distinct score, from high to low.

    Attributes
    ----------
    threshold : ndarray, shape (l,)
        Scores strictly above it count: half-way to the next lower score (to 0 below the lowest).
    precision, recall, f1 : ndarray, shape (l,)
        NaN where it is 0/0.
    """

    threshold: Floats
    precision: Floats
    recall: Floats
    f1: Floats


def precision_recall(steps: Steps) -> PrecisionRecall:
    """Return the curve of the pooled detections."""
    level, tp, fp = steps.levels()
    found = tp + fp
    fn = steps.figures - tp
    lower = np.append(level[1:], 0.0)[: len(level)]
    between = (level + lower) / 2
    return PrecisionRecall(
        threshold=np.where(between < level, between, lower),  # between neighbouring numbers there is none
        precision=_divide(tp, found),
        recall=_divide(tp, np.full(len(tp), steps.figures)),
        f1=_divide(2 * tp, 2 * tp + fp + fn),
    )


def _divide(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """A threshold that was chosen, and on what.

    Attributes
    ----------
    value : float
        Scores strictly above it count.
    score : Score
        What it gives on the set on which it was chosen.
    chosen_on : {"validation set", "test set"}
        A threshold chosen on the test set flatters the detector: every output says so.
    """

    value: float
    score: Score
    chosen_on: ChosenOn

    def describe(self) -> str:
        """Return in words where the threshold comes from."""
        f1 = "undefined" if self.score.f1 is None else f"{self.score.f1:.4f}"
        line = f"of greatest F1 on the {self.chosen_on} ({f1} there)"
        return f"{line}: optimistic, chosen on what it is judged on" if self.chosen_on == "test set" else line


def choose_threshold(
    steps: Steps, *, thresholds: Floats | None = None, chosen_on: ChosenOn = "validation set"
) -> ChosenThreshold:
    """Choose the threshold of greatest pooled F1.

    Parameters
    ----------
    steps : Steps
        Of the images on which to choose.
    thresholds : ndarray, optional
        Those to choose from, for example :data:`CMC_THRESHOLDS`; the first of equals is taken, as in the
        published codes. Without it all are compared; of equals the highest.
    chosen_on : {"validation set", "test set"}
        Stands in every output.

    Raises
    ------
    FormatError
        If there is neither a detection nor a true figure.
    """
    offered = precision_recall(steps).threshold if thresholds is None else np.asarray(thresholds)
    offered = offered[(offered >= 0) & (offered <= 1)]
    tp, fp, fn = steps.at_many(offered).T
    f1 = _divide(2 * tp, 2 * tp + fp + fn)
    if not len(offered) or np.isnan(f1).all():
        raise FormatError(
            f"no threshold can be chosen: no detections and figures in the {chosen_on}", where="evaluation"
        )
    value = float(offered[int(np.nanargmax(f1))])
    return ChosenThreshold(value, steps.at(value), chosen_on)
