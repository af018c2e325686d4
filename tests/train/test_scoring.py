from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from mitoscope.statistics import rates_at
from mitoscope.train.scoring import best_rates, classifier_scores, interval_of, regressor_scores

pytestmark = pytest.mark.train


@given(st.integers(0, 2**32 - 1))
def test_the_measures_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 3, 40).astype(float)
    target[:2] = 0, 1  # both classes occur
    score = np.round(random.random(40), 2)
    scores = classifier_scores(score, target)
    assert scores["auc"] == pytest.approx(roc_auc_score(target == 0, score))
    assert scores["accuracy"] == pytest.approx(np.mean((score > 0.5) == (target == 0)))
    found = score > scores["threshold"]
    assert scores["f1"] == pytest.approx(f1_score(target == 0, found, zero_division=0))


def test_the_best_threshold_is_not_beaten() -> None:
    random = np.random.default_rng(0)
    score, positive = random.random(200), random.random(200) < 0.3
    best = best_rates(score, positive)
    assert (best["f1"] >= rates_at(score, positive, thresholds=np.arange(0.05, 0.98, 0.01)).f1).all()


def test_a_regressor_is_judged_by_values_and_tiles() -> None:
    target = np.array([0.0, 0.2, 0.6, 1.0])
    exact = regressor_scores(target, target)
    assert exact["correlation"] == pytest.approx(1.0)
    assert exact["rmse"] == 0.0
    assert exact["f1"] == 1.0
    shifted = regressor_scores(target / 2 + 0.1, target)
    assert shifted["correlation"] == pytest.approx(1.0)
    assert shifted["rmse"] > 0.1


def test_what_never_varies_has_no_correlation() -> None:
    assert np.isnan(regressor_scores(np.full(4, 0.3), np.array([0.0, 0.2, 0.6, 1.0]))["correlation"])


def test_an_interval_draws_cases_not_windows() -> None:
    score = np.array([0.9, 0.1] * 6)
    target = np.array([0.0, 0.0] * 6)  # of each case one figure is found and one is not
    cases = [str(n // 2) for n in range(12)]
    within = interval_of("recall", score, target, cases, classes=True)
    assert within is not None
    assert within.low == within.high
    alone = interval_of("accuracy", score, target, [str(n) for n in range(12)], classes=True)
    assert alone is not None
    assert alone.low < 0.5 < alone.high
    assert interval_of("accuracy", score, target, ["one"] * 12, classes=True) is None
