"""How good a detector is: its scores at all thresholds, under a named protocol, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.evaluate import Protocol, Steps, average_precision
from mitoscope.statistics import Intervals, Score, bootstrap, place_of_best_f1

THRESHOLDS: Final = np.round(np.arange(0.05, 0.99, 0.01), 2)
"""Operating points to choose from."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The score over all images at one threshold."""

    threshold: float
    score: Score

    @property
    def f1(self) -> float:
        """F1; 0 where it is not defined."""
        return self.score.f1 or 0.0

    def as_dict(self) -> dict[str, float | int | None]:
        """Return everything by name; what is undefined (0/0) is None, but F1 is 0."""
        return {"threshold": self.threshold, **self.score.as_dict(), "f1": self.f1}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The scores at all thresholds.

    Parameters
    ----------
    cases : tuple of Steps
        Of each case.
    """

    cases: tuple[Steps, ...]

    @property
    def pooled(self) -> Steps:
        """The sum over the cases."""
        return Steps.total(self.cases)

    def at(self, threshold: float) -> Judgement:
        """Return the score over all images at a threshold."""
        return Judgement(threshold, self.pooled.at(threshold))

    def best(self, *, floor: float = 0.0) -> Judgement:
        """Return the score of greatest F1 among the thresholds from the floor up; the middle of equals."""
        offered = THRESHOLDS[floor <= THRESHOLDS]
        return self.at(float(offered[place_of_best_f1(self.pooled.at_many(offered))]))

    def average_precision(self) -> float:
        """Return the average precision; 0 without a true figure."""
        return average_precision(self.pooled) or 0.0

    def intervals(self, threshold: float) -> Intervals:
        """Return the 95 % intervals at a threshold, by drawing cases with replacement."""
        return bootstrap([steps.at(threshold) for steps in self.cases])


def judge(
    detections: Sequence[Detections],
    truths: Sequence[NDArray[np.float64]],
    protocol: Protocol,
    *,
    cases: Sequence[str] | None = None,
) -> Curve:
    """Match the detections of every image with its figures at every threshold.

    Parameters
    ----------
    detections : sequence of Detections
    truths : sequence of ndarray, shape (n, 2)
        Centres of the figures, in the same px.
    protocol : Protocol
        The rule; its radius in px, since training has one resolution.
    cases : sequence of str, optional
        Case of each image; without it each image is a case.
    """
    names = [str(place) for place in range(len(truths))] if cases is None else cases
    steps_of: dict[str, list[Steps]] = {}
    for case, found, truth in zip(names, detections, truths, strict=True):
        steps_of.setdefault(case, []).append(protocol.sweep(found.points_px0, found.score, truth).steps)
    return Curve(tuple(Steps.total(steps) for steps in steps_of.values()))
