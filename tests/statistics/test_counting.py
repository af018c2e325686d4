"""How many of some uncertain things there are: against enumeration, simulation and published intervals."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mitoscope.errors import NonFiniteError
from mitoscope.statistics import CountDistribution, random_parts

PROBABILITIES = st.lists(st.floats(0, 1), max_size=120)


def enumerated(probabilities: list[float]) -> list[float]:
    """Return the probability of each number by going through all outcomes."""
    shares = [0.0] * (len(probabilities) + 1)
    for outcome in product((0, 1), repeat=len(probabilities)):
        pairs = zip(probabilities, outcome, strict=True)
        shares[sum(outcome)] += float(np.prod([p if there else 1 - p for p, there in pairs]))
    return shares


@given(st.lists(st.floats(0, 1), max_size=8))
def test_the_shares_are_those_of_all_outcomes(probabilities: list[float]) -> None:
    found = CountDistribution.of(probabilities)
    for number, share in enumerate(enumerated(probabilities)):
        assert found.share_between(number, number) == pytest.approx(share, abs=1e-11)


@pytest.mark.parametrize("n", [65, 100, 1001, 20_000])
def test_many_things_of_one_probability_are_binomial(n: int) -> None:
    found = CountDistribution.of(np.full(n, 0.03))
    assert found.mean == pytest.approx(0.03 * n)
    assert np.abs(found.shares - stats.binom.pmf(found.numbers, n, 0.03)).max() < 1e-11


def test_many_unequal_things_give_the_same_by_transforms_and_by_hand() -> None:
    each = np.random.default_rng(1).beta(0.2, 2.0, 700)
    by_hand = np.ones(1)
    for one in each:
        by_hand = np.convolve(by_hand, [1 - one, one])
    found = CountDistribution.of(each)
    assert found.shares == pytest.approx(by_hand[found.numbers], abs=1e-11)


@given(PROBABILITIES)
def test_the_mean_is_the_sum_and_lies_in_both_intervals(probabilities: list[float]) -> None:
    found = CountDistribution.of(probabilities)
    assert found.mean == pytest.approx(sum(probabilities))
    assert found.shares.sum() == pytest.approx(1.0)
    assert found.shares @ found.numbers == pytest.approx(found.mean, abs=1e-6)
    inner, outer = found.interval(), found.mean_interval()
    assert inner.low - 1 <= found.mean <= inner.high + 1
    assert 0 <= outer.low < outer.high
    assert outer.low <= found.mean + 0.5
    assert outer.high >= found.mean


@given(PROBABILITIES, st.randoms())
def test_the_order_of_the_things_changes_no_digit(probabilities: list[float], random: Random) -> None:
    shuffled = list(probabilities)
    random.shuffle(shuffled)
    first, second = CountDistribution.of(probabilities), CountDistribution.of(shuffled)
    assert first.mean == second.mean
    assert first.mean_interval() == second.mean_interval()


@given(st.integers(0, 60))
def test_certain_things_are_counted_exactly(n: int) -> None:
    found = CountDistribution.of([1.0] * n + [0.0] * 5)
    assert found.mean == n
    assert (found.interval().low, found.interval().high) == (n, n)
    assert found.share_between(n, n) == 1.0


@pytest.mark.parametrize("n", [0, 1, 7, 40, 400])
def test_of_certain_things_the_mean_has_jeffreys_interval(n: int) -> None:
    found = CountDistribution.of(np.ones(n)).mean_interval()
    low, high = (stats.gamma.ppf(share, n + 0.5) for share in (0.025, 0.975))
    assert [found.low, found.high] == pytest.approx([low if n else 0.0, high], rel=1e-6)


@given(PROBABILITIES, st.integers(0, 30), st.integers(0, 30))
def test_bands_that_cover_all_numbers_sum_to_one(probabilities: list[float], a: int, b: int) -> None:
    found = CountDistribution.of(probabilities)
    low, high = min(a, b), max(a, b) + 1
    for share in (found.share_between, found.repeated_between):
        parts = [share(0, low), share(low + 1, high), share(high + 1, None)]
        assert sum(parts) == pytest.approx(1.0)
        assert min(parts) >= -1e-12


@given(PROBABILITIES, st.floats(0, 1), st.integers(1, 40))
def test_one_thing_more_raises_every_number(probabilities: list[float], more: float, edge: int) -> None:
    few, many = CountDistribution.of(probabilities), CountDistribution.of([*probabilities, more])
    assert many.mean >= few.mean
    assert many.interval().low >= few.interval().low
    assert many.mean_interval().high >= few.mean_interval().high - 1e-9
    assert many.share_between(edge, None) >= few.share_between(edge, None) - 1e-9
    assert many.repeated_between(edge, None) >= few.repeated_between(edge, None) - 1e-9


def test_a_second_sample_is_negative_binomial() -> None:
    found = CountDistribution.of(np.ones(6))
    for number in range(20):
        assert found.repeated_between(number, number) == pytest.approx(stats.nbinom.pmf(number, 6.5, 0.5))


def test_the_joint_interval_holds_the_mean_as_often_as_it_says() -> None:
    """Figures are drawn, a detector gives each candidate the probability with which it is a figure."""
    random, mean, held = np.random.default_rng(4), 12.0, 0
    for _ in range(400):
        figures, others = random.poisson(mean), random.poisson(60.0)
        # Densities of the scores are 3 s² and 3 (1 - s)²: with their shares, the probability is calibrated.
        scores = np.concatenate([random.beta(3, 1, figures), random.beta(1, 3, others)])
        true, false = mean * scores**2, 60.0 * (1 - scores) ** 2
        found = CountDistribution.of(true / (true + false)).mean_interval()
        held += found.low <= mean <= found.high
    assert 0.92 <= held / 400 <= 1.0


@pytest.mark.parametrize("wrong", [[1.1], [-0.1], [float("nan")]])
def test_what_is_no_probability_is_refused(wrong: Any) -> None:
    with pytest.raises(NonFiniteError, match=r"outside \[0, 1\]"):
        CountDistribution.of(wrong)


def test_parts_are_the_same_each_time_and_about_even() -> None:
    parts = random_parts(1000, parts=4, repeats=6, seed=3)
    assert np.array_equal(parts, random_parts(1000, parts=4, repeats=6, seed=3))
    assert not np.array_equal(parts, random_parts(1000, parts=4, repeats=6, seed=4))
    for part in range(4):
        assert np.abs((parts == part).sum(axis=1) - 250).max() < 80
