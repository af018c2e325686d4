from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate import BEST_F1, Criterion, Prior, Steps, fit_point

UNBIASED = Criterion.parse("unbiased-count")
ROBUST = Criterion.parse("robust")


def _case(rng: np.random.Generator, *, figures: int, false: int) -> Steps:
    """Figures score about 0.7, false ones about 0.4."""
    score = np.clip(np.r_[rng.normal(0.7, 0.1, figures), rng.normal(0.4, 0.1, false)], 0.01, 0.99)
    hit = np.r_[np.ones(figures, np.int64), np.zeros(false, np.int64)]
    return Steps(score, hit, 1 - hit, figures)


def _f1(cases: list[Steps], threshold: float) -> float:
    tp = sum(int(c.tp[c.score > threshold].sum()) for c in cases)
    fp = sum(int(c.fp[c.score > threshold].sum()) for c in cases)
    return 2 * tp / (tp + fp + sum(c.figures for c in cases))


def test_no_threshold_is_better_than_the_chosen_one_and_the_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    cases = [_case(rng, figures=8, false=12) for _ in range(15)]
    point = fit_point(cases, repeats=300)
    best = max(_f1(cases, t) for t in np.arange(0, 1, 0.005))
    assert point.score.f1 == pytest.approx(best) == _f1(cases, point.threshold)
    assert point.interval is not None
    assert point.interval.low <= point.threshold <= point.interval.high
    assert 0.45 < point.interval.low < point.interval.high < 0.65
    assert (point.cases, point.figures, point.is_sure) == (15, 120, True)


def test_few_cases_are_not_sure_and_one_has_no_interval() -> None:
    rng = np.random.default_rng(1)
    few = fit_point([_case(rng, figures=8, false=12) for _ in range(3)], repeats=50)
    assert not few.is_sure
    assert fit_point([_case(rng, figures=80, false=12)]).interval is None


def test_no_threshold_lies_below_the_floor() -> None:
    rng = np.random.default_rng(2)
    cases = [_case(rng, figures=8, false=0) for _ in range(4)]
    assert fit_point(cases, repeats=20).threshold < 0.5
    assert fit_point(cases, floor=0.5, repeats=20).threshold >= 0.5


def test_without_a_figure_there_is_nothing_to_choose() -> None:
    nothing = Steps(np.array([0.4]), np.array([0]), np.array([1]), 3)
    with pytest.raises(FormatError, match="no figure is found"):
        fit_point([nothing])
    with pytest.raises(FormatError, match="no figure is found"):
        fit_point([])


def _steps(*scores: float, false: tuple[float, ...] = (), missed: int = 0) -> Steps:
    """Return figures and false detections at stated scores."""
    hit = np.r_[np.ones(len(scores), np.int64), np.zeros(len(false), np.int64)]
    return Steps(np.array([*scores, *false]), hit, 1 - hit, len(scores) + missed)


def test_an_unbiased_count_detects_as_many_as_there_are() -> None:
    # Four figures, one of them never proposed: with one false detection the count is right; F1 wants none.
    cases = [_steps(0.9, 0.8, 0.7, false=(0.6, 0.4, 0.3), missed=1)]
    count, best = fit_point(cases, UNBIASED), fit_point(cases)
    assert (count.score.tp, count.score.fp, count.score.fn) == (3, 1, 1)
    assert 0.4 <= count.threshold < 0.6
    assert count.count_bias.value == 0
    assert (best.score.fp, best.count_bias.value) == (0, -1)


def test_the_bias_of_a_count_has_an_interval_by_case() -> None:
    rng = np.random.default_rng(4)
    bias = fit_point([_case(rng, figures=8, false=12) for _ in range(15)], UNBIASED, repeats=300).count_bias
    assert bias.low < 0 < bias.high
    assert abs(bias.value) <= 0.2


def test_recall_at_a_rate_of_false_detections_is_the_greatest_there_is() -> None:
    cases = [_steps(0.9, 0.5, 0.2, false=(0.6, 0.3, 0.1)), _steps(0.8, false=(0.7,))]
    areas = [0.5, 0.5]
    for rate, tp, fp in ((1, 2, 0), (2, 3, 2), (3, 4, 3)):
        point = fit_point(cases, Criterion.parse(f"recall-at-{rate}-per-mm2"), areas_mm2=areas)
        assert (point.score.tp, point.score.fp) == (tp, fp)
        assert point.false_per_mm2 is not None
        assert point.false_per_mm2.value == fp
    # Of equal recall the fewest false ones: four are allowed, and the fourth would bring no figure.
    assert fit_point(cases, Criterion.parse("recall-at-4-per-mm2"), areas_mm2=areas).score.fp == 3


def test_a_rate_that_no_figure_is_found_at_or_without_an_area_is_refused() -> None:
    strict = Criterion.parse("recall-at-0.5-per-mm2")
    with pytest.raises(FormatError, match=r"more than 0\.5 false detections per mm²"):
        fit_point([_steps(0.4, false=(0.9,))], strict, areas_mm2=[1.0])
    with pytest.raises(ConfigError, match="needs the examined area"):
        fit_point([_steps(0.4)], strict)


def test_the_robust_point_is_best_where_the_detector_is_worst() -> None:
    # The first laboratory has many figures and would have 0.55; the second one needs 0.75.
    easy = [_steps(*np.linspace(0.58, 0.95, 20), false=(0.5, 0.45)) for _ in range(3)]
    hard = [_steps(0.8, 0.85, false=(0.7, 0.65, 0.62, 0.6))]
    names = ["a", "a", "a", "b"]
    robust = fit_point([*easy, *hard], ROBUST, laboratories=names, repeats=50)
    assert fit_point([*easy, *hard], repeats=50).threshold < 0.6 < robust.threshold
    worst = min(_f1(easy, robust.threshold), _f1(hard, robust.threshold))
    for threshold in np.arange(0, 1, 0.005):
        assert min(_f1(easy, threshold), _f1(hard, threshold)) <= worst + 1e-12
    for given in (None, ["a"] * 4):
        with pytest.raises(ConfigError, match="two laboratories"):
            fit_point([*easy, *hard], ROBUST, laboratories=given)
    with pytest.raises(FormatError, match="figures of all laboratories"):
        fit_point([*easy, _steps(false=(0.5,), missed=2)], ROBUST, laboratories=names)


def test_few_figures_stay_near_the_prior_and_many_leave_it() -> None:
    rng = np.random.default_rng(5)
    prior = Prior(0.2, "a bundle", weight=20)
    few = fit_point([_case(rng, figures=2, false=3) for _ in range(3)], prior=prior, repeats=50)
    many = fit_point([_case(rng, figures=20, false=30) for _ in range(50)], prior=prior, repeats=50)
    assert 0.2 < few.threshold < few.alone
    share = 6 / 26  # the weight of six figures beside twenty, in log-odds
    odds = (few.alone / (1 - few.alone)) ** share * (0.2 / 0.8) ** (1 - share)
    assert few.threshold == pytest.approx(odds / (1 + odds), abs=1e-6)
    assert abs(many.threshold - many.alone) < 0.02
    assert few.interval is not None
    assert few.interval.low <= few.threshold <= few.interval.high
    assert fit_point([_case(rng, figures=8, false=3)]).prior is None


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_prior_at_either_end_leaves_a_threshold(end: float) -> None:
    point = fit_point([_steps(0.9, 0.8, false=(0.3,))], prior=Prior(end, "a bundle"))
    assert 0 < point.threshold < 1


@pytest.mark.parametrize(
    "text", ["f2", "", "recall-at-0-per-mm2", "recall-at--1-per-mm2", "recall-at-per-mm2"]
)
def test_a_criterion_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="one of: f1, unbiased-count, robust, recall-at-N-per-mm2"):
        Criterion.parse(text)


def test_criteria_have_one_name_each() -> None:
    assert Criterion.parse("f1") == BEST_F1
    assert Criterion.parse("recall-at-2.50-per-mm2").name == "recall-at-2.5-per-mm2"
