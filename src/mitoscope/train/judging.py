"""How good a detector is: F1 by the TUPAC rule over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.picture import Picture
from mitoscope.detections import Detections
from mitoscope.evaluate import PROTOCOLS, Score, bootstrap
from mitoscope.evaluate.interval import Intervals

PROTOCOL: Final = PROTOCOLS["tupac"]
"""The rule of the paper: 30 px (7.5 µm), one to one (Akram et al. 2018, section 3)."""
THRESHOLDS: Final = tuple(round(0.05 + 0.01 * step, 2) for step in range(94))


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
        score = self.score
        counts = {"tp": score.tp, "fp": score.fp, "fn": score.fn}
        shares = {"f1": self.f1, "precision": score.precision, "recall": score.recall}
        return {"threshold": self.threshold, **counts, **shares}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Scores of every image at every threshold.

    Parameters
    ----------
    scores : tuple of tuple of Score
        By threshold, then by image.
    """

    scores: tuple[tuple[Score, ...], ...]

    def at(self, threshold: float) -> Judgement:
        """Return the score over all images at the nearest of the thresholds."""
        index = self._index(threshold)
        return Judgement(THRESHOLDS[index], sum(self.scores[index], Score()))

    def best(self) -> Judgement:
        """Return the score of greatest F1; the middle one of equals."""
        all_of_them = [self.at(threshold) for threshold in THRESHOLDS]
        top = max(judgement.f1 for judgement in all_of_them)
        equals = [judgement for judgement in all_of_them if judgement.f1 == top]
        return equals[len(equals) // 2]

    def intervals(self, threshold: float) -> Intervals:
        """Return the 95 % intervals at a threshold, by drawing images with replacement."""
        return bootstrap(self.scores[self._index(threshold)])

    @staticmethod
    def _index(threshold: float) -> int:
        return int(np.argmin(np.abs(np.array(THRESHOLDS) - threshold)))


def visible_figures(picture: Picture) -> NDArray[np.float64]:
    """Return the figures whose centres lie on the picture, shape (n, 2)."""
    x, y = picture.figures[:, 0], picture.figures[:, 1]
    return picture.figures[(x >= 0) & (y >= 0) & (x < picture.width) & (y < picture.height)]


def judge(detections: Sequence[Detections], truths: Sequence[NDArray[np.float64]]) -> Curve:
    """Match the detections of every image with its figures at every threshold."""
    images = list(zip(detections, truths, strict=True))
    return Curve(tuple(tuple(_score(found.above(t), truth) for found, truth in images) for t in THRESHOLDS))


def _score(found: Detections, truth: NDArray[np.float64]) -> Score:
    if not len(found):
        return Score(0, 0, len(truth))
    return PROTOCOL.match(found.points_px0, found.score, truth).score
