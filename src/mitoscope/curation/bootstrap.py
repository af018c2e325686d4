"""Bootstrap intervals by case: cells of one case are not independent, so cases are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its bootstrap interval; the bounds are NaN where it could not be drawn."""

    value: float
    low: float
    high: float


def estimate(
    parts: NDArray[np.float64],
    case: NDArray[np.int64],
    measure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Return a measure of sums over cells with its percentile interval over resampled cases.

    Parameters
    ----------
    parts : ndarray of float64, shape (n, s)
        What each cell adds to the sums.
    case : ndarray of int64, shape (n,)
        The case of each cell.
    measure : callable
        Sums of shape (..., s) → values of shape (...).
    resamples : int
        Number of draws; each draws as many cases as there are, with replacement.
    seed : int
        Of the draws: the same seed gives the same interval.
    level : float
        Of the interval.
    """
    names, index = np.unique(case, return_inverse=True)
    sums = np.zeros((len(names), parts.shape[1]))
    np.add.at(sums, index, parts)
    value = float(measure(sums.sum(axis=0)))
    if len(names) < 2:
        return Estimate(value, float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    values = measure(drawn.astype(np.float64) @ sums)
    values = values[np.isfinite(values)]
    if not len(values):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))
