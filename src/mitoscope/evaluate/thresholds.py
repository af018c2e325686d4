"""Choosing a threshold: the one of greatest F1, on what it was chosen, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.evaluate.curves import precision_recall
from mitoscope.evaluate.sweep import Steps
from mitoscope.statistics import (
    REPEATS,
    Interval,
    Intervals,
    Score,
    bootstrap,
    draw_sums,
    percentiles,
    place_of_best_f1,
)

ChosenOn = Literal["validation set", "test set"]
CASES_ENOUGH: Final = 10
FIGURES_ENOUGH: Final = 50
"""Below either the interval of the threshold is itself unsure, and a user is told so."""
_THRESHOLDS: Final = np.round(np.arange(0, 1, 0.005), 3)


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


def choose_threshold(steps: Steps, *, chosen_on: ChosenOn = "validation set") -> ChosenThreshold:
    """Choose the threshold of greatest pooled F1 among all that make a difference; of equals the highest.

    Parameters
    ----------
    steps : Steps
        Of the images on which to choose.
    chosen_on : {"validation set", "test set"}
        Stands in every output.

    Raises
    ------
    FormatError
        If there is neither a detection nor a true figure.
    """
    curve = precision_recall(steps)
    if np.isnan(curve.f1).all():
        raise FormatError(
            f"no threshold can be chosen: no detections and figures in the {chosen_on}", where="evaluation"
        )
    value = float(curve.threshold[int(np.nanargmax(curve.f1))])
    return ChosenThreshold(value, steps.at(value), chosen_on)


@dataclass(frozen=True, slots=True)
class FittedPoint:
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


def fit_point(
    cases: Sequence[Steps], *, floor: float = 0.0, repeats: int = REPEATS, seed: int = 0
) -> FittedPoint:
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
    if not any(steps.at_many(offered)[:, 0].any() for steps in cases):
        raise FormatError("no threshold can be chosen: no figure is found at any", where="evaluation")
    counts = np.stack([steps.at_many(offered) for steps in cases])
    best = place_of_best_f1(counts.sum(axis=0))
    drawn = draw_sums(counts.reshape(len(counts), -1).astype(np.float64), repeats=repeats, seed=seed)
    chosen = [place_of_best_f1(each) for each in np.rint(drawn).reshape(len(drawn), -1, 3)]
    scores = [Score(*row) for row in counts[:, best].tolist()]
    return FittedPoint(
        float(offered[best]),
        percentiles(offered[chosen]) if len(cases) > 1 else None,
        Score.total(scores),
        bootstrap(scores, repeats=repeats, seed=seed),
        len(cases),
        sum(steps.figures for steps in cases),
    )
