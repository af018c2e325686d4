from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import ConfigError
from mitoscope.train import Recipe

pytestmark = pytest.mark.train


def test_the_shipped_recipe_loads(project: Path) -> None:
    recipe = Recipe.from_toml(project / "recipes" / "semi-fcn.toml")
    assert recipe.model.name == "semi-fcn"
    assert recipe.split.held_out


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[optimiser]\nlerning_rate = 0.1\n")
    with pytest.raises(ConfigError, match=r"r\.toml.*optimiser\.lerning_rate"):
        Recipe.from_toml(path)


@pytest.mark.parametrize(
    "text",
    [
        "[batch]\nwindow_px = 100",
        "[batch]\nignore_radius_px = 3",
        "[run]\nprecision = '16'",
        "[optimiser]\nlearning_rate = nan",
        "[calibration]\ndataset = 'other'",
        "[augment]\nscale_min = 2.0",
    ],
)
def test_values_out_of_range_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        Recipe.from_toml(path)


def test_a_recipe_survives_its_file(tmp_path: Path) -> None:
    recipe = Recipe()
    recipe.to_toml(tmp_path / "r.toml")
    assert Recipe.from_toml(tmp_path / "r.toml").fingerprint() == recipe.fingerprint()
