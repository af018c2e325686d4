import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.statistics import (
    Interval,
    Intervals,
    Score,
    bootstrap,
    draw_rows,
    draw_sums,
    draw_times,
    estimate,
)

SCORES = st.lists(
    st.builds(Score, st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)), min_size=2, max_size=12
)


def brute_force(scores: list[Score], repeats: int, seed: int) -> list[float]:
    """Draw, add and divide one by one."""
    generator = np.random.default_rng(seed)
    values = []
    for drawn in generator.integers(len(scores), size=(repeats, len(scores))).tolist():
        total = sum((scores[n] for n in drawn), Score())
        if total.f1 is not None:
            values.append(total.f1)
    return values


@settings(deadline=None, max_examples=25)
@given(scores=SCORES, seed=st.integers(0, 5))
def test_equals_drawing_one_by_one(scores: list[Score], seed: int) -> None:
    values = brute_force(scores, 50, seed)
    found = bootstrap(scores, repeats=50, seed=seed).f1
    if not values:
        assert found is None
    else:
        assert found is not None
        assert [found.low, found.high] == pytest.approx(np.quantile(values, [0.025, 0.975]).tolist())


def test_the_same_seed_gives_the_same_interval() -> None:
    scores = [Score(n, 5 - n, n % 3) for n in range(6)]
    assert bootstrap(scores, seed=1) == bootstrap(scores, seed=1)
    assert bootstrap(scores, seed=1) != bootstrap(scores, seed=2)


def test_cases_that_are_all_alike_leave_no_doubt() -> None:
    found = bootstrap([Score(3, 1, 2)] * 10)
    assert found.precision == Interval(0.75, 0.75)
    assert found.recall == Interval(0.6, 0.6)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    covered = 0
    for trial in range(200):
        hits = generator.binomial(20, 0.7, 60)
        found = bootstrap([Score(int(n), 0, 20 - int(n)) for n in hits], repeats=300, seed=trial).recall
        assert found is not None
        covered += found.low <= 0.7 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_one_case_or_nothing_defined_has_no_interval() -> None:
    assert bootstrap([Score(1, 1, 1)]) == Intervals(None, None, None)
    assert bootstrap([Score(), Score()]) == Intervals(None, None, None)
    assert bootstrap([Score(fp=1), Score(fp=2)]).recall is None
    # Nor has what is asked for without one, as the tables of the raters are.
    asked = estimate(np.eye(2), np.array([1, 2]), lambda sums: sums[..., 0], repeats=0)
    assert asked.value == 1
    assert np.isnan([asked.low, asked.high]).all()


def test_one_seed_draws_the_same_cases_for_every_measure() -> None:
    scores = [Score(n, 7 - n, n % 2) for n in range(7)]
    times = np.concatenate(list(draw_times(7, repeats=40, seed=3)))
    assert (times.sum(axis=1) == 7).all()
    rows = list(draw_rows([str(n) for n in range(7)], repeats=40, seed=3))
    assert [np.bincount(drawn, minlength=7).tolist() for drawn in rows] == times.tolist()
    counts = np.array([(score.tp, score.fp, score.fn) for score in scores], dtype=float)
    assert draw_sums(counts, repeats=40, seed=3).tolist() == (times @ counts).tolist()


def test_rows_of_a_case_are_drawn_together() -> None:
    for drawn in draw_rows(["b", "a", "b", "c"], repeats=20):
        assert np.count_nonzero(drawn == 0) == np.count_nonzero(drawn == 2)
    assert list(draw_rows(["a", "a"], repeats=20)) == []
    assert list(draw_rows([], repeats=20)) == []
