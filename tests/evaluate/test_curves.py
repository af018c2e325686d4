from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.evaluate import PROTOCOLS, Steps, choose_threshold, precision_recall
from tests.evaluate.made import make, swept

POOLED = Steps.total(swept(make(seed=1), PROTOCOLS["mitoscope"]).values())


def test_the_curve_is_the_score_at_its_thresholds() -> None:
    curve = precision_recall(POOLED)
    assert (np.diff(curve.threshold) < 0).all()
    for place, threshold in enumerate(curve.threshold.tolist()):
        score = POOLED.at(threshold)
        assert curve.precision[place] == score.precision
        assert curve.recall[place] == score.recall
        assert curve.f1[place] == score.f1


def test_without_figures_recall_is_undefined() -> None:
    curve = precision_recall(Steps(np.array([0.5]), np.array([0]), np.array([1]), 0))
    assert np.isnan(curve.recall).all()
    assert curve.precision.tolist() == [0.0]
    assert len(precision_recall(Steps.none()).threshold) == 0


def test_the_best_threshold_is_the_best_of_all() -> None:
    best = choose_threshold(POOLED)
    every = [POOLED.at(t).f1 or 0 for t in np.linspace(0, 1, 2001).tolist()]
    assert best.score.f1 == pytest.approx(max(every))
    assert POOLED.at(best.value) == best.score


def test_a_threshold_says_on_what_it_was_chosen() -> None:
    assert choose_threshold(POOLED).describe().startswith("of greatest F1 on the validation set (0.")
    told = choose_threshold(POOLED, chosen_on="test set").describe()
    assert "test set" in told
    assert "optimistic" in told


def test_nothing_to_choose_on() -> None:
    with pytest.raises(FormatError, match="no threshold can be chosen"):
        choose_threshold(Steps.none())


def test_a_validation_threshold_is_no_better_on_the_test_set_than_the_best_there() -> None:
    other = Steps.total(swept(make(seed=9), PROTOCOLS["mitoscope"]).values())
    carried = other.at(choose_threshold(POOLED).value).f1
    best = choose_threshold(other, chosen_on="test set").score.f1
    assert carried is not None
    assert best is not None
    assert carried <= best
