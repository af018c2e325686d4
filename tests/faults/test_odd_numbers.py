"""Whatever number an option is given: the command ends by itself, with one line where it refuses it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mitoscope.cli.app import app
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

ONE_IN = 9
"""Of all numbers of an option; `python tests/faults/odd_numbers.py FOLDER 1` runs all."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """Run commands with odd numbers in a process of their own."""
    root = tmp_path_factory.mktemp("numbers")
    good = root / "good"
    good.mkdir()
    write_slide(good / "slide.tiff", SyntheticSlideConfig.of(width=512, height=512, seed=1))
    places = [(40 * k, 30 * k, 0.05 * k) for k in range(1, 13)]
    label = ("mitotic figure", "look-alike")
    (good / "truth.csv").write_text(
        "image,x,y,label\n" + "".join(f"slide.tiff,{x},{y},{label[x % 3 > 0]}\n" for x, y, _ in places)
    )
    (good / "other.csv").write_text("image,x,y,label\nslide.tiff,41,30,mitotic figure\n")
    (good / "found.csv").write_text(
        "image,x,y,score\n" + "".join(f"slide.tiff,{500 - x},{y},{score}\n" for x, y, score in places)
    )
    (good / "scores.csv").write_text("cell,score\n1,0.5\n2,0.7\n")
    points = np.random.default_rng(1).uniform(size=(12, 2))
    np.savez(good / "points.npz", cell=np.arange(1, 13), points=points)
    study, found = str(good / "study.mito"), str(good / "found.csv")
    for arguments in (
        ["store", "create", study],
        ["store", "import", study, str(good / "truth.csv"), "--rater", "a"],
        ["curate", "freeze", study, "MEL"],
        ["curate", "candidates", study, "review", "--pred", found, "--bins", "1"],
        ["detect", str(good / "slide.tiff"), "--out", str(good / "results")],
    ):
        app(arguments, standalone_mode=False)
    script = Path(__file__).with_name("odd_numbers.py")
    done = subprocess.run(
        [sys.executable, script, root, str(ONE_IN)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_number_is_taken_or_refused_in_one_line(outcomes: list[dict[str, object]]) -> None:
    assert len(outcomes) > 70
    assert {outcome["status"] for outcome in outcomes} == {0, 2}
    for outcome in outcomes:
        errors = [line for line in str(outcome["stderr"]).splitlines() if line.startswith("error: ")]
        assert len(errors) == (outcome["status"] != 0), outcome
        assert "unexpected" not in str(outcome["stderr"]), outcome
