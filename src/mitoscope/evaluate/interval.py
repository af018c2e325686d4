"""How sure a score is: percentile bootstrap over cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.score import Score

LEVEL = 0.95
REPEATS = 2000
_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ends included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of precision, recall and F1; None where fewer than two cases, or 0/0, leave it undefined."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


def bootstrap(
    scores: Sequence[Score], *, repeats: int = REPEATS, seed: int = 0, level: float = LEVEL
) -> Intervals:
    """Return the intervals of the micro-averaged precision, recall and F1.

    Parameters
    ----------
    scores : sequence of Score
        One a case (or an image): these are drawn with replacement, because figures of one case are not
        independent of each other.
    repeats : int, default 2000
        Number of draws.
    seed : int, default 0
        The same seed gives the same intervals.
    level : float, default 0.95
        Share of the draws within the interval (percentile method, Efron and Tibshirani 1993, chapter 13).

    Notes
    -----
    Draws in which a share is 0/0 say nothing about it and are left out.
    """
    if len(scores) < 2:
        return Intervals(None, None, None)
    counts = np.array([(score.tp, score.fp, score.fn) for score in scores], dtype=np.int64)
    tp, fp, fn = _draw_sums(counts, repeats=repeats, seed=seed).T
    return Intervals(
        _interval(tp, tp + fp, level),
        _interval(tp, tp + fn, level),
        _interval(2 * tp, 2 * tp + fp + fn, level),
    )


def _draw_sums(counts: NDArray[np.int64], *, repeats: int, seed: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(seed)
    cases = len(counts)
    sums = np.empty((repeats, 3), np.int64)
    block = max(1, _BLOCK // cases)
    for start in range(0, repeats, block):
        stop = min(start + block, repeats)
        drawn = generator.integers(cases, size=(stop - start, cases))
        sums[start:stop] = counts[drawn].sum(axis=1)
    return sums


def _interval(part: NDArray[np.int64], whole: NDArray[np.int64], level: float) -> Interval | None:
    defined = whole > 0
    if not defined.any():
        return None
    low, high = np.quantile(part[defined] / whole[defined], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
