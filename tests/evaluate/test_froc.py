from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import ConfigError
from mitoscope.evaluate import PROTOCOLS, Steps, free_response, froc, midog_froc_auc
from mitoscope.evaluate.curves import draw_recall_at_rates
from tests.evaluate.made import make, swept

# Two images, four figures: a hit, a false one, two hits, three false ones.
STEPS = Steps(
    np.array([0.9, 0.8, 0.6, 0.6, 0.3, 0.3, 0.2]),
    np.array([1, 0, 1, 1, 0, 0, 0]),
    np.array([0, 1, 0, 0, 1, 1, 1]),
    4,
)


def test_recall_over_false_positives_per_image() -> None:
    curve = froc(STEPS, images=2)
    assert curve.false_rate.tolist() == [0, 0.5, 0.5, 1.5, 2.0]
    assert curve.recall.tolist() == [0.25, 0.25, 0.75, 0.75, 0.75]
    assert curve.recall_at(0.25) == 0.25
    assert curve.recall_at(0.5) == 0.75
    assert curve.mean_recall() == pytest.approx((0.25 + 5 * 0.75) / 6)


def midog_by_hand(images: int) -> float:
    scores = STEPS.score
    rates, recalls = [], []
    for threshold in np.linspace(scores.min(), scores.max(), 40)[::-1].tolist():
        above = scores >= threshold
        rates.append(STEPS.fp[above].sum() / images)
        recalls.append(STEPS.tp[above].sum() / STEPS.figures)
    at = np.linspace(0, 8, 50)
    heights = [float(np.interp(rate, rates, recalls)) for rate in at]
    return float(sum((heights[n] + heights[n + 1]) / 2 * (at[n + 1] - at[n]) for n in range(49)))


@pytest.mark.parametrize("images", [1, 2, 5])
def test_midog_area(images: int) -> None:
    assert midog_froc_auc(STEPS, images=images) == pytest.approx(midog_by_hand(images))


def test_midog_area_is_eight_at_most() -> None:
    perfect = Steps(np.array([0.9]), np.array([3]), np.array([0]), 3)
    assert midog_froc_auc(perfect, images=1) == pytest.approx(8.0)
    assert midog_froc_auc(Steps(np.empty(0), np.empty(0, int), np.empty(0, int), 3), images=1) == 0.0
    assert midog_froc_auc(Steps.none(), images=1) is None


def test_an_image_is_needed() -> None:
    with pytest.raises(ConfigError, match="0 images"):
        froc(STEPS, images=0)
    assert np.isnan(froc(Steps(np.array([0.1]), np.array([0]), np.array([1]), 0), images=1).recall).all()


def test_recall_over_false_positives_per_mm2() -> None:
    curve = free_response(STEPS, area_mm2=0.5)
    assert curve.false_rate.tolist() == [0, 2, 2, 6, 8]
    assert [curve.recall_at(rate) for rate in (1, 2, 5)] == [0.25, 0.75, 0.75]
    with pytest.raises(ConfigError, match="an examined area of 0 mm²"):
        free_response(STEPS, area_mm2=0)


def test_drawn_recall_equals_drawing_one_by_one() -> None:
    steps = list(swept(make(7, 9, seed=4), PROTOCOLS["mitoscope"]).values())
    steps[2] = Steps.none()
    cases = [(one, 0.3 + 0.4 * place) for place, one in enumerate(steps)]
    found = draw_recall_at_rates(cases, rates=(0.0, 1.0, 2.0, 50.0), repeats=40, seed=5)
    generator = np.random.default_rng(5)
    for row, drawn in zip(found, generator.integers(len(cases), size=(40, len(cases))), strict=True):
        pooled = Steps.total(cases[n][0] for n in drawn)
        curve = free_response(pooled, area_mm2=sum(cases[n][1] for n in drawn))
        assert row.tolist() == pytest.approx([curve.recall_at(rate) for rate in (0.0, 1.0, 2.0, 50.0)])


def test_draws_without_a_figure_say_nothing() -> None:
    only_false = Steps(np.array([0.5]), np.array([0]), np.array([1]), 0)
    assert np.isnan(draw_recall_at_rates([(only_false, 1.0), (only_false, 1.0)], repeats=3)).all()
