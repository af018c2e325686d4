"""``mitoscope detect`` and ``bundle`` with two stages, as a user sees them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from typer.testing import CliRunner

from mitoscope.bundle import Bundle, write_bundle
from mitoscope.cli import app
from mitoscope.errors import ConfigError, MitoscopeError


@pytest.fixture(scope="module")
def tiny(project: Path) -> ModuleType:
    path = project / "tests" / "bundle" / "tiny_detector.py"
    spec = importlib.util.spec_from_file_location("tiny_detector_of_the_cli", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cascade(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    files = ("a.onnx", "b.onnx")
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "cascade",
        description=tiny.tiny_description(verifier=tiny.tiny_verifier(files=files, flips=True)),
        onnx={"detector.onnx": tiny.tiny_onnx(), **{name: tiny.verifier_onnx() for name in files}},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )


@pytest.fixture(scope="module")
def field(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "field.png"
    Image.fromarray(tiny.spotted(160, 200, spots=30, seed=7)).save(path)
    return path


def _detect(field: Path, out: Path, *options: str) -> tuple[int, str]:
    common = [
        "detect",
        str(field),
        "--out",
        str(out),
        "--mpp",
        "0.25",
        "--formats",
        "csv,json",
        "--threads",
        "1",
    ]
    done = CliRunner().invoke(app, [*common, *options])
    if isinstance(done.exception, MitoscopeError):  # that `run` turns into a line and a status
        return done.exception.exit_status, str(done.exception)
    return done.exit_code, done.output


def test_both_stages_and_their_times_are_told(field: Path, cascade: Bundle, tmp_path: Path) -> None:
    model = ["--model", str(cascade.folder)]
    status, text = _detect(field, tmp_path, *model, "--stage", "proposals")
    assert status == 0, text
    assert "verified" not in text
    first = json.loads((tmp_path / "field.json").read_bytes())
    assert (first["search"]["stage"], first["threshold"]["value"]) == ("proposals", 0.4)
    status, text = _detect(field, tmp_path, *model)
    assert status == 0, text
    second = json.loads((tmp_path / "field.json").read_bytes())
    spent = second["timings"]
    assert f"searched in {spent['wall_s']:.1f} s, verified in {spent['verify_wall_s']:.1f} s" in text
    assert second["search"]["stage"] == "verified"
    assert (first["threshold"]["point"], second["threshold"]["point"]["name"]) == (None, "f1")
    assert "; threshold 0.500 (point f1, chosen on spotted fields)" in text
    assert second["search"]["candidates"] == first["search"]["candidates"] > 5
    assert second["detector"]["verifier"]["files"] == ["a.onnx", "b.onnx"]
    assert spent["wall_s"] == first["timings"]["wall_s"], "the search was repeated"


def test_kinds_of_figures_are_told_where_that_is_asked_for(
    field: Path, tiny: ModuleType, tmp_path: Path
) -> None:
    bundle = write_bundle(
        tmp_path / "kinds",
        description=tiny.tiny_description(subtype=tiny.tiny_subtype(threshold=0.4)),
        onnx={"detector.onnx": tiny.tiny_onnx(), "subtype.onnx": tiny.verifier_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    model = ["--model", str(bundle.folder)]
    status, text = _detect(field, tmp_path, *model, "--subtype", "--formats", "csv,json,geojson")
    assert status == 0, text
    rows = [row.split(",")[-1] for row in (tmp_path / "field.csv").read_text().splitlines()[1:]]
    assert set(rows) == {"mitotic figure", "atypical mitotic figure", "mitotic figure candidate"}
    atypical = rows.count("atypical mitotic figure")
    search = json.loads((tmp_path / "field.json").read_bytes())["search"]
    assert search["mitotic_figures"] == atypical + rows.count("mitotic figure")
    assert (search["subtype"]["label"], search["subtype"]["figures"]) == ("atypical mitotic figure", atypical)
    assert f"of these {atypical} atypical mitotic figure" in text
    features = json.loads((tmp_path / "field.geojson").read_bytes())["features"]
    named = [one["properties"]["classification"]["name"] for one in features]
    assert named.count("atypical mitotic figure") == atypical
    status, text = _detect(field, tmp_path / "off", *model)
    assert (status, "atypical" in text) == (0, False)
    assert "atypical" not in (tmp_path / "off" / "field.csv").read_text()
    assert json.loads((tmp_path / "off" / "field.json").read_bytes())["search"]["subtype"] is None
    shown = CliRunner().invoke(app, ["bundle", "show", str(bundle.folder)])
    assert "tells atypical mitotic figures apart, on crops of 16 px at 0.25 µm/px" in shown.output


@pytest.mark.parametrize(
    ("stage", "message"),
    [("verified", "no second stage"), ("both", "--stage: choose proposals or verified, not 'both'")],
)
def test_a_stage_that_there_is_not_is_one_line(field: Path, tmp_path: Path, stage: str, message: str) -> None:
    options = ["--out", str(tmp_path / "out"), "--mpp", "0.25", "--model", "semi-fcn", "--stage", stage]
    done = CliRunner().invoke(app, ["detect", str(field), *options])
    told = done.output or str(done.exception)
    assert done.exit_code != 0
    assert message in told
    assert not (tmp_path / "out").exists()


def test_a_bundle_shows_and_verifies_its_second_stage(cascade: Bundle) -> None:
    shown = CliRunner().invoke(app, ["bundle", "show", str(cascade.folder)])
    assert "mean of 2 classifiers of crops of 16 px at 0.25 µm/px, four mirror images" in shown.output
    done = CliRunner().invoke(app, ["bundle", "verify", str(cascade.folder)])
    points = len(cascade.manifest.self_test.points)
    assert f"all hashes hold, self-test reproduces {points} point" in done.output


def test_a_named_point_stands_in_result_report_and_summary(
    field: Path, tiny: ModuleType, tmp_path: Path
) -> None:
    points = (
        tiny.tiny_point(cases=12, figures=80, interval=(0.45, 0.55)),
        tiny.tiny_point(name="unbiased-count", threshold=0.4, criterion="as many detections as figures"),
    )
    bundle = write_bundle(
        tmp_path / "bundle",
        description=tiny.tiny_description(points=points),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    model = ["--model", str(bundle.folder)]
    status, text = _detect(field, tmp_path / "out", *model, "--point", "unbiased-count", "--formats", "html")
    assert status == 0, text
    assert "; threshold 0.400 (point unbiased-count, chosen on spotted fields)" in text
    stated = json.loads((tmp_path / "out" / "field.json").read_bytes())["threshold"]
    assert (stated["value"], stated["point"]["name"]) == (0.4, "unbiased-count")
    page = (tmp_path / "out" / "field.html").read_text(encoding="utf-8")
    assert "point unbiased-count, as many detections as figures on spotted fields" in page
    unknown = [*model, "--mpp", "0.25", "--point", "f2"]
    done = CliRunner().invoke(app, ["detect", str(field), "--out", str(tmp_path / "none"), *unknown])
    assert isinstance(done.exception, ConfigError)
    assert (done.exception.mend, (tmp_path / "none").exists()) == ("one of: f1, unbiased-count", False)
    shown = CliRunner().invoke(app, ["bundle", "show", str(bundle.folder)]).output
    assert "f1, the default: scores above 0.500 [0.450, 0.550], greatest F1 on spotted fields" in shown
    assert "(12 cases, 80 figures)" in shown


def test_a_bundle_that_tells_no_kinds_apart_is_refused(field: Path, tiny: ModuleType, tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "plain",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    status, text = _detect(field, tmp_path / "out", "--model", str(bundle.folder), "--subtype")
    assert status == 2
    assert "does not distinguish kinds of mitotic figures" in text
    assert not (tmp_path / "out" / "field.csv").exists()
