"""The shipped detector on real pixels that it has never seen, by the commands that a user would type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Run

F1_FLOOR = 0.65
"""Below this the shipped detector is not fit to be shipped."""


@pytest.mark.realdata
def test_the_shipped_detector_reaches_its_floor_on_midesec(
    mitoscope: Run, data: Path, tmp_path: Path
) -> None:
    fields = sorted((data / "midesec" / "images").glob("*.webp"))
    assert len(fields) == 35
    done = mitoscope(
        "detect", *fields, "--mpp", "0.25", "--out", tmp_path / "out", "--formats", "csv", timeout=280
    )
    assert done.returncode == 0, done.stderr
    truth = data / "midesec" / "labels.csv"
    judged = mitoscope(
        "evaluate", "--pred", tmp_path / "out", "--truth", truth, "--protocol", "tupac", "--json"
    )
    assert judged.returncode == 0, judged.stderr
    score = json.loads(judged.stdout)
    assert score["tp"] + score["fn"] == 115
    assert score["f1"] >= F1_FLOOR
    stated = json.loads(mitoscope("bundle", "show", "cascade", "--json").stdout)
    assert score["threshold"] == pytest.approx(stated["points"][0]["threshold"])
    claim = next(m for m in stated["metrics"] if m["name"] == "f1" and "MiDeSeC" in m["dataset"])
    assert score["f1"] == pytest.approx(claim["value"], abs=0.02), "the manifest claims another score"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("cmu-1-small-region.svs", ()), ("tcga-cr-7395-01a-01-ts1.svs", ("--mpp", "0.25"))],
)
def test_real_slides_give_a_report(
    mitoscope: Run, data: Path, tmp_path: Path, name: str, arguments: tuple[str, ...]
) -> None:
    done = mitoscope("detect", data / "slides" / name, *arguments, "--out", tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / name).with_suffix(".json").read_text(encoding="utf-8"))
    assert manifest["search"]["status"] == "complete"
    assert 0.5 < manifest["search"]["tissue_mm2"] < 0.8
    assert (tmp_path / name).with_suffix(".html").stat().st_size > 100_000
    counted = mitoscope("count", (tmp_path / name).with_suffix(".json"), "--json")
    assert json.loads(counted.stdout)["count"] == manifest["mitotic_count"]["count"]


@pytest.mark.realdata
def test_a_slide_without_resolution_names_the_option(mitoscope: Run, data: Path, tmp_path: Path) -> None:
    done = mitoscope("detect", data / "slides" / "tcga-cr-7395-01a-01-ts1.svs", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "--mpp" in done.stderr
    assert not (tmp_path / "out").exists()
