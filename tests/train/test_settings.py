from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import ConfigError
from mitoscope.train.recipe import DualRecipe, Recipe, read_recipe
from mitoscope.train.settings import for_own_data, of_steps, overlaid, read_settings, with_change

pytestmark = pytest.mark.train

RECIPES = Path(__file__).parents[2] / "recipes"


def test_a_recipe_takes_from_its_base_what_it_does_not_state(tmp_path: Path) -> None:
    (tmp_path / "below.toml").write_text('[a]\nx = 1\ny = 2\n[b]\nkind = "one"\nz = 3\n')
    (tmp_path / "above.toml").write_text('base = "below.toml"\n[a]\ny = 5\n[b]\nkind = "two"\n')
    assert read_settings(tmp_path / "above.toml") == {"a": {"x": 1, "y": 5}, "b": {"kind": "two"}}


def test_a_part_may_have_a_base(tmp_path: Path) -> None:
    (tmp_path / "part.toml").write_text("x = 1\n")
    (tmp_path / "whole.toml").write_text('[detector]\nbase = "part.toml"\ny = 2\n')
    assert read_settings(tmp_path / "whole.toml") == {"detector": {"x": 1, "y": 2}}


def test_a_recipe_of_published_data_runs_on_those_of_a_user() -> None:
    shipped = read_settings(RECIPES / "semi-fcn.toml")
    own = for_own_data(shipped)
    assert own == [
        "data.split.held_out=[]",
        "calibration.dataset=validation",
        "bundle.name=semi-fcn-own",
    ]
    recipe = read_recipe(RECIPES / "semi-fcn.toml", [*own, *of_steps(shipped, 40)])
    assert isinstance(recipe, Recipe)
    assert (recipe.steps, recipe.validation.every, recipe.data.split.every_nth) == (40, 40, 9)
    assert for_own_data(read_settings(RECIPES / "papers" / "cmc-dual.toml")) == []
    published = read_settings(RECIPES / "papers" / "ccmct-dual.toml")
    dual = read_recipe(RECIPES / "papers" / "ccmct-dual.toml", of_steps(published, 100))
    assert isinstance(dual, DualRecipe)
    assert [phase.steps for phase in dual.detector.phases] == [1, 33, 66]
    assert dual.verifier.steps == 100


def test_bases_in_a_circle_and_missing_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('base = "b.toml"\n')
    (tmp_path / "b.toml").write_text('base = "a.toml"\n')
    with pytest.raises(ConfigError, match="circle"):
        read_settings(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text('base = "c.toml"\n')
    with pytest.raises(ConfigError, match=r"c\.toml: no such file"):
        read_settings(tmp_path / "a.toml")


def test_changes_reach_into_tables_and_lists() -> None:
    values = {"run": {"seed": 1}, "phases": [{"steps": 5}, {"steps": 6}]}
    assert with_change(values, "run.seed=3") == {"run": {"seed": 3}, "phases": values["phases"]}
    assert with_change(values, "phases.1.steps = 9")["phases"] == [{"steps": 5}, {"steps": 9}]
    assert with_change({}, "a.b=word") == {"a": {"b": "word"}}
    assert with_change({}, "a=[1, 2]") == {"a": [1, 2]}
    assert values == {"run": {"seed": 1}, "phases": [{"steps": 5}, {"steps": 6}]}


@pytest.mark.parametrize("change", ["run.seed", "=3", "phases.7.steps=1", "phases.x=1", "run.seed.deep=1"])
def test_a_change_without_a_place_is_refused(change: str) -> None:
    with pytest.raises(ConfigError):
        with_change({"run": {"seed": 1}, "phases": [{"steps": 5}]}, change)


def test_a_table_of_another_kind_replaces_the_whole() -> None:
    below = {"kind": "one", "x": 1}
    assert overlaid(below, {"x": 2}) == {"kind": "one", "x": 2}
    assert overlaid(below, {"kind": "two"}) == {"kind": "two"}
