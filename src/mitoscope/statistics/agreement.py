"""How well counts of the same things agree: Bland–Altman and the intraclass correlation.

Both are functions of sums over the things that were counted, so that intervals come from drawing cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError
from mitoscope.statistics.bootstrap import REPEATS, Estimate, estimate
from mitoscope.statistics.rates import divide

Floats = NDArray[np.float64]

LIMITS_SD: Final = 1.96
"""Standard deviations on each side of the bias between which 95 % of normal differences lie."""


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """First minus second count (Bland and Altman 1986), each number with its interval by case.

    Attributes
    ----------
    bias : Estimate
        Mean difference.
    lower, upper : Estimate
        Limits of agreement: bias ± 1.96 standard deviations of the differences; NaN for a single pair.
    absolute : Estimate
        Mean absolute difference.
    """

    bias: Estimate
    lower: Estimate
    upper: Estimate
    absolute: Estimate


def bland_altman(
    first: ArrayLike,
    second: ArrayLike,
    case: Sequence[str] | NDArray[np.int64],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
) -> BlandAltman:
    """Compare two counts of the same things.

    Parameters
    ----------
    first, second : array_like, shape (n,)
    case : sequence, length n
        Those of one case are drawn together.
    repeats, seed
        Of the bootstrap.

    Raises
    ------
    FormatError
        If there is no pair, or the lengths differ.
    """
    pairs = _columns([first, second], case)
    gap = pairs[:, 0] - pairs[:, 1]
    parts = np.column_stack([np.ones(len(gap)), gap, gap**2, np.abs(gap)])
    owner = _numbers(case)

    def drawn(measure: int | float) -> Estimate:
        return estimate(parts, owner, lambda sums: _limit(sums, measure), repeats=repeats, seed=seed)

    absolute = estimate(
        parts, owner, lambda sums: divide(sums[..., 3], sums[..., 0]), repeats=repeats, seed=seed
    )
    return BlandAltman(drawn(0), drawn(-LIMITS_SD), drawn(LIMITS_SD), absolute)


def _limit(sums: Floats, deviations: float) -> Floats:
    """Return the mean difference plus so many standard deviations of the sample, sums of shape (..., 4)."""
    n, total, squares = sums[..., 0], sums[..., 1], sums[..., 2]
    mean = divide(total, n)
    if not deviations:
        return mean
    spread = np.maximum(squares - divide(total**2, n), 0.0)
    return np.asarray(mean + deviations * np.sqrt(divide(spread, n - 1)))


def intraclass_correlation(
    counts: ArrayLike, case: Sequence[str] | NDArray[np.int64], *, repeats: int = REPEATS, seed: int = 0
) -> Estimate:
    """Return the intraclass correlation of absolute agreement, of single counts, two-way random effects.

    ICC(2,1) of Shrout and Fleiss 1979, ICC(A,1) of McGraw and Wong 1996: a constant difference lowers it.

    Parameters
    ----------
    counts : array_like, shape (n, k)
        Of n things by k counters.
    case : sequence, length n
        Those of one case are drawn together.
    repeats, seed
        Of the bootstrap.

    Returns
    -------
    Estimate
        NaN where it is not defined: fewer than two things, or all counts are the same.

    Raises
    ------
    FormatError
        If there is nothing to compare.
    """
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise FormatError("fewer than two counters", where="agreement of counts")
    table = _columns(list(table.T), case)
    parts = np.column_stack([np.ones(len(table)), (table**2).sum(axis=1), table.sum(axis=1) ** 2, table])
    return estimate(parts, _numbers(case), _icc, repeats=repeats, seed=seed)


def _icc(sums: Floats) -> Floats:
    """Return the correlation of sums, shape (..., 3 + k): things, squares, squares of rows, columns."""
    n, squares, rows, columns = sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3:]
    k = columns.shape[-1]
    correction = divide(columns.sum(axis=-1) ** 2, n * k)
    between = rows / k - correction
    raters = divide((columns**2).sum(axis=-1), n) - correction
    rest = squares - correction - between - raters
    ms_rows, ms_rest = divide(between, n - 1), divide(rest, (n - 1) * (k - 1))
    ms_raters = raters / (k - 1)
    whole = ms_rows + (k - 1) * ms_rest + divide(k * (ms_raters - ms_rest), n)
    # Where all counts are the same, what remains is rounding.
    known = np.nan_to_num(whole) > 1e-12 * np.maximum(squares, 1.0)
    return np.asarray(np.where(known, divide(ms_rows - ms_rest, np.where(known, whole, 0.0)), np.nan))


def _columns(columns: Sequence[ArrayLike], case: Sequence[str] | NDArray[np.int64]) -> Floats:
    values = [np.asarray(column, np.float64).reshape(-1) for column in columns]
    lengths = {*map(len, values), len(case)}
    if lengths == {0} or len(lengths) != 1:
        raise FormatError(
            f"counts of one length expected, got {sorted(lengths)}", where="agreement of counts"
        )
    return np.column_stack(values)


def _numbers(case: Sequence[str] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(np.asarray(case), return_inverse=True)[1].astype(np.int64)
