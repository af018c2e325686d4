"""The recipes as published: whole, and their steps are the epochs that the papers print."""

from __future__ import annotations

import math
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from mitoscope.data.picture import Picture
from mitoscope.data.sampling import CrowdConfig
from mitoscope.data.target import Batch
from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.experiments.shelf import FOLDER, recipes_folder
from mitoscope.experiments.trained.trained import read_declared
from mitoscope.models.build import build
from mitoscope.models.config import RegressorConfig
from mitoscope.models.pretrained import fetching
from mitoscope.train import Recipe
from mitoscope.train.job import setup, with_statistics
from mitoscope.train.recipe import read_recipe
from mitoscope.train.repeats import Member

pytestmark = pytest.mark.train

PAPERS = sorted((recipes_folder() / "papers").glob("*.toml"))
EVENTS = 42_203
"""Crowd, Table 2."""


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_recipe_of_a_paper_is_whole(path: Path) -> None:
    recipe = read_recipe(path)
    parts = [recipe] if isinstance(recipe, Recipe) else list(recipe.parts.values())
    assert all(part.steps > 1000 for part in parts)
    assert all(part.phases[0].steps % part.validation.every == 0 or path.stem == "semi-fcn" for part in parts)


def test_crowd_networks_see_their_events_as_often_as_published() -> None:
    sampled = set()
    for experiment in read_declared(recipes_folder() / FOLDER):
        for arm in experiment.declaration.arms if experiment.paper == "Crowd" else ():
            recipe = read_recipe(recipes_folder() / arm.recipe, arm.changes)
            assert isinstance(recipe, Recipe)
            sampling, (phase,) = recipe.data.sampling, recipe.phases
            assert isinstance(sampling, CrowdConfig)
            epochs = 30 if recipe.architecture == "faster-rcnn-resnet50" else 60
            own = (sampling.events or EVENTS) * (1 + sampling.negatives)
            assert sampling.epoch == pytest.approx(own, abs=1)
            assert phase.steps == epochs * math.ceil(sampling.epoch / sampling.batch)
            assert recipe.validation.every == math.ceil(sampling.epoch / sampling.batch)
            assert phase.rates_at(phase.steps - 1, 3)[-1] == pytest.approx(5e-3 / 10 ** len(phase.drops))
            sampled.add((sampling.events, round(sampling.negatives, 2)))
    assert {(0, 4.0), (0, 10.0), (1000, 0.0), (20000, 0.0)} <= sampled


def test_weights_that_cannot_be_fetched_are_one_line() -> None:
    told = r"cannot be fetched \(.*no route.*\); go online once"
    with pytest.raises(ConfigError, match=told), fetching():
        raise URLError("no route to host")


def test_a_threshold_on_a_set_that_is_not_there_is_refused_before_the_first_step(tmp_path: Path) -> None:
    recipe = read_recipe(recipes_folder() / "semi-fcn.toml")
    assert isinstance(recipe, Recipe)
    with pytest.raises(
        TrainingDataError, match=r"MiDeSeC, which is not there; .*calibration.dataset=validation"
    ):
        setup(recipe, [], tmp_path, out=tmp_path / "run", member=Member("", 0, None))


def test_the_cost_of_an_experiment_is_that_of_its_networks() -> None:
    known = {one.name: one for one in read_declared(recipes_folder() / FOLDER)}
    four, five = (known[f"midogpp-table{number}"].cost(recipes_folder()) for number in (4, 5))
    assert four == five
    assert (four.networks, four.steps) == (8 * 5, 8 * 5 * 16_800)
    assert four.hours == pytest.approx(8 * 5 * 16_800 * 12 * 62.4 / 20e3 / 3600)
    assert four.cpu_hours == pytest.approx(8 * 5 * 16_800 * 12 * 0.820 / 3600)
    dual = known["cmc-table3"].cost(recipes_folder())
    assert (dual.networks, dual.steps) == (3 * 5 * 2, 3 * 5 * (31_875 + 33_000))
    # All rows of Table 4 of CMC test the networks of the first; those of the last are fine-tuned.
    assert known["cmc-table4"].cost(recipes_folder()).networks == 2 * 5 * 2
    assert 1 < four.memory_gb > known["cmc-table2"].cost(recipes_folder()).memory_gb


def test_the_tissue_that_is_learnt_from_normalises_a_network_that_asks_for_it() -> None:
    recipe = read_recipe(recipes_folder() / "papers" / "midogpp-retinanet.toml", ("model.weights=random",))
    assert isinstance(recipe, Recipe)
    random = np.random.default_rng(0)
    fields = [
        Picture(
            name, "own", name, random.normal((180, 120, 160), 20, (256, 256, 3)).clip(0, 255).astype(np.uint8)
        )
        for name in ("a", "b")
    ]
    model = with_statistics(recipe, fields).model
    assert model.mean == pytest.approx((180, 120, 160), abs=2)  # type: ignore[union-attr]
    assert model.deviation == pytest.approx((20, 20, 20), abs=2)  # type: ignore[union-attr]
    network = build(model, seed=0)
    assert network.normalise.mean.flatten().tolist() == pytest.approx(model.mean)  # type: ignore[operator, union-attr]


def test_a_linear_regressor_learns_scores_above_one_and_gives_none() -> None:
    config = RegressorConfig(architecture="regressor", backbone="resnet18", patch_px=32, output="linear")
    network = build(config, seed=0).eval()
    with torch.no_grad():
        network.network.get_classifier().bias.fill_(3.0)  # type: ignore[operator, union-attr]
    windows = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    assert network.exportable()(windows).max().item() <= 1.0
    none: tuple[torch.Tensor, ...] = ()
    batch = Batch(windows, none, none, none, torch.full((2,), 3.0), None)
    raw = network.log_odds(windows)[:, 0]  # type: ignore[operator]
    assert network.loss(batch).item() == pytest.approx(((raw - 3) ** 2).mean().item())
