"""How sure a number is: percentile bootstrap by case.

Cells of one case are not independent of each other, so cases are drawn, with replacement, as many as there
are (Efron and Tibshirani 1993, chapter 13). Every interval of mitoscope comes from :func:`draw_cases`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.statistics.rates import Score, shares

LEVEL = 0.95
REPEATS = 2000
_BLOCK = 4_000_000
"""Drawn cases that are held at once."""

Floats = NDArray[np.float64]
Measure = Callable[[Floats], Floats]
"""Sums of shape (..., s) → values of shape (...)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ends included."""

    low: float
    high: float

    def as_list(self) -> list[float]:
        """Return both ends for JSON."""
        return [self.low, self.high]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of precision, recall and F1; None where fewer than two cases, or 0/0, leave it undefined."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its bootstrap interval; the bounds are NaN where it could not be drawn."""

    value: float
    low: float
    high: float


def draw_cases(cases: int, *, repeats: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the drawn cases, shape (b, cases), in blocks; the same arguments give the same draws."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // cases)
    for start in range(0, repeats, block):
        yield generator.integers(cases, size=(min(start + block, repeats) - start, cases))


def draw_times(cases: int, *, repeats: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield how often each case was drawn, shape (b, cases), in blocks: the draws of :func:`draw_cases`."""
    for drawn in draw_cases(cases, repeats=repeats, seed=seed):
        rows = np.arange(len(drawn))[:, None] * cases
        yield np.bincount((drawn + rows).ravel(), minlength=drawn.size).reshape(drawn.shape)


def draw_rows(case: Sequence[str], *, repeats: int, seed: int = 0) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of each draw, for a measure that is no function of sums; none for a single case.

    Parameters
    ----------
    case : sequence of str, length n
        The case of each row: those of one case are drawn together.
    """
    _, index = np.unique(np.asarray(case), return_inverse=True)
    rows = [np.flatnonzero(index == place) for place in range(int(index.max(initial=-1)) + 1)]
    if len(rows) > 1:
        for block in draw_cases(len(rows), repeats=repeats, seed=seed):
            yield from (np.concatenate([rows[place] for place in drawn]) for drawn in block)


def draw_sums(parts: Floats, *, repeats: int, seed: int) -> Floats:
    """Return the sum over the cases of each draw.

    Parameters
    ----------
    parts : ndarray, shape (cases, s)
        What each case adds.

    Returns
    -------
    ndarray of float64, shape (repeats, s)
    """
    parts = np.asarray(parts, np.float64)
    drawn = draw_times(len(parts), repeats=repeats, seed=seed)
    none = np.empty((0, parts.shape[1]))  # who asks for no interval draws nothing
    return np.concatenate([none, *(times.astype(np.float64) @ parts for times in drawn)])


def percentiles(values: Floats) -> Interval | None:
    """Return the interval that holds 95 % of the values in its middle; NaN says nothing."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def draw_shares(scores: Sequence[Score], *, repeats: int, seed: int) -> Floats:
    """Return precision, recall and F1 of each draw of the cases' scores, shape (3, repeats); 0/0 is NaN."""
    counts = np.array([(score.tp, score.fp, score.fn) for score in scores], dtype=np.float64)
    return shares(np.rint(draw_sums(counts, repeats=repeats, seed=seed)).astype(np.int64))


def bootstrap(scores: Sequence[Score], *, repeats: int = REPEATS, seed: int = 0) -> Intervals:
    """Return the intervals of the micro-averaged precision, recall and F1.

    Parameters
    ----------
    scores : sequence of Score
        Of each case (or image).
    repeats : int, default 2000
        Number of draws.
    seed : int, default 0
        The same seed gives the same intervals.

    Notes
    -----
    Draws in which a share is 0/0 say nothing about it and are left out.
    """
    if len(scores) < 2:
        return Intervals(None, None, None)
    drawn = draw_shares(scores, repeats=repeats, seed=seed)
    return Intervals(*(percentiles(values) for values in drawn))


def estimate(
    parts: Floats,
    case: NDArray[np.int64],
    measure: Measure,
    *,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Estimate:
    """Return a measure of sums over cells with its interval over drawn cases.

    Parameters
    ----------
    parts : ndarray of float64, shape (n, s)
        What each cell adds to the sums.
    case : ndarray of int64, shape (n,)
        The case of each cell.
    measure : callable
        Sums of shape (..., s) → values of shape (...); NaN where it is not defined.
    repeats, seed
        As for :func:`bootstrap`.
    """
    names, index = np.unique(case, return_inverse=True)
    sums = np.zeros((len(names), parts.shape[1]))
    np.add.at(sums, index, parts)
    value = float(measure(sums.sum(axis=0)))
    drawn = measure(draw_sums(sums, repeats=repeats, seed=seed)) if len(names) > 1 else np.empty(0)
    ends = percentiles(drawn)
    return Estimate(value, np.nan, np.nan) if ends is None else Estimate(value, ends.low, ends.high)
