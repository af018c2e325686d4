"""The verb train, by the real command: what it refuses, and a short run that is stopped and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Run

pytestmark = pytest.mark.train

RECIPE = """
[bundle]
name = "short"

[model]
architecture = "fcn-resnet12"
widths = [16, 16, 16]

[data.source]
kind = "annotated-slides"
labels = "labels.csv"
slides = "slides"
slide_mpp = 0.25

[data.split]
every_nth = 2

[data.sampling]
kind = "ccmct"
look_alike = 0.0
window_px = 64
batch = 4

[[phases]]
steps = 2
train = "head"
learning_rate = 1e-3

[[phases]]
steps = 58
learning_rate = 1e-2

[validation]
every = 60

[run]
checkpoint_every = 5
tensorboard = false

[calibration]
score_floor = 0.0
"""


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    """Return a folder with four slides, three figures on each, and the recipe."""
    data = tmp_path / "data"
    (data / "slides").mkdir(parents=True)
    rows, random = ["image,x,y,label"], np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    for slide in range(4):
        rgb = np.clip(random.normal((215, 160, 200), 8, (256, 256, 3)), 0, 255).astype(np.uint8)
        for column in (50, 120, 190):
            rgb[np.hypot(x - column, y - 60 - 40 * slide) < 10] = (50, 20, 90)
            rows.append(f"{slide}.png,{column},{60 + 40 * slide},mitotic figure")
        Image.fromarray(rgb).save(data / "slides" / f"{slide}.png")
    (data / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (data / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return data


def test_a_misspelt_key_of_a_recipe_is_named(mitoscope: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.replace("steps", "stepps"), encoding="utf-8")
    done = mitoscope("train", recipe, "--data", tmp_path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "stepps" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_without_data_is_refused(mitoscope: Run, project: Path, tmp_path: Path) -> None:
    recipe = project / "recipes" / "semi-fcn.toml"
    done = mitoscope("train", recipe, "--data", tmp_path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_stopped_leaves_a_checkpoint_and_goes_on(
    mitoscope: Run, painted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = ["train", str(painted / "recipe.toml"), "--data", str(painted), "--out", str(out)]
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


def test_two_processes_train_one_network_in_bfloat16(mitoscope: Run, painted: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ("run.devices=2", "run.precision=bf16-mixed", "phases.1.steps=18", "validation.every=10")
    changes = [word for setting in settings for word in ("--set", setting)]
    done = mitoscope("train", painted / "recipe.toml", "--data", painted, "--out", out, *changes)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("short 0.1.0 written to") == 1  # one process speaks for both
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == [10, 20]
    assert (out / "bundle" / "manifest.json").is_file()
