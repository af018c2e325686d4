"""The verb train, by the real command: what it refuses, and a short run that is stopped and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Run

pytestmark = pytest.mark.train

SHORT = """
[bundle]
name = "short"

[model]
architecture = "fcn-resnet12"
widths = [16, 16, 16]

[data.source]
kind = "open-data"

[data.split]
held_out = ["BreCaHAD/Case_10"]
every_nth = 50

[data.sampling]
kind = "semi"
foreground = 2
bg_hard = 1
bg_random = 1

[[phases]]
steps = 60
learning_rate = 1e-3

[validation]
every = 60

[run]
checkpoint_every = 5
tensorboard = false
"""


def test_a_misspelt_key_of_a_recipe_is_named(mitoscope: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(SHORT.replace("steps", "stepps"), encoding="utf-8")
    done = mitoscope("train", recipe, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "stepps" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_without_data_is_refused(mitoscope: Run, project: Path, tmp_path: Path) -> None:
    recipe = project / "recipes" / "semi-fcn.toml"
    done = mitoscope("train", recipe, "--data", tmp_path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.realdata
def test_a_run_that_is_stopped_leaves_a_checkpoint_and_goes_on(
    mitoscope: Run, data: Path, tmp_path: Path
) -> None:
    recipe, out = tmp_path / "recipe.toml", tmp_path / "run"
    recipe.write_text(SHORT, encoding="utf-8")
    arguments = ["train", str(recipe), "--data", str(data), "--out", str(out)]
    child = subprocess.Popen(
        [sys.executable, "-m", "mitoscope", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 120
    while not (out / "checkpoint.npz").exists() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 1, stderr
    assert "--resume" in stderr
    refused = mitoscope(*arguments)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    again = mitoscope(*arguments, "--resume", timeout=250)
    # So short a run may find nothing yet; then it says so, and its weights are kept.
    assert again.returncode == 0 or "train longer" in again.stderr, again.stderr
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == [60]
