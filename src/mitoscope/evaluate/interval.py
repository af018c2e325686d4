"""How sure a score is: percentile bootstrap over cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    precision, recall, f1 = shares(draw_sums(scores, repeats=repeats, seed=seed))
    return Intervals(percentiles(precision, level), percentiles(recall, level), percentiles(f1, level))


def draw_cases(cases: int, *, repeats: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the drawn cases, shape (b, cases), in blocks; the same arguments give the same draws."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // cases)
    for start in range(0, repeats, block):
        yield generator.integers(cases, size=(min(start + block, repeats) - start, cases))


def draw_sums(scores: Sequence[Score], *, repeats: int, seed: int) -> NDArray[np.int64]:
    """Return TP, FP and FN of each draw of cases, shape (repeats, 3)."""
    counts = np.array([(score.tp, score.fp, score.fn) for score in scores], dtype=np.int64)
    drawn = draw_cases(len(counts), repeats=repeats, seed=seed)
    return np.concatenate([counts[block].sum(axis=1) for block in drawn])


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return precision, recall and F1 of TP, FP and FN, (n, 3), as rows, shape (3, n); 0/0 is NaN."""
    tp, fp, fn = counts.T
    part = np.stack([tp, tp, 2 * tp])
    whole = np.stack([tp + fp, tp + fn, 2 * tp + fp + fn])
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def percentiles(values: NDArray[np.float64], level: float = LEVEL) -> Interval | None:
    """Return the interval that holds a share of the values in its middle; NaN says nothing."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
