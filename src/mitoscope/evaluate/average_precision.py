"""Average precision: the area under precision over recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.steps import Steps
from mitoscope.statistics import REPEATS, Interval, draw_times, percentiles

Interpolation = Literal["coco", "steps"]
"""``coco``: mean of the interpolated precision at 101 recalls (Lin et al. 2014); ``steps``: sum of precision
times gain of recall, without interpolation (as scikit-learn)."""
_RECALLS = np.linspace(0.0, 1.0, 101)

Counts = NDArray[np.int32] | NDArray[np.int64]


def average_precision(steps: Steps, *, interpolation: Interpolation = "coco") -> float | None:
    """Return the average precision; None without a true figure.

    Parameters
    ----------
    steps : Steps
        Of all images. Detections of equal score are counted at once, so that their order does not matter.
    interpolation : {"coco", "steps"}
        With protocol ``iou@0.5``, ``coco`` is the AP50 of COCO, MIDOG and MIDOG++.
    """
    _, tp, fp = steps.levels()
    return _area(np.maximum.accumulate(tp), tp, fp, figures=steps.figures, interpolation=interpolation)


def _area(
    most: Counts, tp: Counts, fp: Counts, *, figures: int, interpolation: Interpolation
) -> float | None:
    """Return the area; `most` are the figures found at a score or any above it."""
    if figures == 0:
        return None
    found = tp + fp
    # Before the first detection of a draw nothing is found; 0 there changes no maximum and no sum.
    precision = tp / np.maximum(found, 1)
    if interpolation == "steps":
        return float((np.diff(tp, prepend=0) * precision).sum() / figures)
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


def bootstrap_average_precision(
    cases: Mapping[str, Steps],
    *,
    interpolation: Interpolation = "coco",
    repeats: int = REPEATS,
    seed: int = 0,
) -> Interval | None:
    """Return the interval of the pooled average precision by drawing cases; None with fewer than two."""
    if len(cases) < 2:
        return None
    drawn = draw_average_precision(cases, interpolation=interpolation, repeats=repeats, seed=seed)
    return percentiles(drawn)


def draw_average_precision(
    cases: Mapping[str, Steps], *, interpolation: Interpolation = "coco", repeats: int, seed: int
) -> NDArray[np.float64]:
    """Return the average precision of each draw of cases, shape (repeats,); NaN without a true figure."""
    parts = list(cases.values())
    pooled = Steps.total(parts)
    owner = np.repeat(np.arange(len(parts)), [len(part.score) for part in parts])
    order = np.argsort(-pooled.score, kind="stable")
    score, tp, fp, owner = pooled.score[order], pooled.tp[order], pooled.fp[order], owner[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1) if len(score) else np.empty(0, np.intp)
    figures = np.array([part.figures for part in parts])
    tp, fp = tp.astype(np.int32), fp.astype(np.int32)
    # By all rules but one a lower threshold takes no hit away: the sum only rises.
    falls = bool((tp < 0).any())
    values = []
    for block in draw_times(len(parts), repeats=repeats, seed=seed):
        for times in block.astype(np.int32):
            each = times.take(owner)
            sums = [(each * change).cumsum(dtype=np.int32).take(last) for change in (tp, fp)]
            most = np.maximum.accumulate(sums[0]) if falls else sums[0]
            area = _area(most, *sums, figures=int(times @ figures), interpolation=interpolation)
            values.append(np.nan if area is None else area)
    return np.array(values)
