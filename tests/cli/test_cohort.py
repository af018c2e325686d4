"""The command over several slides: a list, a broken one, the same command again, and one table of all."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from typer.testing import CliRunner

from mitoscope.bundle import Bundle, write_bundle
from mitoscope.cli import app


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    path = Path(__file__).parents[1] / "bundle" / "tiny_detector.py"
    spec = importlib.util.spec_from_file_location("tiny_detector_of_cohorts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "tiny",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )


@pytest.fixture(scope="module")
def slides(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three slides, of which one is no slide, and a list of them."""
    folder = tmp_path_factory.mktemp("slides")
    for name, seed in (("b", 7), ("a", 8)):
        Image.fromarray(tiny.spotted(160, 200, spots=30, seed=seed)).save(folder / f"{name}.png")
    (folder / "text.svs").write_text("not a slide")
    rows = ["slide,case,mpp,site", "b.png,P1,0.25,Graz", "text.svs,P2,,Wien", "a.png,P1,0.25,"]
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder


def run(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(map(str, words)))
    return done.exit_code, done.output


def table(out: Path) -> list[dict[str, str]]:
    with (out / "cohort.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_cohort_is_searched_kept_and_shown(slides: Path, bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words: list[str | Path] = ["detect", "--slides-from", slides / "list.csv", "--out", out]
    words += ["--model", bundle.folder]
    status, text = run(*words, "--formats", "csv,json,html,jpg")
    assert status == 1, text
    assert text.count("error: ") == 1  # tried twice, said once
    assert "3 of 3 slides, searched" in text
    assert "; made before" not in text
    rows = table(out)
    assert [(row["slide"].rsplit("/")[-1], row["status"]) for row in rows] == [
        ("b.png", "counted"), ("text.svs", "failed"), ("a.png", "counted"),
    ]  # fmt: skip
    assert [(row["case"], row["site"]) for row in rows] == [("P1", "Graz"), ("P2", "Wien"), ("P1", "")]
    for row in (rows[0], rows[2]):
        stated = json.loads((out / f"{row['result']}.json").read_text())
        assert row["mitotic_figures"] == str(stated["search"]["mitotic_figures"])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    status, text = run(*words, "--formats", "csv,json,html,jpg")
    assert (status, text.count("; made before")) == (1, 2)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    # Other settings, a lost file and another slide under the name are made, all else is kept.
    (out / "b.html").unlink()
    status, text = run(*words, "--formats", "csv,json,html,jpg")
    assert text.count("; made before") == 1
    assert (out / "b.html").read_bytes() == before["b.html"]
    status, text = run(*words, "--formats", "csv,json,html,jpg", "--threshold", "0.9")
    assert "; made before" not in text
    # A result that was cut short is a row that says so.
    (out / "b.json").write_text((out / "b.json").read_text()[:100])
    assert run("cohort", out)[0] == 0
    assert [(Path(row["slide"]).name, row["status"]) for row in table(out)] == [
        ("a.png", "counted"), ("b", "failed"),
    ]  # fmt: skip
    assert "its manifest is not JSON" in table(out)[1]["error"]


def test_the_table_of_a_folder_loses_no_result_and_is_itself_a_list(
    slides: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(slides, tmp_path / "slides")
    monkeypatch.chdir(tmp_path)
    common: list[str | Path] = ["--out", "out", "--model", bundle.folder, "--formats", "csv,json"]
    assert run("detect", "--slides-from", "slides/list.csv", *common)[0] == 1
    first, _, last = table(tmp_path / "out")
    assert (first["slide"], last["site"]) == ("../slides/b.png", "")
    # From anywhere it is a list again; what it says of slides stays, as does what was found.
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    common[1] = tmp_path / "out"
    status, text = run("detect", "--slides-from", tmp_path / "out" / "cohort.csv", *common)
    assert (status, text.count("; made before")) == (1, 2), text
    assert [row["site"] for row in table(tmp_path / "out")] == ["Graz", "Wien", ""]
    # Other slides into the same folder, and one that is broken now: no row with a result is lost.
    Image.open(slides / "a.png").save(tmp_path / "c.png")
    (tmp_path / "slides" / "a.png").write_text("no picture any more")
    status, text = run("detect", tmp_path / "c.png", tmp_path / "slides/a.png", *common, "--mpp", "0.25")
    assert status == 1, text
    third, broken, kept = table(tmp_path / "out")
    assert [row["status"] for row in (third, broken, kept)] == ["counted"] * 3
    assert "a.png" in broken["error"]
    assert broken["error"].endswith("; the numbers are of an earlier run")
    assert broken["mitotic_count"] == last["mitotic_count"]
    assert {**kept, "slide": ""} == {**first, "slide": ""}
    assert (kept["slide"], kept["site"]) == (str(tmp_path / "out/../slides/b.png"), "Graz")


def test_one_slide_at_a_time_gives_the_same_and_other_commands_take_the_folder(
    slides: Path, bundle: Bundle, tmp_path: Path
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    common: list[str | Path] = ["--model", bundle.folder, "--mpp", "0.25", "--formats", "csv,json,jpg"]
    assert run("detect", slides / "*.png", "--out", together, *common)[0] == 0
    for name in ("a", "b"):
        assert run("detect", slides / f"{name}.png", "--out", alone, *common)[0] == 0
    assert not (alone / "cohort.csv").exists()  # a slide alone is no cohort
    for suffix in (".csv", ".preview.jpg", ".tissue.png"):
        assert (together / f"a{suffix}").read_bytes() == (alone / f"a{suffix}").read_bytes()
    status, text = run("cohort", alone, "--slides-from", slides / "list.csv", "--title", "All")
    assert (status, (alone / "cohort.html").is_file()) == (0, True), text
    assert [row["status"] for row in table(alone)] == ["counted", "failed", "counted"]
    for folder in (together, alone):
        status, text = run("count", folder, "--json")
        assert status == 0, text
        counts = {one["slide"]: one["count"] for one in json.loads(text)}
        named = {Path(row["slide"]).name: row for row in table(folder) if row["status"] == "counted"}
        assert {name: str(count) for name, count in counts.items()} == {
            name: row["mitotic_count"] for name, row in named.items()
        }


def test_a_list_with_two_rows_of_one_name_is_refused_before_all(
    slides: Path, bundle: Bundle, tmp_path: Path
) -> None:
    (slides / "twice.csv").write_text("slide\na.png\nA.tiff\n")
    words = ["detect", "--slides-from", slides / "twice.csv", "--out", tmp_path / "out"]
    done = CliRunner().invoke(app, list(map(str, [*words, "--model", bundle.folder])))
    assert "would write the same results" in str(done.exception)
    assert not (tmp_path / "out").exists()
