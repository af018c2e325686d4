from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.errors import ConfigError
from mitoscope.evaluate.mitotic_counts import (
    compare_counts,
    count_error,
    grade_tiers,
    tier_agreement,
    window_counts,
)
from mitoscope.geometry import Aspect, Mpp, SizePx

MPP = Mpp.square(0.5)
SIZE = SizePx(4000, 3000)
WINDOW_MM2 = 0.12  # 800 × 600 px at 0.5 µm/px


def most(points: NDArray[np.float64]) -> int:
    """Try every window that has a point on its left and one on its upper edge."""
    counts = [0]
    for x in points[:, 0].tolist():
        for y in points[:, 1].tolist():
            inside = (points >= [x, y]) & (points < [x + 800, y + 600])
            counts.append(int(inside.all(axis=1).sum()))
    return max(counts)


def test_counts_are_those_of_brute_force() -> None:
    generator = np.random.default_rng(0)
    true, found = (generator.random((60, 2)) * [4000, 3000] for _ in range(2))
    pair = compare_counts(found, true, mpp=MPP, slide_size=SIZE, area_mm2=WINDOW_MM2)
    assert (pair.predicted, pair.true) == (most(found), most(true))
    assert 0 <= pair.true_in_predicted <= pair.true
    assert 0 <= pair.overlap <= 1


def test_the_same_detections_choose_the_same_window() -> None:
    points = np.random.default_rng(1).random((50, 2)) * [4000, 3000]
    pair = compare_counts(points, points, mpp=MPP, slide_size=SIZE, area_mm2=WINDOW_MM2)
    assert pair.predicted == pair.true == pair.true_in_predicted
    assert pair.overlap == 1.0


def test_windows_apart_do_not_overlap() -> None:
    pair = compare_counts(
        np.array([[100.0, 100.0]]),
        np.array([[3900.0, 2900.0]]),
        mpp=MPP,
        slide_size=SIZE,
        area_mm2=WINDOW_MM2,
    )
    assert (pair.predicted, pair.true, pair.true_in_predicted, pair.overlap) == (1, 1, 0, 0.0)


def test_windows_of_a_grid() -> None:
    points = np.array([[0.0, 0.0], [799.0, 599.0], [800.0, 0.0], [3999.0, 2999.0], [5000.0, 10.0]])
    counts = window_counts(points, mpp=MPP, slide_size=SIZE, area_mm2=WINDOW_MM2, aspect=Aspect(4, 3))
    assert counts.shape == (5, 5)
    assert counts[0, :2].tolist() == [2, 1]
    assert counts.sum() == 4
    assert window_counts(points, mpp=MPP, slide_size=SizePx(700, 700), area_mm2=WINDOW_MM2).size == 0


def test_errors_of_counts() -> None:
    found = count_error([3, 10, 0, 2], [1, 10, 4, 0])
    assert (found.n, found.bias, found.mean_absolute, found.without_figures) == (4, 0.0, 2.0, 1)
    assert found.root_mean_square == pytest.approx(np.sqrt(24 / 4))
    assert found.mean_absolute_percentage == pytest.approx(100 * (2 + 0 + 1) / 3)
    assert count_error([], []).mean_absolute is None
    assert count_error([1], [0]).mean_absolute_percentage is None
    with pytest.raises(ConfigError, match="1 predicted and 0 true counts"):
        count_error([1], [])


def test_tiers_begin_at_their_cut_off() -> None:
    assert grade_tiers([0, 9, 10, 19, 20, 99], (10, 20)).tolist() == [0, 0, 1, 1, 2, 2]
    agreement = tier_agreement([9, 10, 25, 20], [10, 10, 20, 5], cut_offs=(10, 20))
    assert agreement.labels == ("< 10", "10–19", "≥ 20")
    assert agreement.counts.tolist() == [[0, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert agreement.accuracy == 0.5
    for cut_offs in ((), (20, 10), (7, 7)):
        with pytest.raises(ConfigError, match="do not rise"):
            tier_agreement([1], [1], cut_offs=cut_offs)
