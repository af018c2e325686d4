from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.evaluate.tile_level import TileGrid, judge_tiles
from mitoscope.geometry import SizePx

GRID = TileGrid(SizePx(1000, 600), side_px=250)


def test_points_fall_into_half_open_tiles() -> None:
    held = GRID.holding(np.array([[0.0, 0.0], [250.0, 249.9], [999.0, 599.0]]))
    assert held.shape == (3, 4)
    assert np.argwhere(held).tolist() == [[0, 0], [0, 1], [2, 3]]


def test_boxes_touch_all_tiles_that_they_overlap() -> None:
    touched = GRID.touching(np.array([[240.0, 0.0, 260.0, 10.0], [500.0, 250.0, 750.0, 500.0]]))
    assert np.argwhere(touched).tolist() == [[0, 0], [0, 1], [1, 2]]
    assert GRID.touching(np.array([[-20.0, -20.0, 5.0, 5.0]])).sum() == 1


def test_the_score_of_a_tile_is_its_highest() -> None:
    scores = GRID.highest(np.array([[10.0, 10.0], [20.0, 20.0], [600.0, 10.0]]), np.array([0.2, 0.7, 0.4]))
    assert scores[0].tolist() == [0.7, 0.0, 0.4, 0.0]


def test_rates_equal_counting_tile_by_tile() -> None:
    generator = np.random.default_rng(0)
    scores, truth = np.round(generator.random((40, 50)), 1), generator.random((40, 50)) < 0.1
    thresholds = [0.0, 0.3, 0.5, 1.0]
    rates = judge_tiles(scores, truth, thresholds=thresholds)
    for place, threshold in enumerate(thresholds):
        said = scores > threshold
        assert rates.true_positive_rate[place] == (said & truth).sum() / truth.sum()
        assert rates.false_positive_rate[place] == (said & ~truth).sum() / (~truth).sum()
        if said.any():
            assert rates.precision[place] == (said & truth).sum() / said.sum()
    assert np.isnan(rates.precision[-1])


def test_rates_add_up() -> None:
    generator = np.random.default_rng(1)
    scores, truth = generator.random(100), generator.random(100) < 0.3
    cut = np.linspace(0, 1, 11)
    total = judge_tiles(scores[:40], truth[:40], thresholds=cut) + judge_tiles(
        scores[40:], truth[40:], thresholds=cut
    )
    whole = judge_tiles(scores, truth, thresholds=cut)
    assert total.tp.tolist() == whole.tp.tolist()
    assert total.tn.tolist() == whole.tn.tolist()
    with pytest.raises(FormatError, match="different thresholds"):
        _ = total + judge_tiles(scores, truth, thresholds=[0.5])


def test_bad_input_is_refused() -> None:
    with pytest.raises(FormatError, match="beside the image"):
        GRID.holding(np.array([[1000.0, 10.0]]))
    with pytest.raises(FormatError, match="outcomes of"):
        judge_tiles([0.5], [True, False], thresholds=[0.5])
    with pytest.raises(NonFiniteError):
        judge_tiles([float("inf")], [True], thresholds=[0.5])
