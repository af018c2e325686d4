"""``mitoscope detect`` over several slides: names that are alike, standard input, a plan, JSON, a summary."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mitoscope.cli import run
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "HE.tiff"
    config = SyntheticSlideConfig.of(
        width=640, height=512, seed=3, tissue_fraction=0.8, mitoses_per_mm2=60, hot_spot_mitoses_per_mm2=60
    )
    write_slide(path, config)
    return path


@pytest.fixture
def call(
    field: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Run the command in a folder with two patients, whose slides have one name, and what is no slide."""
    monkeypatch.chdir(tmp_path)
    for patient in ("p1", "p2"):
        (tmp_path / "slides" / patient).mkdir(parents=True)
        shutil.copy(field, tmp_path / "slides" / patient)
    (tmp_path / "bad.tiff").write_text("nothing")

    def ask(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["mitoscope", *words])
        with pytest.raises(SystemExit) as left:
            run()
        shown = capsys.readouterr()
        return int(left.value.code or 0), shown.out, shown.err

    return ask


def test_a_folder_per_patient_with_slides_of_one_name(call: Call) -> None:
    status, said, _ = call("detect", "slides", "-o", "out", "-f", "csv", "-q")
    assert status == 0
    lines = said.splitlines()
    assert sorted(line.partition(":")[0] for line in lines[:2]) == ["p1/HE.tiff", "p2/HE.tiff"]
    assert lines[2].startswith("2 slides: 2 done; results in out, of all: cohort.csv")
    results = sorted(path.as_posix() for path in Path("out").glob("*/*.csv"))
    assert results == ["out/p1/HE.csv", "out/p2/HE.csv"]
    table = Path("out/cohort.csv").read_bytes()
    assert b",p1/HE" in table
    assert b",p2/HE" in table
    assert call("cohort", "out")[0] == 0
    counted = json.loads(call("count", "out", "--json")[1])
    assert [one["slide"] for one in counted] == ["p1/HE.tiff", "p2/HE.tiff"]
    again = call("detect", "slides", "-o", "out", "-f", "csv", "--json")
    assert [one["made_before"] for one in json.loads(again[1])["slides"]] == [True, True]


def test_networks_in_int8_warn_where_the_processor_makes_them_slow(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitoscope.infer.remarks.multiplies_bytes", lambda: False)
    status, _, said = call("detect", "slides/p1", "-o", "out", "-f", "csv", "--roi", "0,0,64,64", "-q")
    assert status == 0
    assert said.startswith("warning: this processor does not multiply bytes")
    notes = json.loads(Path("out/HE.json").read_text(encoding="utf-8"))["notes"]
    assert any(note in said for note in notes)


def test_what_failed_is_said_again_at_the_end_and_in_json(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("slides/p1/HE.tiff\n\nbad.tiff\n"))
    status, said, errors = call("detect", "-", "-o", "out", "--retries", "0", "-q")
    assert status == 1
    assert (
        said.splitlines()[-1]
        == "2 slides: 1 done, 1 failed; reports in out, of all: cohort.csv, cohort.parquet, cohort.html"
    )
    assert errors.splitlines()[-1] == "failed: bad.tiff"
    monkeypatch.setattr("sys.stdin", io.StringIO("slides/p1/HE.tiff\nbad.tiff\n"))
    status, said, _ = call("detect", "-", "-o", "out", "--retries", "0", "--json")
    good, bad = sorted(json.loads(said)["slides"], key=lambda one: str(one["slide"]), reverse=True)
    assert (status, good["status"], good["report"], good["error"]) == (1, "complete", "out/HE.html", None)
    assert (bad["status"], bad["manifest"], bad["error"]["type"]) == ("failed", None, "SlideFormatError")


def test_a_dry_run_says_what_would_be_searched_and_writes_nothing(call: Call, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    status, said, errors = call("detect", "slides", "bad.tiff", "-o", "out", "--dry-run")
    assert status == 1
    assert said.splitlines()[0].startswith("slides/p1/HE.tiff: 0.0")
    assert said.splitlines()[0].endswith("/slides/p1")
    assert said.splitlines()[-1].startswith("would search 2 slides, 0.")
    assert said.splitlines()[-1].endswith("on this machine; nothing was written")
    assert "bad.tiff" in errors
    planned = json.loads(call("detect", "slides/p1/HE.tiff", "-o", "out", "--dry-run", "--json")[1])
    assert planned["tissue_mm2"] > 0
    assert planned["estimated_s"] > 0
    assert sorted(tmp_path.rglob("*")) == before
