"""Some bytes of a study or a SlideRunner file are others: commands read it or refuse it in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mitoscope.cli.app import app
from mitoscope.store import Source, Store
from tests.store.making import scattered_study

TRIALS = 60
"""Of each file; `python tests/faults/bent_bytes.py FOLDER 300 all` takes longer."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """Run commands on bent files in a process of their own."""
    root = tmp_path_factory.mktemp("bent")
    good = root / "good"
    good.mkdir()
    with Store.create(good / "study.mito") as store:
        store.import_study(scattered_study(400), source=Source("made.json"))
        store.freeze("MEL")
    (good / "truth.csv").write_text("image,x,y,label\nslide 0.svs,100,100,mitotic figure\n")
    (good / "found.csv").write_text("image,x,y,score\nslide 0.svs,100,100,0.9\n")
    out = str(good / "runner.sqlite")
    export = ["store", "export", str(good / "study.mito"), "--format", "sliderunner", "--out", out]
    app(export, standalone_mode=False)
    script = Path(__file__).with_name("bent_bytes.py")
    done = subprocess.run(
        [sys.executable, script, root, str(TRIALS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_bent_is_read_or_refused_in_one_line(outcomes: list[dict[str, object]]) -> None:
    assert len(outcomes) == 2 * TRIALS
    assert {0, 2} <= {outcome["status"] for outcome in outcomes} <= {0, 1, 2}
    for outcome in outcomes:
        errors = [line for line in str(outcome["stderr"]).splitlines() if line.startswith("error: ")]
        assert len(errors) == (outcome["status"] != 0), outcome
        assert "unexpected" not in str(outcome["stderr"]), outcome
