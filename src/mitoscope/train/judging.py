"""How good a detector is: F1 by the TUPAC rule over all thresholds, with intervals by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.picture import Picture
from mitoscope.detections import Detections

TUPAC_RADIUS_PX: Final = 30.0
"""A detection finds a figure within 30 px (7.5 µm at 0.25 µm/px); one to one (TUPAC16; Akram et al. 2018)."""
THRESHOLDS: Final = np.round(np.arange(0.05, 0.99, 0.01), 2)


@dataclass(frozen=True, slots=True)
class Score:
    """Counts at one threshold, and what follows from them."""

    threshold: float
    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        """Share of the detections that are figures; 0 without detections."""
        return self.tp / max(self.tp + self.fp, 1)

    @property
    def recall(self) -> float:
        """Share of the figures that are detected; 0 without figures."""
        return self.tp / max(self.tp + self.fn, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Counts for every image and threshold.

    Parameters
    ----------
    counts : ndarray of int64, shape (images, thresholds, 3)
        True positives, false positives, false negatives at `THRESHOLDS`.
    """

    counts: NDArray[np.int64]

    def at(self, threshold: float) -> Score:
        """Return the pooled score at one of the thresholds."""
        index = int(np.argmin(np.abs(THRESHOLDS - threshold)))
        tp, fp, fn = (int(value) for value in self.counts[:, index].sum(axis=0))
        return Score(float(THRESHOLDS[index]), tp, fp, fn)

    def best(self) -> Score:
        """Return the pooled score of greatest F1; the middle one of equals."""
        scores = [self.at(threshold) for threshold in THRESHOLDS]
        top = max(score.f1 for score in scores)
        equals = [score for score in scores if score.f1 == top]
        return equals[len(equals) // 2]

    def interval(
        self, threshold: float, name: str, *, draws: int = 2000, seed: int = 0
    ) -> tuple[float, float]:
        """Return the 95 % interval of a score by drawing images with replacement."""
        index = int(np.argmin(np.abs(THRESHOLDS - threshold)))
        random = np.random.default_rng(seed)
        n = len(self.counts)
        sums = self.counts[random.integers(n, size=(draws, n)), index].sum(axis=1)
        values = [getattr(Score(threshold, *(int(v) for v in row)), name) for row in sums]
        low, high = np.percentile(values, (2.5, 97.5))
        return float(low), float(high)


def visible_figures(picture: Picture) -> NDArray[np.float64]:
    """Return the figures whose centres lie on the picture, shape (n, 2)."""
    x, y = picture.figures[:, 0], picture.figures[:, 1]
    return picture.figures[(x >= 0) & (y >= 0) & (x < picture.width) & (y < picture.height)]


def judge(detections: Sequence[Detections], truths: Sequence[NDArray[np.float64]]) -> Curve:
    """Match the detections of every image with its figures at every threshold."""
    rows = []
    for found, truth in zip(detections, truths, strict=True):
        points, scores = found.points_px0, found.score
        rows.append([_match(points[scores > threshold], truth) for threshold in THRESHOLDS])
    return Curve(np.array(rows, dtype=np.int64).reshape(-1, len(THRESHOLDS), 3))


def _match(points: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[int, int, int]:
    """Let each figure, in file order, take the nearest detection that is not taken yet."""
    free = np.ones(len(points), dtype=np.bool_)
    tp = 0
    for figure in truth:
        if not free.any():
            break
        distance = np.where(free, np.hypot(*(points - figure).T), np.inf)
        nearest = int(np.argmin(distance))
        if distance[nearest] <= TUPAC_RADIUS_PX:
            free[nearest] = False
            tp += 1
    return tp, len(points) - tp, len(truth) - tp
