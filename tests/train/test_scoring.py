from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from mitoscope.detections import Detections
from mitoscope.evaluate import PROTOCOLS
from mitoscope.statistics import rates_at
from mitoscope.train.scoring import best_rates, classifier_scores, interval_of, judge, regressor_scores

pytestmark = pytest.mark.train
TUPAC = PROTOCOLS["tupac"]


@given(st.integers(0, 2**32 - 1))
def test_the_measures_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 3, 40).astype(float)
    target[:2] = 0, 1  # both classes occur
    score = np.round(random.random(40), 2)
    scores = classifier_scores(score, target)
    assert scores["auc"] == pytest.approx(roc_auc_score(target == 0, score))
    assert scores["accuracy"] == pytest.approx(np.mean((score > 0.5) == (target == 0)))
    balanced = balanced_accuracy_score(target == 0, score > 0.5)
    assert scores["balanced-accuracy"] == pytest.approx(balanced)
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


def test_the_best_threshold_separates_figures_from_look_alikes() -> None:
    found = [
        Detections.of([[10, 10], [90, 90]], [0.8, 0.4]),
        Detections.of([[50, 50], [200, 200]], [0.7, 0.5]),
    ]
    curve = judge(found, [np.array([[12.0, 10.0]]), np.array([[50.0, 60.0]])], TUPAC)
    best = curve.best()
    assert best.f1 == 1.0
    assert 0.5 <= best.threshold < 0.7
    loose = curve.at(0.1).score
    assert (loose.tp, loose.fp, loose.fn) == (2, 2, 0)
    assert curve.intervals(0.1).precision is not None
    assert curve.average_precision() == 1.0


def test_thresholds_below_the_floor_are_not_chosen() -> None:
    found = [Detections.of([[10, 10], [90, 90]], [0.8, 0.2])]
    curve = judge(found, [np.array([[10.0, 10.0], [90.0, 90.0]])], TUPAC)
    assert curve.best().threshold < 0.2
    assert curve.best(floor=0.4).threshold >= 0.4


def test_no_detection_is_used_twice() -> None:
    truth = [np.array([[12.0, 10.0], [8.0, 10.0]])]
    score = judge([Detections.of([[10, 10]], [0.9])], truth, TUPAC).at(0.5).score
    assert (score.tp, score.fp, score.fn) == (1, 0, 1)


def test_the_protocol_decides() -> None:
    """Two detections of one figure: a false positive under TUPAC's rule, none under that of CMC."""
    found, truth = [Detections.of([[10, 10], [14, 10]], [0.9, 0.8])], [np.array([[12.0, 10.0]])]
    assert judge(found, truth, TUPAC).at(0.5).score.fp == 1
    assert judge(found, truth, PROTOCOLS["cmc"]).at(0.5).score.fp == 0


def test_without_figures_and_detections_f1_is_nought() -> None:
    assert judge([Detections.empty()], [np.empty((0, 2))], TUPAC).best().f1 == 0.0


def test_images_of_one_case_are_drawn_together() -> None:
    good, bad = Detections.of([[10, 10]], [0.9]), Detections.of([[90, 90]], [0.9])
    found, truth = [good, bad] * 4, [np.array([[10.0, 10.0]])] * 8
    alone = judge(found, truth, TUPAC).intervals(0.5).recall
    # Every case has a good and a bad image: whichever cases are drawn, half of the figures are found.
    together = judge(found, truth, TUPAC, cases=["a", "a", "b", "b", "c", "c", "d", "d"])
    within = together.intervals(0.5).recall
    assert alone is not None
    assert within is not None
    assert alone.low < 0.5 < alone.high
    assert within.low == within.high == 0.5
    assert len(together.cases) == 4
