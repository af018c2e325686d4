"""A bundle from a run that has not ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.bundle import load_bundle, verify_bundle
from mitoscope.errors import ConfigError, IncompleteRunError, LedgerMismatchError
from mitoscope.train import Recipe, train
from mitoscope.train.recipe import RECIPE_NAME
from mitoscope.train.train import export_run
from mitoscope.train.transfer import WEIGHTS_NAME

pytestmark = pytest.mark.train


def test_the_best_weights_of_a_run_become_a_bundle(tiny_data: Path, tmp_path: Path, recipe: Recipe) -> None:
    both = recipe.calibration.model_copy(update={"dataset": "training-and-validation"})
    recipe = recipe.model_copy(update={"calibration": both})
    of_run = train(recipe, tiny_data, tmp_path / "run")
    (point,) = of_run.manifest.points
    assert point.chosen_on == "all slides of training and validation"
    cases = {metric.dataset.partition(" (")[0]: metric.images for metric in of_run.manifest.metrics}
    assert point.cases == cases[point.chosen_on] > cases["held-out cases of all training sources"]
    bundle = export_run(tmp_path / "run", tmp_path / "exported", data=tiny_data)
    assert bundle.read(WEIGHTS_NAME) == of_run.read(WEIGHTS_NAME)
    assert bundle.manifest.metrics == of_run.manifest.metrics
    assert verify_bundle(load_bundle(tmp_path / "exported")) >= 1
    other = recipe.model_copy(
        update={"calibration": recipe.calibration.model_copy(update={"score_floor": 0.1})}
    )
    other.to_toml(tmp_path / "run" / RECIPE_NAME)
    with pytest.raises(LedgerMismatchError):
        export_run(tmp_path / "run", tmp_path / "again", data=tiny_data)


def test_a_run_without_recipe_or_validation_is_refused(
    tiny_data: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        export_run(tmp_path, tmp_path / "b", data=tiny_data)
    monkeypatch.setattr("mitoscope.train.run.validate", lambda job, state: {"f1": float("nan")})
    with pytest.raises(IncompleteRunError, match="f1 was never defined"):
        train(recipe, tiny_data, tmp_path / "run")
    with pytest.raises(IncompleteRunError, match="not validated yet"):
        export_run(tmp_path / "run", tmp_path / "b", data=tiny_data)
