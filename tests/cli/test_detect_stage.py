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
    assert second["search"]["candidates"] == first["search"]["candidates"] > 5
    assert second["detector"]["verifier"]["files"] == ["a.onnx", "b.onnx"]
    assert spent["wall_s"] == first["timings"]["wall_s"], "the search was repeated"


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
