"""Platt scaling: the line is found again, keeps the order, and is judged on cases that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from mitoscope.bundle import ScoreCalibration
from mitoscope.errors import FormatError
from mitoscope.statistics import ScoreLine, fit_left_out, fit_line, reliability


def _drawn(seed: int, n: int, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.01, 0.99, n)
    return scores, rng.random(n) < expit(slope * logit(scores) + intercept)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, -1.0), (2.5, 0.7)])
def test_the_line_behind_the_outcomes_is_found(slope: float, intercept: float) -> None:
    line = fit_line(*_drawn(0, 20_000, slope, intercept))
    assert line.slope == pytest.approx(slope, rel=0.06)
    assert line.intercept == pytest.approx(intercept, abs=0.06)


def test_calibrated_scores_tell_the_share_of_true_ones_and_keep_their_order() -> None:
    scores, true = _drawn(1, 5_000, 0.4, -1.5)
    line = fit_line(scores, true)
    before, after = reliability(scores, true).ece, reliability(line(scores), true).ece
    assert before is not None
    assert after is not None
    assert before > 0.2
    assert after < 0.02
    order = np.argsort(scores)
    assert (np.diff(line(scores)[order]) > 0).all()
    stated = ScoreCalibration(slope=line.slope, intercept=line.intercept, fitted_on="draws")
    np.testing.assert_allclose(stated(scores), line(scores), rtol=1e-12)
    np.testing.assert_allclose(stated.after(stated)(scores), line(line(scores)), rtol=1e-9)


def test_each_case_is_calibrated_by_the_others() -> None:
    cases = [_drawn(seed, 400, 0.5, -1.0) for seed in range(4)]
    spoilt = [*cases, (cases[0][0], ~cases[0][1])]
    left = fit_left_out(spoilt)
    expected = fit_line(np.concatenate([s for s, _ in cases]), np.concatenate([t for _, t in cases]))
    np.testing.assert_allclose(left[-1], expected(spoilt[-1][0]))
    assert not np.allclose(left[0], expected(spoilt[0][0]))


def test_scores_that_part_the_two_kinds_or_say_the_edges_stay_finite() -> None:
    scores = np.array([0.0, 0.0, 0.2, 0.9, 1.0, 1.0])
    line = fit_line(scores, scores > 0.5)
    out = line(scores)
    assert np.isfinite(out).all()
    assert (out[3:] > out[:3].max()).all()
    assert isinstance(line, ScoreLine)


@pytest.mark.parametrize("true", [True, False])
def test_one_kind_alone_is_refused(true: bool) -> None:
    with pytest.raises(FormatError, match="cannot be calibrated"):
        fit_line(np.array([0.2, 0.7]), np.array([true, true]))


def test_the_targets_are_those_of_platt() -> None:
    # Two scores only: the line goes through both targets, 4 / 5 for three true ones and 1 / 4 for two false.
    scores, true = np.array([0.9, 0.9, 0.9, 0.1, 0.1]), np.array([True, True, True, False, False])
    assert fit_line(scores, true)(np.array([0.9, 0.1])) == pytest.approx([4 / 5, 1 / 4], abs=1e-5)
    # The other way round their numbers change sides.
    scores, true = np.array([0.9, 0.9, 0.1, 0.1, 0.1]), np.array([True, True, False, False, False])
    assert fit_line(scores, true)(np.array([0.9, 0.1])) == pytest.approx([3 / 4, 1 / 5], abs=1e-5)


@pytest.mark.parametrize("n", [1, 4, 50])
def test_scores_that_part_the_kinds_are_no_more_sure_than_their_number(n: int) -> None:
    scores = np.repeat([0.8, 0.3], n)
    high, low = fit_line(scores, scores > 0.5)(np.array([0.8, 0.3]))
    assert high == pytest.approx((n + 1) / (n + 2), abs=1e-4)
    assert low == pytest.approx(1 / (n + 2), abs=1e-4)
