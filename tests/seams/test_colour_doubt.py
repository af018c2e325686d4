"""A slide whose red and blue are swapped: doubted once, and said by command, report, page and count."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from mitoscope.cli.app import app
from mitoscope.count.slides import count_slides
from mitoscope.errors import ColourError
from mitoscope.slide import open_slide
from mitoscope.tissue import find_tissue
from tests.report.runs import paint_slide
from tests.web.making import open_clinic

DOUBT = "the colours are not those of H&E"
MPP = 0.5


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    painted = paint_slide(folder / "painted.png")
    rgb = np.asarray(Image.open(painted).convert("RGB"))
    painted.unlink()
    path = folder / "swapped.png"
    Image.fromarray(np.ascontiguousarray(rgb[..., ::-1])).save(path, dpi=(25_400 / MPP, 25_400 / MPP))
    return path


@pytest.fixture(scope="module")
def detected(swapped: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("out")
    return out, run("detect", swapped, "--out", out)


def test_the_command_writes_what_it_found_and_refuses_the_count(detected: tuple[Path, Result]) -> None:
    out, done = detected
    assert done.exit_code == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: swapped.png: no count: {DOUBT}: ")
    assert line.endswith("look at the slide; --force counts all the same")
    manifest = json.loads((out / "swapped.json").read_text())
    assert manifest["search"]["colour_doubt"].startswith(DOUBT)
    assert manifest["mitotic_count"]["count"] is None
    assert manifest["mitotic_count"]["refused"].startswith(f"no count: {DOUBT}")
    assert any(note.startswith(DOUBT) for note in manifest["notes"])
    report = (out / "swapped.html").read_text()
    assert "The count is refused." in report
    assert report.count(DOUBT[4:].replace("&", "&amp;")) == 1, "said once"
    assert "counted all the same" not in report


def test_force_counts_and_still_says_it(swapped: Path, tmp_path: Path) -> None:
    done = run("detect", swapped, "--out", tmp_path, "--force", "--formats", "csv,json")
    assert done.exit_code == 0, done.output
    manifest = json.loads((tmp_path / "swapped.json").read_text())
    assert manifest["mitotic_count"]["count"] is not None
    assert any(note.startswith(DOUBT) for note in manifest["notes"])
    # Whoever counts the result anew is told anew.
    assert run("count", tmp_path).exit_code == 2


def test_the_count_of_the_result_is_refused_unless_forced(detected: tuple[Path, Result]) -> None:
    out, _ = detected
    refused = run("count", out)
    assert refused.exit_code == 2
    assert f"no count: {DOUBT}" in refused.stderr
    assert refused.stderr.count("\n") == 1
    forced = run("count", out, "--force")
    assert forced.exit_code == 0
    assert DOUBT[3:] in forced.stdout
    with pytest.raises(ColourError):
        list(count_slides(out))


def test_the_result_without_its_mask_is_refused_too(detected: tuple[Path, Result], tmp_path: Path) -> None:
    out, _ = detected
    for name in ("swapped.csv", "swapped.json"):
        (tmp_path / name).write_bytes((out / name).read_bytes())
    assert run("count", tmp_path).exit_code == 2


def test_a_study_into_which_the_result_goes_keeps_the_doubt(
    detected: tuple[Path, Result], tmp_path: Path
) -> None:
    out, _ = detected
    study = tmp_path / "study.mito"
    assert run("store", "create", study).exit_code == 0
    imported = run("store", "import", study, out)
    assert imported.exit_code == 0, imported.output
    refused = run("count", study)
    assert refused.exit_code == 2
    assert f"no count: {DOUBT}" in refused.stderr
    assert run("count", study, "--force").exit_code == 0


def test_the_page_says_it_beside_the_count(swapped: Path, tmp_path: Path) -> None:
    with open_slide(swapped) as slide:
        assert find_tissue(slide).colour_doubt.startswith(DOUBT)
    clinic = open_clinic(tmp_path, swapped.parent)
    try:
        round_id = clinic.round("case", "case review", clinic.lead)
        shown = clinic.lead.get(f"/api/rounds/{round_id}/slides/{clinic.slide}/case")
        assert shown["problem"] is None
        assert shown["hot_spot"]["note"].startswith(DOUBT.replace("the", "The", 1))
    finally:
        clinic.store.close()
