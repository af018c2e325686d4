"""Curves over thresholds: precision and recall, and FROC (recall over false positives per image or mm²)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConfigError
from mitoscope.evaluate.steps import Steps
from mitoscope.statistics import divide

Floats = NDArray[np.float64]

FALSE_PER_IMAGE = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Rates at which recall is averaged (CAMELYON16; LUNA16 adds 1/8)."""
_MIDOG_THRESHOLDS = 40
_MIDOG_RATES = np.linspace(0.0, 8.0, 50)


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
        precision=divide(tp, found),
        recall=divide(tp, np.full(len(tp), steps.figures)),
        f1=divide(2 * tp, 2 * tp + fp + fn),
    )


@dataclass(frozen=True, eq=False)
class Froc:
    """Recall and false positives at each distinct score, from high to low.

    Attributes
    ----------
    false_rate : ndarray, shape (l,)
        False positives per image, or per mm².
    recall : ndarray, shape (l,)
        NaN without a true figure.
    per : str
        "image" or "mm²".
    """

    false_rate: Floats
    recall: Floats
    per: str

    def recall_at(self, rate: float) -> float:
        """Return the greatest recall with at most this many false positives; 0 where there is none."""
        allowed = self.recall[self.false_rate <= rate]
        return float(allowed.max()) if len(allowed) else 0.0

    def mean_recall(self, rates: Sequence[float] = FALSE_PER_IMAGE) -> float:
        """Return the mean of the recalls at some rates."""
        return float(np.mean([self.recall_at(rate) for rate in rates]))


def froc(steps: Steps, *, images: int | None = None, area_mm2: float | None = None) -> Froc:
    """Return the FROC curve of the pooled detections.

    Parameters
    ----------
    steps : Steps
        Of all images.
    images : int
        Number of images, those without detections included; or instead
    area_mm2 : float
        The area that was searched.

    Raises
    ------
    ConfigError
        If not exactly one of them is given, or it is not positive.
    """
    if (images is None) == (area_mm2 is None):
        raise ConfigError("either the number of images or the area is needed", where="FROC")
    extent = float(images if area_mm2 is None else area_mm2)  # type: ignore[arg-type]
    if not extent > 0:
        raise ConfigError(f"an extent of {extent:g} is not positive", where="FROC")
    _, tp, fp = steps.levels()
    recall = tp / steps.figures if steps.figures else np.full(len(tp), np.nan)
    return Froc(fp / extent, recall, "image" if area_mm2 is None else "mm²")


def midog_froc_auc(steps: Steps, *, images: int) -> float | None:
    """Return the FROC area of MIDOG 2025, track 1: not normalised, at most 8; None without a true figure.

    Notes
    -----
    40 evenly spaced thresholds from the lowest to the highest score (scores from the threshold up count),
    recall interpolated at 50 evenly spaced rates from 0 to 8 false positives per image, trapezoidal rule.
    Beyond the last rate that is reached, the last recall holds. Without any detection the area is 0.
    """
    if steps.figures == 0:
        return None
    if not len(steps.score):
        return 0.0
    thresholds = np.linspace(steps.score.min(), steps.score.max(), _MIDOG_THRESHOLDS)
    # "From the threshold up" is "strictly above the next smaller number".
    tp, fp, _ = steps.at_many(np.nextafter(thresholds, -np.inf))[::-1].T
    recall = np.interp(_MIDOG_RATES, fp / images, tp / steps.figures)
    return float(np.trapezoid(recall, _MIDOG_RATES))
