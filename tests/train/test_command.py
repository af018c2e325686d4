"""The verb train with its options, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from mitoscope.bundle import load_bundle
from mitoscope.cli import app
from mitoscope.errors import ConfigError
from mitoscope.train import Recipe

pytestmark = pytest.mark.train


@pytest.fixture
def file(recipe: Recipe, tmp_path: Path) -> Path:
    """Return the recipe as a file."""
    recipe.to_toml(tmp_path / "tiny.toml")
    return tmp_path / "tiny.toml"


def _train(*arguments: str | Path) -> None:
    done = CliRunner().invoke(app, ["train", *map(str, arguments)], standalone_mode=False)
    if done.exception is not None:
        raise done.exception


def test_a_contact_sheet_is_drawn_and_nothing_is_trained(file: Path, tiny_data: Path, tmp_path: Path) -> None:
    _train(file, "--data", tiny_data, "--out", tmp_path / "run", "--show-samples", tmp_path / "s.png")
    with Image.open(tmp_path / "s.png") as sheet:
        assert min(sheet.size) > 64
        assert len(set(sheet.convert("RGB").resize((64, 64)).get_flattened_data())) > 100
    assert not (tmp_path / "run").exists()


def test_values_are_changed_and_a_run_begins_with_another(
    file: Path, tiny_data: Path, tmp_path: Path
) -> None:
    first = ("--data", tiny_data, "--out", tmp_path / "one", "--set", "phases.0.steps=3")
    _train(file, *first, "--set", "bundle.name=first", "--device", "cpu")
    assert load_bundle(tmp_path / "one" / "bundle").manifest.name == "first"
    _train(file, "--data", tiny_data, "--out", tmp_path / "two", "--from", tmp_path / "one" / "bundle")
    recipe = Recipe.from_toml(tmp_path / "two" / "recipe.toml")
    assert recipe.start_from == str(tmp_path / "one" / "bundle")
    names = [source.name for source in load_bundle(tmp_path / "two" / "bundle").manifest.training]
    assert len(names) == len(set(names)) == 3  # of the same data, named once


def test_a_gpu_that_is_not_there_is_refused(
    file: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no GPU"):
        _train(file, "--data", tiny_data, "--out", tmp_path / "run", "--device", "cuda")
    assert not (tmp_path / "run").exists()


def test_a_change_that_fits_nowhere_is_refused(file: Path, tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.sead"):
        _train(file, "--data", tiny_data, "--out", tmp_path / "run", "--set", "run.sead=3")
