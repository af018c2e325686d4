from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import ConfigError
from mitoscope.evaluate import Steps, froc, midog_froc_auc

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
