"""Recipes: all that ship load and run for a few steps; what does not fit is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import ConfigError
from mitoscope.train import DualRecipe, Recipe
from mitoscope.train.recipe import read_recipe

pytestmark = pytest.mark.train

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = """
[model]
architecture = "fcn-resnet12"
[data]
source = { kind = "open-data" }
split = {}
sampling = { kind = "semi" }
[[phases]]
steps = 10
learning_rate = 1e-3
"""


@pytest.mark.parametrize(
    "path",
    [*sorted(RECIPES.glob("*.toml")), *sorted(RECIPES.glob("proof/*.toml"))],
    ids=lambda path: path.stem,
)
def test_every_recipe_loads_and_survives_its_file(path: Path, tmp_path: Path) -> None:
    recipe = read_recipe(path)
    assert isinstance(recipe, Recipe | DualRecipe)
    assert recipe.bundle.name != "unnamed"
    recipe.to_toml(tmp_path / "r.toml")
    assert read_recipe(tmp_path / "r.toml").fingerprint() == recipe.fingerprint()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("optimiser.lerning_rate=0.1", "lerning_rate"),
        ("model.widths=[4, 4, 4]", "widths"),
        ("run.precision='16'", "precision"),
        ("phases.0.learning_rate=nan", "learning_rate"),
        ("calibration.dataset='other'", "dataset"),
        ("augment.scale_min=2.0", "augment"),
        ("data.sampling.ignore_radius_px=3", "sampling"),
        ("data.sampling.kind='unheard of'", "sampling"),
        ("validation.protocol='mine'", "validation"),
        ("data.sampling={kind='crops'}", "fcn-resnet12 learns from semi or .*, not from crops"),
        ("data.sampling={kind='ccmct', window_px=100}", "no multiple of 8"),
        ("model={architecture='regressor', patch_px=128}", "regressor learns from crowd, not from semi"),
        ("model={architecture='retinanet-resnet18', patch_px=256}", "not model.patch_px"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: str, named: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(SMALL)
    assert isinstance(read_recipe(path), Recipe)
    with pytest.raises(ConfigError, match=named):
        read_recipe(path, [change])
