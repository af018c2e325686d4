"""The second stage: every candidate of a field gets the score of its crop; changes of a dual recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.data.picture import Picture
from mitoscope.detections import Detections
from mitoscope.train import dual
from mitoscope.train.recipe import DualRecipe, read_recipe

pytestmark = pytest.mark.train

RECIPES = Path(__file__).parents[2] / "recipes"


def test_each_score_is_replaced_by_that_of_the_crop_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = np.zeros((100, 300, 3), np.uint8)
    rgb[:, :100], rgb[:, 100:200], rgb[:, 200:] = 51, 204, 102
    sides = []

    def grey(_session: object, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        sides.append(crops.shape[1:])
        level = crops[:, 16, 16, 0] / 255
        return np.column_stack([1 - level, level])

    monkeypatch.setattr(dual, "score_windows", grey)
    monkeypatch.setattr(dual, "_CROPS", 2)
    found = Detections.of([[50, 50], [150, 50], [250, 50]], [0.9, 0.8, 0.7])
    out = dual.verified(found, Picture("f", "s", "c", rgb), None, crop_px=32, column=1)
    assert out.points_px0[:, 0].tolist() == [150, 250, 50]
    assert out.score.tolist() == pytest.approx([0.8, 0.4, 0.2])
    assert set(sides) == {(32, 32, 3)}


def test_a_change_of_neither_part_belongs_to_both() -> None:
    recipe = read_recipe(
        RECIPES / "cmc-dual.toml", ["run.seed=5", "detector.run.repeats=2", "bundle.name=mine"]
    )
    assert isinstance(recipe, DualRecipe)
    assert [part.run.seed for part in recipe.parts.values()] == [5, 5]
    assert [part.run.repeats for part in recipe.parts.values()] == [2, 1]
    assert recipe.bundle.name == "mine"
    assert recipe.detector.bundle.name == "cmc-retinanet"
