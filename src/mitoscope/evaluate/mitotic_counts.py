"""Mitotic counts of a detector against the true ones: error, grade tier, and where the hot spot lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import TEN_HPF_MM2, HotSpot, find_hot_spot, window_size
from mitoscope.errors import ConfigError
from mitoscope.evaluate.classification import ConfusionMatrix
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx

FIELD_ASPECT = Aspect(4, 3)
"""Width to height of the window (CCMCT and CMC papers)."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CountPair:
    """Predicted and true mitotic count of one slide, each in its own hot spot.

    Attributes
    ----------
    predicted, true : int
        Most detections, and most true figures, in a window.
    true_in_predicted : int
        True figures in the window that the detector chose: what a pathologist sent there would count.
    overlap : float
        Intersection over union of the two windows.
    """

    predicted: int
    true: int
    true_in_predicted: int
    overlap: float


def compare_counts(
    detections_px0: Points,
    truth_px0: Points,
    *,
    mpp: Mpp,
    slide_size: SizePx,
    area_mm2: float = TEN_HPF_MM2,
    aspect: Aspect = FIELD_ASPECT,
) -> CountPair:
    """Count one slide twice and compare.

    Parameters
    ----------
    detections_px0, truth_px0 : ndarray, shape (n, 2) and (m, 2)
        Detections above the threshold, and true figures, in level-0 pixels; those beside the slide are left
        out.
    mpp : Mpp
        Resolution of level 0.
    slide_size : SizePx
        Size of level 0.
    area_mm2, aspect
        Of the window.
    """
    window = window_size(area_mm2, aspect=aspect, mpp=mpp)
    inside = [_on_slide(points, slide_size) for points in (detections_px0, truth_px0)]
    found, true = (find_hot_spot(points, window=window, slide_size=slide_size) for points in inside)
    return CountPair(
        predicted=found.count,
        true=true.count,
        true_in_predicted=int(_holds(found.box_px0, inside[1]).sum()),
        overlap=_overlap(found, true),
    )


def _on_slide(points: Points, size: SizePx) -> Points:
    points = np.asarray(points, np.float64).reshape(-1, 2)
    return points[((points >= 0) & (points < [size.width, size.height])).all(axis=1)]


def _holds(box: BoxPx0, points: Points) -> NDArray[np.bool_]:
    low, high = np.array([box.x, box.y]), np.array([box.right, box.bottom])
    return np.asarray(((points >= low) & (points < high)).all(axis=1))


def _overlap(one: HotSpot, other: HotSpot) -> float:
    common = one.box_px0.intersection(other.box_px0)
    if common is None:
        return 0.0
    areas = [box.width * box.height for box in (one.box_px0, other.box_px0, common)]
    return areas[2] / (areas[0] + areas[1] - areas[2])


def window_counts(
    points_px0: Points,
    *,
    mpp: Mpp,
    slide_size: SizePx,
    area_mm2: float = TEN_HPF_MM2,
    aspect: Aspect = FIELD_ASPECT,
) -> NDArray[np.int64]:
    """Count in each whole window of a grid from the slide's origin, shape (rows, columns).

    What is left at the right and at the lower edge holds no whole window and is left out; on a slide smaller
    than the window there is none.
    """
    window = window_size(area_mm2, aspect=aspect, mpp=mpp)
    rows, columns = slide_size.height // window.height, slide_size.width // window.width
    inside = _on_slide(points_px0, SizePx(slide_size.width, slide_size.height))
    cell = np.floor(inside / [window.width, window.height]).astype(np.int64)
    cell = cell[(cell < [columns, rows]).all(axis=1)]
    return np.bincount(cell[:, 1] * columns + cell[:, 0], minlength=rows * columns).reshape(rows, columns)


@dataclass(frozen=True, slots=True)
class CountError:
    """Error of counts, predicted minus true.

    Attributes
    ----------
    n : int
        Slides, or windows.
    bias, mean_absolute, root_mean_square : float or None
        In mitotic figures per window; None without any.
    mean_absolute_percentage : float or None
        In per cent of the true count, over those with a true count above 0 (ReCasNet's MAPE).
    without_figures : int
        Those with a true count of 0: they have no percentage.
    """

    n: int
    bias: float | None
    mean_absolute: float | None
    root_mean_square: float | None
    mean_absolute_percentage: float | None
    without_figures: int


def count_error(predicted: Sequence[int] | NDArray[np.int64], true: Sequence[int]) -> CountError:
    """Return the error of counts of slides or of windows, in the same order.

    Raises
    ------
    ConfigError
        If there are not as many of the one as of the other.
    """
    found, real = np.asarray(predicted, np.float64).reshape(-1), np.asarray(true, np.float64).reshape(-1)
    if len(found) != len(real):
        raise ConfigError(f"{len(found)} predicted and {len(real)} true counts", where="mitotic counts")
    if not len(found):
        return CountError(0, None, None, None, None, 0)
    error, some = found - real, real > 0
    share = float((np.abs(error[some]) / real[some]).mean() * 100) if some.any() else None
    return CountError(
        n=len(found),
        bias=float(error.mean()),
        mean_absolute=float(np.abs(error).mean()),
        root_mean_square=float(np.sqrt((error**2).mean())),
        mean_absolute_percentage=share,
        without_figures=int((~some).sum()),
    )


def grade_tiers(counts: Sequence[int], cut_offs: Sequence[int]) -> NDArray[np.intp]:
    """Return the tier of each count: 0 below the first cut-off, 1 from it up, and so on.

    Raises
    ------
    ConfigError
        If the cut-offs do not rise.
    """
    if not cut_offs or any(low >= high for low, high in pairwise(cut_offs)):
        raise ConfigError(f"cut-offs {list(cut_offs)} do not rise", where="grade tiers", mend="e.g. 7, 14")
    return np.searchsorted(np.asarray(cut_offs), np.asarray(counts), side="right")


def tier_agreement(
    predicted: Sequence[int], true: Sequence[int], *, cut_offs: Sequence[int]
) -> ConfusionMatrix:
    """Return true tier × predicted tier; its accuracy and kappa tell how well they agree.

    Parameters
    ----------
    predicted, true : sequence of int
        Mitotic counts of the same slides.
    cut_offs : sequence of int
        Least count of each tier but the lowest, rising: (7,) is the canine mast-cell tumour's high grade from
        7 up (Kiupel et al. 2011), (10, 20) the canine soft-tissue sarcoma's scores.
    """
    names = tuple(_tier_names(cut_offs))
    tiers = [grade_tiers(counts, cut_offs) for counts in (true, predicted)]
    return ConfusionMatrix.of([names[n] for n in tiers[0]], [names[n] for n in tiers[1]], labels=names)


def _tier_names(cut_offs: Sequence[int]) -> list[str]:
    between = [str(low) if high == low + 1 else f"{low}–{high - 1}" for low, high in pairwise(cut_offs)]
    return [f"< {cut_offs[0]}", *between, f"≥ {cut_offs[-1]}"] if cut_offs else []
