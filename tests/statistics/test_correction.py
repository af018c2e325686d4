from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from mitoscope.statistics import choose_strength, fit_correction

Floats = NDArray[np.float64]


def drawn(n: int, features: int, *, gain: float, seed: int = 0) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, features)) * np.linspace(0.5, 2, features) + 3
    known = random.normal(size=n) - 1
    odds = known + gain * (values[:, 0] - 3) / 0.5
    return values, known, random.random(n) < 1 / (1 + np.exp(-odds))


def test_without_log_odds_it_is_the_ridge_of_scikit_learn() -> None:
    values, _, true = drawn(300, 5, gain=1.0)
    own = fit_correction(values, np.zeros(300), true, strength=7.0)
    spread = values.std(axis=0)
    other = LogisticRegression(C=1 / 7.0, tol=1e-10, max_iter=10_000).fit(values / spread, true)
    np.testing.assert_allclose(own.weights, other.coef_[0] / spread, atol=1e-4)
    assert own.shift == pytest.approx(other.intercept_[0], abs=2e-3)


@pytest.mark.parametrize("features", [5, 400])
def test_the_penalty_is_on_the_change_of_what_the_model_says(features: int) -> None:
    values, known, true = drawn(120, features, gain=1.0)
    own = fit_correction(values, known, true, strength=20.0)
    error = 1 / (1 + np.exp(-(known + own(values)))) - true
    spread = values.std(axis=0)
    slope = error @ ((values - values.mean(axis=0)) / spread) + 20.0 * own.weights * spread
    np.testing.assert_allclose(slope, 0, atol=2e-3)
    assert error.sum() == pytest.approx(0, abs=2e-3)


def test_held_back_for_ever_only_the_shift_moves() -> None:
    values, known, true = drawn(200, 4, gain=1.0)
    own = fit_correction(values, known, true, strength=np.inf)
    assert not own.weights.any()
    assert (1 / (1 + np.exp(-(known + own.shift)))).mean() == pytest.approx(true.mean(), abs=1e-4)


def test_a_feature_that_never_varies_changes_nothing() -> None:
    values, known, true = drawn(200, 4, gain=1.0)
    values[:, 2] = 5.0
    assert fit_correction(values, known, true, strength=1.0).weights[2] == 0


def test_cases_left_out_tell_signal_from_noise() -> None:
    cases = [f"case {place % 6}" for place in range(240)]
    values, known, true = drawn(240, 30, gain=1.5)
    assert np.isfinite(choose_strength(values, known, true, cases))
    noise = [choose_strength(*drawn(240, 30, gain=0.0, seed=seed), cases) for seed in range(5)]
    assert np.median(noise) == np.inf


def test_cases_of_one_kind_alone_are_no_lesson() -> None:
    values, known, true = drawn(60, 3, gain=1.0)
    cases = np.where(true, "figures", "others").tolist()
    assert choose_strength(values, known, true, cases) in (10.0, np.inf)
