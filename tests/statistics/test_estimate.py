"""Intervals by case: seeded, equal to drawing cases one by one, wider than by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mitoscope.statistics import estimate


def rate(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def clustered(cases: int = 30, cells: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    chance = rng.uniform(0, 0.6, cases)
    case = np.repeat(np.arange(cases), cells)
    hit = (rng.random(cases * cells) < chance[case]).astype(np.float64)
    return np.column_stack([hit, np.ones(len(hit))]), case


def test_the_same_seed_gives_the_same_interval() -> None:
    parts, case = clustered()
    assert estimate(parts, case, rate, seed=5) == estimate(parts, case, rate, seed=5)
    assert estimate(parts, case, rate, seed=5) != estimate(parts, case, rate, seed=6)


def test_the_interval_is_that_of_drawing_cases_one_by_one() -> None:
    parts, case = clustered()
    found = estimate(parts, case, rate, repeats=4000)
    rng = np.random.default_rng(1)
    of_case = [parts[case == one].sum(axis=0) for one in np.unique(case)]
    drawn = [rate(np.sum([of_case[one] for one in rng.integers(0, 30, 30)], axis=0)) for _ in range(4000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)
    assert found.value == pytest.approx(parts[:, 0].mean())


def test_control_cells_drawn_as_if_independent_give_too_narrow_an_interval() -> None:
    parts, case = clustered()
    by_case = estimate(parts, case, rate)
    by_cell = estimate(parts, np.arange(len(parts)), rate)
    assert by_cell.high - by_cell.low < 0.7 * (by_case.high - by_case.low)


def test_one_case_has_no_interval() -> None:
    found = estimate(np.ones((4, 2)), np.zeros(4, dtype=np.int64), rate)
    assert found.value == 1
    assert math.isnan(found.low)
