from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.evaluate import Steps, fit_point


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
