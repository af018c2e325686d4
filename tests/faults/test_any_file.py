"""Whatever file a command is given: it ends by itself, with one line of error (promises 21 and 34)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mitoscope.cli.app import app
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

RECIPE = Path(__file__).parents[2] / "recipes" / "semi-fcn.toml"
ONE_IN = 37
"""Of all pairs of command and file; `python tests/faults/hostile.py FOLDER 1` runs all."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """Run commands on hostile files in a process of their own."""
    root = tmp_path_factory.mktemp("hostile")
    good = root / "good"
    good.mkdir()
    write_slide(good / "slide.tiff", SyntheticSlideConfig.of(width=512, height=512, seed=1))
    table = "image,x,y,label\nslide.tiff,100,100,mitotic figure\nslide.tiff,300,200,look-alike\n"
    (good / "truth.csv").write_text(table)
    (good / "recipe.toml").write_bytes(RECIPE.read_bytes())
    study = str(good / "study.mito")
    app(["store", "create", study], standalone_mode=False)
    app(["store", "import", study, str(good / "truth.csv"), "--rater", "a"], standalone_mode=False)
    for name, file in (
        ("coco", "coco.json"),
        ("sliderunner", "runner.sqlite"),
        ("geojson", "qupath.geojson"),
    ):
        out = str(good / file)
        app(["store", "export", study, "--format", name, "--out", out], standalone_mode=False)
    script = Path(__file__).with_name("hostile.py")
    done = subprocess.run(
        [sys.executable, script, root, str(ONE_IN)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_command_ends_with_one_line(outcomes: list[dict[str, object]]) -> None:
    assert len(outcomes) > 100
    assert {0, 2} <= {outcome["status"] for outcome in outcomes}, "some files are read, some refused"
    for outcome in outcomes:
        errors = [line for line in str(outcome["stderr"]).splitlines() if line.startswith("error: ")]
        assert outcome["status"] in (0, 1, 2), outcome
        assert len(errors) == (outcome["status"] != 0), outcome
        assert "unexpected" not in str(outcome["stderr"]), outcome


def test_what_is_refused_stays_as_it_was(outcomes: list[dict[str, object]]) -> None:
    assert not [outcome for outcome in outcomes if outcome["status"] != 0 and outcome["changed"]]
