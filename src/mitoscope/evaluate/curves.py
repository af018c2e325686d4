"""Curves over thresholds: precision and recall, the area below, and FROC: recall over false positives.

Free response (FROC) is per image, as in challenges, or per mm²: images differ in size, tissue does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConfigError
from mitoscope.evaluate.sweep import Steps
from mitoscope.statistics import REPEATS, divide, draw_times

Floats = NDArray[np.float64]

_RECALLS = np.linspace(0.0, 1.0, 101)

Counts = NDArray[np.int32] | NDArray[np.int64]

FALSE_PER_IMAGE = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Rates at which recall is averaged (CAMELYON16; LUNA16 adds 1/8)."""
FALSE_PER_MM2 = (1.0, 2.0, 5.0)
"""Rates at which recall is stated: 2.4, 4.7 and 12 false positives in ten high-power fields."""
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


def average_precision(steps: Steps) -> float | None:
    """Return the mean of the interpolated precision at 101 recalls (Lin et al. 2014); None without a figure.

    Detections of equal score are counted at once, so that their order does not matter. With protocol
    ``iou@0.5`` it is the AP50 of COCO, MIDOG and MIDOG++.
    """
    _, tp, fp = steps.levels()
    return _area(np.maximum.accumulate(tp), tp, fp, figures=steps.figures)


def _area(most: Counts, tp: Counts, fp: Counts, *, figures: int) -> float | None:
    """Return the area; `most` are the figures found at a score or any above it."""
    if figures == 0:
        return None
    found = tp + fp
    # Before the first detection of a draw nothing is found; 0 there changes no maximum and no sum.
    precision = tp / np.maximum(found, 1)
    reached = np.searchsorted(most, _figures_needed(figures), side="left")
    reached = reached[reached < len(tp)]
    if not len(reached):
        return 0.0
    # The best precision at this recall or beyond, as COCO interpolates.
    best = np.maximum.reduceat(precision, reached)
    return float(np.maximum.accumulate(best[::-1]).sum() / len(_RECALLS))


def _figures_needed(figures: int) -> NDArray[np.int64]:
    """Return the least number of figures whose share reaches each of the 101 recalls, in floating point."""
    needed = np.floor(_RECALLS * figures).astype(np.int64)
    return needed + (needed / figures < _RECALLS)


def draw_average_precision(cases: Mapping[str, Steps], *, repeats: int, seed: int) -> Floats:
    """Return the average precision of each draw of cases, shape (repeats,); NaN without a true figure."""
    values = []
    for drawn in _draw_curves(list(cases.values()), repeats=repeats, seed=seed):
        area = _area(drawn.most, drawn.tp, drawn.fp, figures=drawn.figures)
        values.append(np.nan if area is None else area)
    return np.array(values)


@dataclass(frozen=True, slots=True, eq=False)
class _DrawnCurve:
    """The pooled counts of one draw of cases at each distinct score, from high to low.

    Attributes
    ----------
    times : ndarray of int, shape (cases,)
        How often each case was drawn.
    tp, fp, most : ndarray of int, shape (l,)
        True and false positives from each score up; the most figures found at a score or any above it.
    figures : int
    """

    times: NDArray[np.int32]
    tp: NDArray[np.int32]
    fp: NDArray[np.int32]
    most: NDArray[np.int32]
    figures: int


def _draw_curves(parts: Sequence[Steps], *, repeats: int, seed: int) -> Iterator[_DrawnCurve]:
    pooled = Steps.total(parts)
    owner = np.repeat(np.arange(len(parts)), [len(part.score) for part in parts])
    order = np.argsort(-pooled.score, kind="stable")
    score, tp, fp, owner = pooled.score[order], pooled.tp[order], pooled.fp[order], owner[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1) if len(score) else np.empty(0, np.intp)
    figures = np.array([part.figures for part in parts])
    tp, fp = tp.astype(np.int32), fp.astype(np.int32)
    # By all rules but one a lower threshold takes no hit away: the sum only rises.
    falls = bool((tp < 0).any())
    for block in draw_times(len(parts), repeats=repeats, seed=seed):
        for times in block.astype(np.int32):
            each = times.take(owner)
            true, false = ((each * change).cumsum(dtype=np.int32).take(last) for change in (tp, fp))
            most = np.maximum.accumulate(true) if falls else true
            yield _DrawnCurve(times, true, false, most, int(times @ figures))


@dataclass(frozen=True, eq=False)
class Froc:
    """Recall and false positives at each distinct score, from high to low.

    Attributes
    ----------
    false_rate : ndarray, shape (l,)
        False positives per image, or per mm².
    recall : ndarray, shape (l,)
        NaN without a true figure.
    """

    false_rate: Floats
    recall: Floats

    def recall_at(self, rate: float) -> float:
        """Return the greatest recall with at most this many false positives; 0 where there is none."""
        allowed = self.recall[self.false_rate <= rate]
        return float(allowed.max()) if len(allowed) else 0.0

    def mean_recall(self, rates: Sequence[float] = FALSE_PER_IMAGE) -> float:
        """Return the mean of the recalls at some rates."""
        return float(np.mean([self.recall_at(rate) for rate in rates]))


def froc(steps: Steps, *, images: int) -> Froc:
    """Return the FROC curve of the detections pooled over images, those without detections included.

    Raises
    ------
    ConfigError
        If there is no image.
    """
    if images < 1:
        raise ConfigError(f"{images} images", where="FROC", mend="at least 1")
    _, tp, fp = steps.levels()
    recall = tp / steps.figures if steps.figures else np.full(len(tp), np.nan)
    return Froc(fp / images, recall)


def free_response(steps: Steps, *, area_mm2: float) -> Froc:
    """Return recall over false positives per mm² of the detections pooled over images.

    Parameters
    ----------
    steps : Steps
    area_mm2 : float
        What was examined, whether something was found there or not.

    Raises
    ------
    ConfigError
        If nothing was examined.
    """
    if not area_mm2 > 0:
        raise ConfigError(f"an examined area of {area_mm2:g} mm²", where="FROC", mend="more than 0")
    _, tp, fp = steps.levels()
    recall = tp / steps.figures if steps.figures else np.full(len(tp), np.nan)
    return Froc(fp / area_mm2, recall)


def draw_recall_at_rates(
    cases: Sequence[tuple[Steps, float]],
    *,
    rates: Sequence[float] = FALSE_PER_MM2,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Floats:
    """Return the recall at some rates of false positives of each draw of cases.

    Parameters
    ----------
    cases : sequence of (Steps, float)
        Of each case, with the area in mm² that was examined.
    rates : sequence of float
        False positives per mm².
    repeats, seed
        Of the bootstrap.

    Returns
    -------
    ndarray of float64, shape (repeats, len(rates))
        NaN without a true figure, or without an area.
    """
    areas = np.array([area for _, area in cases])
    drawn = np.full((repeats, len(rates)), np.nan)
    curves = _draw_curves([steps for steps, _ in cases], repeats=repeats, seed=seed)
    for row, curve in zip(drawn, curves, strict=True):
        area = float(curve.times @ areas)
        if curve.figures and area > 0:
            # False positives never fall with the threshold, so that the rates are sorted.
            passed = np.searchsorted(curve.fp / area, rates, side="right")
            row[:] = np.append(0, curve.most)[passed] / curve.figures
    return drawn


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
