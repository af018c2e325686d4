from __future__ import annotations

import math

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.statistics import bland_altman, brier_score, intraclass_correlation

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
"""Four judges on six targets (Shrout and Fleiss 1979, Table 2)."""
ALONE = [str(n) for n in range(6)]


def test_the_correlation_is_the_published_one() -> None:
    found = intraclass_correlation(SHROUT_FLEISS, ALONE)
    assert found.value == pytest.approx(0.29, abs=0.005)  # their Table 4, ICC(2,1)


def test_a_constant_difference_lowers_it() -> None:
    counts = np.array([3, 9, 20, 41, 5, 12])
    same = intraclass_correlation(np.column_stack([counts, counts]), ALONE)
    shifted = intraclass_correlation(np.column_stack([counts, counts + 10]), ALONE)
    assert same.value == pytest.approx(1.0)
    assert shifted.value < 0.85


def test_it_is_not_defined_where_all_counts_are_equal() -> None:
    assert math.isnan(intraclass_correlation(np.full((6, 2), 7), ALONE).value)
    assert math.isnan(intraclass_correlation([[3, 4]], ["a"]).value)


def test_bias_and_limits_are_those_of_the_differences() -> None:
    first, second = np.array([5, 8, 13, 1, 0, 40]), np.array([4, 8, 10, 3, 0, 30])
    gap = first - second
    found = bland_altman(first, second, ALONE)
    assert found.bias.value == pytest.approx(gap.mean())
    assert found.upper.value == pytest.approx(gap.mean() + 1.96 * gap.std(ddof=1))
    assert found.lower.value == pytest.approx(gap.mean() - 1.96 * gap.std(ddof=1))
    assert found.absolute.value == pytest.approx(np.abs(gap).mean())
    assert found.bias.low < found.bias.value < found.bias.high


def test_intervals_draw_cases_and_a_single_case_has_none() -> None:
    # Within a case all differ alike: drawn one by one the interval would be far too narrow.
    case = np.repeat(["a", "b"], 50).tolist()
    gap = np.repeat([0, 10], 50)
    found = bland_altman(gap, np.zeros(100), case)
    assert (found.bias.low, found.bias.high) == (0, 10)
    alone = bland_altman(gap, np.zeros(100), ["a"] * 100)
    assert alone.bias.value == 5
    assert math.isnan(alone.bias.low)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(FormatError, match="counts of one length"):
        bland_altman([], [], [])
    with pytest.raises(FormatError, match="counts of one length"):
        bland_altman([1, 2], [1], ["a", "b"])


def test_the_brier_score_is_the_mean_squared_error() -> None:
    cases = [
        (np.array([0.9, 0.2]), np.array([True, False])),
        (np.array([0.6]), np.array([False])),
        (np.empty(0), np.empty(0, np.bool_)),
    ]
    assert brier_score(cases).value == pytest.approx((0.01 + 0.04 + 0.36) / 3)
