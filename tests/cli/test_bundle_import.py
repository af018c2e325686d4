"""``mitoscope bundle import``, as a user sees it: a network that is known, from ONNX to points of a slide."""

from __future__ import annotations

import csv
from importlib import util
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.utils import Extractor
from PIL import Image
from typer.testing import CliRunner

from mitoscope.bundle import load_bundle, shipped, verify_bundle
from mitoscope.bundle.load import shelf
from mitoscope.cli import app
from mitoscope.errors import ConfigError, MitoscopeError

ORIGIN = ("--licence", "Apache-2.0", "--training-data", "MIDOG++; CC0-1.0", "--citation", "Akram et al. 2018")
AS_TRAINED = ("--pixel-max", "255", "--mean", "180,180,180", "--std", "50,50,50")
STRIDE = 8


def _run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.fixture(scope="module")
def heat_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cut the shipped network out of its graph: a heat map of log-odds, as its authors would publish it."""
    assert "semi-fcn" in shipped()
    model = onnx.load(shelf() / "semi-fcn" / "detector.onnx")
    del model.metadata_props[:]
    planes, log_odds = "/network/Div_output_0", "/Cast_output_0"
    cut = Extractor(onnx.shape_inference.infer_shapes(model)).extract_model([planes], [log_odds])
    cut.graph.input[0].CopyFrom(helper.make_tensor_value_info(planes, TensorProto.FLOAT, ["N", 3, "H", "W"]))
    cut.graph.output[0].CopyFrom(helper.make_tensor_value_info(log_odds, TensorProto.FLOAT, ["N", "h", "w"]))
    del cut.graph.value_info[:]
    path = tmp_path_factory.mktemp("foreign") / "Heat map.onnx"
    onnx.save(cut, path)
    return path


def test_an_imported_network_finds_what_it_finds_at_home(heat_map: Path, tmp_path: Path) -> None:
    options = ("--layout", "heatmap", "--mpp", "0.25", "--classes", "Mitosis", "--window", "256", *AS_TRAINED)
    said = _run("bundle", "import", heat_map, "--out", tmp_path / "b", *options, *ORIGIN, "--floor", "0.3")
    assert "heat-map 1.0.0 written" in said
    assert "finds the figures of the self-test picture" in said
    bundle = load_bundle(tmp_path / "b")
    assert verify_bundle(bundle) > 0
    shown = _run("bundle", "show", tmp_path / "b")
    assert "Heat map.onnx" in shown
    assert "Akram et al. 2018" in shown
    field = tmp_path / "field.png"
    with Image.open(shelf() / "semi-fcn" / "self-test.png") as picture:
        rgb = np.asarray(picture)
    Image.fromarray(np.pad(rgb, [(64, 192), (192, 64), (0, 0)], mode="symmetric")).save(field)
    imported = _found(field, tmp_path / "b", tmp_path / "imported")
    assert len(imported) > 2
    # At home a cell's place is refined below its stride.
    for x, y, score in _found(field, "semi-fcn", tmp_path / "home"):
        near = np.abs(imported - [x, y, score]) <= [STRIDE, STRIDE, 1e-5]
        assert near.all(axis=1).any()


def _found(field: Path, model: str | Path, out: Path) -> np.ndarray:
    _run("detect", field, "--mpp", "0.25", "--model", model, "--out", out, "--formats", "csv,json")
    with (out / "field.csv").open(encoding="utf-8") as stream:
        rows = [(float(row["x"]), float(row["y"]), float(row["score"])) for row in csv.DictReader(stream)]
    return np.array(rows)


def test_what_must_be_stated_is_said_at_once(heat_map: Path, tmp_path: Path) -> None:
    missing = "--layout, --mpp, --classes, --licence, --training-data, --citation"
    with pytest.raises(ConfigError, match=missing):
        _run("bundle", "import", heat_map, "--out", tmp_path / "b")
    stated = ("--mpp", "0.25", "--classes", "mitosis", *ORIGIN)
    for options, what in (
        (("--layout", "yolo"), "no layout 'yolo'"),
        (("--layout", "heatmap", "--mean", "1,2"), "--mean: '1,2' is not 3 numbers"),
        (("--layout", "heatmap", "--channels", "gbr"), "channels"),
        (("--layout", "heatmap"), "--window PX"),
        (("--layout", "detr", "--window", "256"), "which output are the scores"),
    ):
        with pytest.raises(MitoscopeError, match=what):
            _run("bundle", "import", heat_map, "--out", tmp_path / "b", *options, *stated)
    assert not (tmp_path / "b").exists()


def test_the_extra_that_is_missing_is_named(
    heat_map: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"make setup EXTRAS=import"):
        _run("bundle", "import", heat_map, "--out", tmp_path / "b")
