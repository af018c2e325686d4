"""``mitoscope compare``: the real command, on good and on bad input."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from pathlib import Path
from unittest import mock

import pytest

from mitoscope import cli
from mitoscope.evaluate import Scoreboard
from tests.evaluate.made import make
from tests.exchange.tables import write_many


def run(*arguments: object, status: int = 0) -> str:
    """Run the command in this process, border and all; what it printed, or its one line of error."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["mitoscope", "compare", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        cli.run()
    assert int(left.value.code or 0) == status, err.getvalue()
    if not status:
        return out.getvalue()
    (line,) = err.getvalue().strip().splitlines()
    return line


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return the results of two detectors, and the ground truth with cases."""
    folder = tmp_path_factory.mktemp("compare")
    figures = make(6, 10, seed=2)[1]
    for name, better in (("new", 0.2), ("old", 0.0)):
        write_many(folder / f"{name}.csv", make(6, 10, seed=2, better=better)[0])
    rows = [
        (image, *point, "Mitose", f"case {place // 2}")
        for place, (image, points) in enumerate(figures.items())
        for point in points.tolist()
    ]
    with (folder / "truth.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("image", "x", "y", "label", "case"), *rows])
    return folder / "new.csv", folder / "old.csv", folder / "truth.csv"


def test_results_are_not_mixed_with_what_compares_them(sides: tuple[Path, Path, Path]) -> None:
    new, old, truth = sides
    line = run(new.parent, f"old={old}", "--truth", truth, "--out", new.parent, status=2)
    assert "the folder of the results of" in line
    assert not (new.parent / "compare.csv").exists()


def test_the_table_and_the_scoreboard(sides: tuple[Path, Path, Path], tmp_path: Path) -> None:
    new, old, truth = sides
    options = ("--truth", truth, "--out", tmp_path, "--threshold", "new=0.5", "--threshold", "old=0.5")
    text = run(new, old, *options, "--mpp", "0.25")
    assert "6 images of 3 cases, 60 true figures" in text
    assert text.index("1. new: threshold 0.5 (given)") < text.index("2. old")
    assert "new minus old, paired over 3 cases:" in text
    board = Scoreboard.model_validate_json(run(new, old, *options, "--mpp", "0.25", "--json"))
    assert board == Scoreboard.model_validate_json((tmp_path / "compare.json").read_text())
    f1 = board.entries[0].overall.measures["f1"].value
    assert f1 is not None
    assert f"{f1:.3f}" in text
    # One rule with evaluate: the same difference.
    found = json.loads(_evaluate(new, old, truth))["comparison"]
    pair = board.pairs[0].differences
    for name in ("f1", "precision", "recall", "average_precision"):
        assert found[name]["difference"] == pair[name].difference
        assert found[name]["interval_95"] == list(pair[name].interval_95 or ())


def _evaluate(new: Path, old: Path, truth: Path) -> str:
    out = io.StringIO()
    arguments = [
        "--pred",
        new,
        "--compare",
        old,
        "--truth",
        truth,
        "--threshold",
        0.5,
        "--mpp",
        0.25,
        "--json",
    ]
    with (
        mock.patch.object(sys, "argv", ["mitoscope", "evaluate", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        pytest.raises(SystemExit),
    ):
        cli.run()
    return out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--threshold", "new"), "'new' names no detector"),
        (("--threshold", "new=2"), "'2' is not a threshold"),
        (("--missing", "guess"), "choose leave-out, miss or refuse, not 'guess'"),
        (("--rank-by", "accuracy"), "no measure 'accuracy'"),
        (("--calibration", "new=x.csv"), "a calibration set needs ground truth"),
    ],
)
def test_bad_options_are_one_line(
    sides: tuple[Path, Path, Path], tmp_path: Path, arguments: tuple[str, ...], match: str
) -> None:
    new, old, truth = sides
    assert match in run(new, old, "--truth", truth, "--out", tmp_path / "out", *arguments, status=2)
    assert not (tmp_path / "out").exists()
