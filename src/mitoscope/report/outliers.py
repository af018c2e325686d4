"""Which slides of a cohort to look at first: those that failed, are flagged, or are unlike the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mitoscope.report.cohort_table import COUNTED, FAILED, CohortRow

_MEASURES: Final = {
    "figures_per_mm2": "figures per mm²",
    "tissue_mm2": "tissue",
    "blur": "blur",
    "stain_red": "stain in red",
    "stain_green": "stain in green",
    "stain_blue": "stain in blue",
    "mpp": "resolution",
}
_RIGHT_SKEWED: Final = ("figures_per_mm2", "tissue_mm2")
"""Compared by their logarithm, as rates and areas are."""
UNUSUAL: Final = 3.5
"""Modified z-score above which a value is an outlier (Iglewicz and Hoaglin 1993)."""
_LEAST: Final = 8
"""Slides with a value that it takes to say what is usual."""
_NORMAL: Final = 0.6745
"""By which the median absolute deviation of a normal distribution gives its standard deviation."""
_WEIGHT: Final = {
    "colours": 30,
    "gaps": 20,
    "stain": 15,
    "blur": 15,
    "resolution": 10,
    "pen": 5,
    "little tissue": 5,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a slide stands among the others.

    Parameters
    ----------
    urgency : float
        The higher, the sooner it should be looked at.
    unusual : tuple of str
        In words, which of its values are unlike those of the others.
    """

    urgency: float
    unusual: tuple[str, ...] = ()


def rank(rows: Sequence[CohortRow]) -> list[Standing]:
    """Return how each slide stands: failed before refused before flagged before unusual before others."""
    scores = {name: _scores(rows, name) for name in _MEASURES}
    own = ({name: found[place] for name, found in scores.items()} for place in range(len(rows)))
    return [_standing(row, its) for row, its in zip(rows, own, strict=True)]


def _scores(rows: Sequence[CohortRow], name: str) -> list[tuple[float, float]]:
    """Return the modified z-score of a value of each slide, and the median of all; 0 where there is none."""
    stated = np.array([_number(row.values[name]) for row in rows])
    values = np.log1p(stated) if name in _RIGHT_SKEWED else stated
    known = values[np.isfinite(values)]
    if len(known) < _LEAST:
        return [(0.0, math.nan)] * len(rows)
    middle = float(np.median(known))
    spread = float(np.median(np.abs(known - middle)))
    if not spread:
        return [(0.0, math.nan)] * len(rows)
    scores = np.nan_to_num(_NORMAL * (values - middle) / spread)
    usual = math.expm1(middle) if name in _RIGHT_SKEWED else middle
    return [(float(score), usual) for score in scores]


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _standing(row: CohortRow, scores: dict[str, tuple[float, float]]) -> Standing:
    if row.values["status"] == FAILED:
        return Standing(1000.0)
    odd = {name: score for name, score in scores.items() if abs(score[0]) > UNUSUAL}
    reasons = tuple(
        f"{_MEASURES[name]} {row.values[name]:.3g}, usual {usual:.3g}" for name, (_, usual) in odd.items()
    )
    urgency = sum(_WEIGHT[name] for name, _ in row.flags) + min(
        max(abs(score[0]) for score in scores.values()), 20.0
    )
    return Standing(urgency + (0.0 if row.values["status"] == COUNTED else 500.0), reasons)
