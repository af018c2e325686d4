"""Bundles in int8: how much smaller, how near to float32, what stays in float32, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from mitoscope.bundle import Bundle, load_bundle, verify_bundle
from mitoscope.bundle.network import find_points, is_int8, open_network, score_windows
from mitoscope.bundle.write import revise
from mitoscope.cli.app import app
from mitoscope.errors import BundleError, TrainingDataError
from mitoscope.labels import ATYPICAL_FIGURE, MITOTIC_FIGURE
from mitoscope.slide.synthetic import write_slide
from mitoscope.train.join import join, with_subtype
from mitoscope.train.quantise import quantise
from tests.loops.lessons import dense

from .untrained import untrained_kinds

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "slide.tiff"
    write_slide(path, dense(1024, seed=4))
    return path


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Two stages in float32: semi-fcn proposes, and looks again."""
    own = load_bundle("semi-fcn")
    return join(own, [own], tmp_path_factory.mktemp("floats") / "two", name="two", floor=0.3, crop_px=96)


@pytest.fixture(scope="module")
def small(slide: Path, floats: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("int8")
    kinds = untrained_kinds(folder / "kinds", ATYPICAL_FIGURE.name, MITOTIC_FIGURE.name)
    whole = with_subtype(floats, kinds, folder / "whole")
    return quantise(whole, [slide], folder / "two")


def test_it_is_a_third_as_large_and_states_what_it_is(small: Bundle, floats: Bundle) -> None:
    own, made = floats.manifest, small.manifest
    for name in (own.detector, "verifier.onnx"):
        assert made.files[name].bytes < own.files[name].bytes / 2.5
    assert (own.precision, made.precision) == ("float32", "int8")
    assert (made.points, made.calibration) == (own.points, own.calibration)
    assert made.metrics == ()
    assert made.summary.endswith("in int8")
    assert verify_bundle(small) > 0


def test_what_tells_kinds_apart_is_in_int8_too_or_was_so(
    small: Bundle, floats: Bundle, slide: Path, tmp_path: Path
) -> None:
    own = small.manifest.subtype
    assert own is not None
    graph = small.read(own.file)
    assert is_int8(graph)
    assert len(graph) < 15e6, "float32 are 45 MB"
    whole = revise(floats, tmp_path / "whole", {"subtype": own}, subtype=graph)
    again = quantise(whole, [slide], tmp_path / "again")
    assert again.read(own.file) == graph


def test_scores_are_near_those_of_the_floats(slide: Path, small: Bundle, floats: Bundle) -> None:
    rgb = tifffile.imread(slide)[:1024, :1024]
    crops = np.stack([rgb[y : y + 96, x : x + 96] for y in range(0, 900, 96) for x in range(0, 900, 96)])
    before, after = (
        score_windows(open_network(one.read("verifier.onnx"), where="test"), crops)[:, 0]
        for one in (floats, small)
    )
    assert np.corrcoef(before, after)[0, 1] > 0.98
    part = rgb[np.newaxis, :512, :512]
    first, second = (find_points(open_network(one.onnx, where="test"), part)[0] for one in (floats, small))
    best = first[first[:, 2] > 0.6]
    assert len(best) > 3
    apart = np.hypot(*(best[:, None, :2] - second[None, second[:, 2] > 0.4, :2]).transpose(2, 0, 1)).min(
        axis=1
    )
    assert (apart < 2).mean() > 0.9  # coordinates are no bytes


def test_floats_compute_what_the_bytes_say(small: Bundle) -> None:
    crops = np.random.default_rng(1).integers(60, 255, (4, 96, 96, 3), dtype=np.uint8)
    graph = small.read("verifier.onnx")
    bytes_, floats = (
        score_windows(open_network(graph, where="test", as_floats=as_floats), crops)
        for as_floats in (False, True)
    )
    assert bytes_ == pytest.approx(floats, abs=0.02)


def test_the_last_layer_stays_in_float32(small: Bundle) -> None:
    for name in (small.manifest.detector, "verifier.onnx"):
        graph = onnx.load_model_from_string(small.read(name)).graph
        makers = {output: node.op_type for node in graph.node for output in node.output}
        linear = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
        in_bytes = [makers.get(node.input[1]) == "DequantizeLinear" for node in linear]
        assert in_bytes[-1] is False
        assert sum(in_bytes) > 8


def test_pixels_reach_the_first_layer_as_bytes(small: Bundle) -> None:
    graph = onnx.load_model_from_string(small.onnx).graph
    makers = {output: node for node in graph.node for output in node.output}
    stem = next(node for node in graph.node if node.op_type == "Conv")
    pixels = makers[stem.input[0]]
    assert pixels.op_type == "DequantizeLinear"
    assert makers[pixels.input[0]].op_type == "Transpose"
    constant = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    scale, zero = (float(constant[name]) for name in pixels.input[1:])
    assert (scale, zero) == pytest.approx((1 / 50, 180))  # (x - 180) / 50, as the manifest says
    assert not [node for node in graph.node if node.op_type == "Cast" and node.input[0] == "windows"]


def test_log_odds_stay_in_float32(small: Bundle) -> None:
    graph = onnx.load_model_from_string(small.onnx).graph
    makers = {output: node.op_type for node in graph.node for output in node.output}
    (score,) = (node for node in graph.node if node.op_type == "Sigmoid")
    assert makers[score.input[0]] != "DequantizeLinear"


def test_what_does_not_fit_is_refused(slide: Path, small: Bundle, floats: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="in int8 already"):
        quantise(small, [slide], tmp_path / "out")
    glass = tmp_path / "glass.png"
    Image.fromarray(np.full((256, 256, 3), 244, np.uint8)).save(glass)
    with pytest.raises(TrainingDataError, match="finds no candidates"):
        quantise(floats, [glass], tmp_path / "out", stated_mpp=0.25)
    assert not (tmp_path / "out").exists()


def test_the_command_says_how_much_smaller_it_is(slide: Path, floats: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["bundle", "quantise", str(floats.folder), str(slide), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "in int8 written to" in done.output
    shown = CliRunner().invoke(app, ["bundle", "show", str(out)])
    assert "int8" in shown.output
