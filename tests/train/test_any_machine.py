from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.train.recipe import Recipe
from tests.machine import Machine


@pytest.mark.train
def test_a_network_is_trained_without_what_windows_lacks(
    recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, keeps="register_at_fork")  # for torch
    (tmp_path / "out").mkdir()
    recipe.to_toml(machine.out / "tiny.toml")
    machine.run(["train", "tiny.toml", "--data", str(tiny_data), "--out", "run", "--set", "phases.0.steps=3"])
    assert (machine.out / "run" / "bundle").is_dir()
    machine.check()
