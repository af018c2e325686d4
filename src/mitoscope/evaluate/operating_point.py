"""The threshold that suits labelled images, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.evaluate.interval import REPEATS, Interval, Intervals, bootstrap, draw_cases, percentiles
from mitoscope.evaluate.score import Score
from mitoscope.evaluate.steps import Steps

CASES_ENOUGH: Final = 10
FIGURES_ENOUGH: Final = 50
"""Below either the interval of the threshold is itself unsure, and a user is told so."""
_THRESHOLDS: Final = np.round(np.arange(0, 1, 0.005), 3)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold with what it gives on the images on which it was chosen.

    Parameters
    ----------
    threshold : float
        Scores strictly above it count.
    interval : Interval or None
        95 % of the thresholds that would have been chosen on as many other cases (bootstrap by case); None
        for a single case.
    score : Score
    intervals : Intervals
        Of precision, recall and F1 at the threshold.
    cases, figures : int
        On how many it was chosen.
    """

    threshold: float
    interval: Interval | None
    score: Score
    intervals: Intervals
    cases: int
    figures: int

    @property
    def is_sure(self) -> bool:
        """Whether there were cases and figures enough."""
        return self.cases >= CASES_ENOUGH and self.figures >= FIGURES_ENOUGH


def operating_point(
    cases: Sequence[Steps], *, floor: float = 0.0, repeats: int = REPEATS, seed: int = 0
) -> OperatingPoint:
    """Choose the threshold of greatest pooled F1 in steps of 0.005; of equals the middle.

    Parameters
    ----------
    cases : sequence of Steps
        One a case.
    floor : float
        No threshold below it is offered: no candidates were kept there.
    repeats, seed
        Of the bootstrap.

    Raises
    ------
    FormatError
        If there is no true figure, or no candidate on any.
    """
    offered = _THRESHOLDS[floor <= _THRESHOLDS]
    counts = np.stack([steps.at_many(offered) for steps in cases]) if cases else np.empty((0, 1, 3))
    if not counts[..., 0].any():
        raise FormatError("no threshold can be chosen: no figure is found at any", where="evaluation")
    best = _best(counts.sum(axis=0))
    threshold = float(offered[best])
    drawn = [
        offered[_best(counts[chosen].sum(axis=0))]
        for block in draw_cases(len(cases), repeats=repeats, seed=seed)
        for chosen in block
    ]
    scores = [Score(*(int(n) for n in one)) for one in counts[:, best]]
    return OperatingPoint(
        threshold,
        percentiles(np.array(drawn)) if len(cases) > 1 else None,
        Score(*(int(n) for n in counts[:, best].sum(axis=0))),
        bootstrap(scores, repeats=repeats, seed=seed),
        len(cases),
        sum(steps.figures for steps in cases),
    )


def _best(counts: NDArray[np.int64]) -> int:
    """Return the place of greatest F1 among counts (t, 3) of TP, FP and FN."""
    tp, fp, fn = counts.T
    f1 = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
    equals = np.flatnonzero(f1 == f1.max())
    return int(equals[len(equals) // 2])
