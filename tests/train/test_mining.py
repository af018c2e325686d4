from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.train.detect import false_ones, pool_of
from mitoscope.train.recipe import MiningRecipe

pytestmark = pytest.mark.train

RECIPE = MiningRecipe(floor=0.2, distance_px=30.0)


def _field(*figures: tuple[float, float]) -> Picture:
    return Picture("f", "s", "c", np.zeros((100, 200, 3), np.uint8), np.array(figures).reshape(-1, 2))


def test_a_place_near_a_figure_or_below_the_floor_is_no_hard_negative() -> None:
    points = np.array([[50.0, 50, 0.9], [100, 50, 0.9], [150, 50, 0.1], [79, 50, 0.5], [81, 50, 0.5]])
    kept = false_ones(points, _field((50.0, 50.0)), RECIPE, bare=False)
    assert kept[:, 0].tolist() == [100, 81]


def test_at_the_border_of_a_bare_crop_nothing_is_believed() -> None:
    points = np.array([[3.0, 50, 0.9], [20, 50, 0.9], [195, 50, 0.9], [100, 97, 0.9]])
    assert false_ones(points, _field(), RECIPE, bare=True)[:, 0].tolist() == [20]
    assert len(false_ones(points, _field(), RECIPE, bare=False)) == 4


def test_chances_grow_with_the_score_up_to_a_limit() -> None:
    pool = pool_of([(0, 1.0, 2.0, 0.3), (1, 3.0, 4.0, 0.7), (2, 5.0, 6.0, 0.99)])
    assert pool.weight.sum() == pytest.approx(1)
    assert pool.weight[1] == pytest.approx(pool.weight[2])  # perhaps a figure that nobody labelled
    assert pool.weight[1] == pytest.approx(2 * pool.weight[0])
    assert len(pool_of([])) == 0


def test_of_two_near_false_ones_the_lesser_is_left_out_where_the_recipe_says_so() -> None:
    points = np.array([[10.0, 10.0, 0.6], [40.0, 10.0, 0.9], [200.0, 10.0, 0.7]])
    thinned = RECIPE.model_copy(update={"nms_radius_px": 50.0})
    kept = false_ones(points, _field(), thinned, bare=False)
    assert sorted(kept[:, 0].tolist()) == [40.0, 200.0]
    assert len(false_ones(points, _field(), RECIPE, bare=False)) == 3
