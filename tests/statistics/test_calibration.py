from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import ConfigError, FormatError
from mitoscope.statistics import calibration_error, reliability


def by_hand(scores: list[float], true: list[bool], bins: int) -> float:
    gap = 0.0
    for n in range(bins):
        low, high = n / bins, (n + 1) / bins
        inside = [k for k, score in enumerate(scores) if low < score <= high or (n == 0 and score == 0)]
        if inside:
            mean = sum(scores[k] for k in inside) / len(inside)
            share = sum(true[k] for k in inside) / len(inside)
            gap += len(inside) / len(scores) * abs(mean - share)
    return gap


def test_equals_the_definition() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(300)
    true = generator.random(300) < scores**2
    found = reliability(scores, true)
    assert found.ece == pytest.approx(by_hand(scores.tolist(), true.tolist(), 10))
    assert found.n.sum() == 300
    assert found.ece is not None
    assert found.ece > 0.1
    assert found.largest_gap is not None
    assert found.largest_gap >= found.ece


def test_equals_scikit_learn() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    generator = np.random.default_rng(1)
    scores = generator.random(500)
    true = generator.random(500) < scores
    share, mean = calibration.calibration_curve(true, scores, n_bins=10)
    found = reliability(scores, true)
    assert found.true_share == pytest.approx(share)
    assert found.mean_score == pytest.approx(mean)


def test_edges_belong_to_the_bin_below() -> None:
    found = reliability([0.0, 0.5, 0.51, 1.0], [False, True, True, True], bins=2)
    assert found.n.tolist() == [2, 2]


def test_empty_bins_and_no_detections() -> None:
    found = reliability([0.95], [True])
    assert np.isnan(found.true_share[:9]).all()
    nothing = reliability([], [])
    assert nothing.ece is None
    assert nothing.largest_gap is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(FormatError, match="outside"):
        reliability([float("nan")], [True])
    with pytest.raises(FormatError, match="1 scores with 2 outcomes"):
        reliability([0.5], [True, False])
    with pytest.raises(ConfigError, match="0 bins"):
        reliability([0.5], [True], bins=0)


def test_the_error_over_cases_is_that_of_all_and_its_interval_draws_cases() -> None:
    generator = np.random.default_rng(2)
    cases = [
        (score, generator.random(len(score)) < score**2)
        for score in (generator.random(40) for _ in range(12))
    ]
    found = calibration_error(cases, repeats=200)
    pooled = [np.concatenate(side) for side in zip(*cases, strict=True)]
    assert found.value == pytest.approx(reliability(*pooled).ece)
    drawn = []
    rng = np.random.default_rng(0)
    for chosen in rng.integers(12, size=(200, 12)).tolist():
        sides = [np.concatenate([cases[n][side] for n in chosen]) for side in (0, 1)]
        drawn.append(reliability(*sides).ece)
    assert [found.low, found.high] == pytest.approx(np.quantile(np.array(drawn, float), [0.025, 0.975]))


def test_one_case_or_none_has_no_interval() -> None:
    alone = calibration_error([(np.array([0.3]), np.array([True]))])
    assert alone.value == pytest.approx(0.7)
    assert np.isnan(alone.low)
    assert calibration_error([(np.empty(0), np.empty(0, np.bool_))]).value == 0
