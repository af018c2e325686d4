"""Bad input: what does not fit what was stated is said, in one line, before a bundle is written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from mitoscope.bundle import load, verify, write
from mitoscope.bundle.importing import Statement, import_bundle, plan_of, plausible, read_network
from mitoscope.bundle.importing.plausible import check_boxes, check_scores
from mitoscope.bundle.network import open_network
from mitoscope.errors import BundleDamagedError, BundleError, ConfigError
from tests.bundle.importing.heads import (
    SIDE,
    brightness_map,
    head,
    points_of,
    seen_in,
    statement,
    used,
)

CLASSES = ("look-alike", "mitotic figure")
RGB = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def _map_of(network: bytes, stated: Statement) -> np.ndarray:
    return seen_in(network, stated, RGB).raw_scores.reshape(-1)


@pytest.mark.parametrize("axes", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", ["float", "half", "byte"])
def test_the_network_sees_the_picture_as_its_authors_show_it(axes: str, kind: str) -> None:
    weights = (0.5, 0.25, 0.125)
    stated = statement(
        "heatmap",
        interface={
            "scores": "sigmoid",
            "channels": "bgr",
            "pixel_max": 1,
            "mean": (0.7, 0.5, 0.6),
            "std": (0.2, 0.25, 0.3),
        },
    )
    shown = (RGB / 255.0 - [0.7, 0.5, 0.6]) / [0.2, 0.25, 0.3] if kind != "byte" else RGB.astype(float)
    expected = (shown[..., ::-1] * weights).sum(-1).reshape(-1)
    found = _map_of(brightness_map(weights=weights, axes=axes, kind=kind), stated)
    np.testing.assert_allclose(found, expected, atol=5e-3 if kind == "half" else 1e-4)


def test_a_window_of_another_size_is_resized_and_its_points_are_scaled_back() -> None:
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    rgb[40:48, 8:16] = 255
    stated = statement("heatmap", window_px=SIDE, interface={"scores": "probability", "distance_px": 9})
    found = used(points_of(brightness_map(side=2 * SIDE), stated, rgb[None])[0])
    assert len(found) >= 1
    assert ((found[:, 0] > 8) & (found[:, 0] < 16) & (found[:, 1] > 40) & (found[:, 1] < 48)).all()


# fmt: off
OPENCV = {
    0: [
        229, 233, 232, 211, 205, 179, 78, 122, 180, 132, 178, 197,
        43, 64, 115, 81, 133, 179, 118, 123, 131, 83, 53, 36,
    ],
    1: [
        132, 138, 146, 153, 164, 151, 67, 116, 165, 81, 120, 165,
        108, 110, 133, 158, 188, 198, 148, 131, 127, 130, 77, 22,
    ],
    12: [
        229, 158, 74, 25, 47, 99, 163, 155, 140, 182, 216, 217,
        129, 116, 138, 189, 113, 39, 96, 142, 186, 237, 184, 118,
    ],
}
# fmt: on
"""Rows of the green plane of 16 px a side, by `cv2.resize(rgb, (24, 24))` of OpenCV 5.0.0."""


def test_a_window_is_resized_as_opencv_resizes_bytes() -> None:
    rgb = np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    plain = {"pixel_max": 255, "mean": (0, 0, 0), "std": (1, 1, 1), "distance_px": 9}
    stated = statement("heatmap", window_px=16, interface={"scores": "probability", **plain})
    found = seen_in(brightness_map(side=24, weights=(0, 1, 0)), stated, rgb).raw_scores.reshape(24, 24)
    green = np.rint(found)
    assert {row: green[row].tolist() for row in OPENCV} == OPENCV
    assert green.sum() == 71098


@pytest.mark.parametrize("opset", [11, 13, 17, 19, 21])
def test_opsets_are_brought_to_one_that_runs(opset: int) -> None:
    rows = np.array([[30, 20, 8, 4, 0.9]], np.float32).T
    found = points_of(head({"output0": rows}, opset=opset), statement("yolo8"))
    np.testing.assert_allclose(found[0, 0], [30, 20, 0.9], rtol=1e-6)


def test_an_opset_too_new_is_brought_down_or_refused_in_words() -> None:
    rows = np.array([[30, 20, 8, 4, 0.9]], np.float32).T
    assert read_network(head({"output0": rows}, opset=22), where="n").opset == 21
    with pytest.raises(BundleError, match=r"opset 99 cannot be brought to 21 .*export it with an opset"):
        read_network(head({"output0": rows}, opset=99), where="n")


def test_operators_outside_of_the_standard_are_refused() -> None:
    model = onnx.load_model_from_string(brightness_map())
    model.graph.node[0].domain = "mmdeploy"
    model.opset_import.append(helper.make_opsetid("mmdeploy", 1))
    with pytest.raises(BundleDamagedError, match="operator of the domain 'mmdeploy'"):
        read_network(model.SerializeToString(), where="n")


def test_weights_beside_the_graph_are_taken_in_and_others_are_not(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(brightness_map(weights=(1, 2, 3)))
    path = tmp_path / "n.onnx"
    onnx.save(model, path, save_as_external_data=True, location="n.onnx.data", size_threshold=0)
    taken = read_network(path, where="n")
    assert numpy_helper.to_array(taken.model.graph.initializer[0]).reshape(-1).tolist() == [1, 2, 3]
    moved = onnx.load(path, load_external_data=False)
    for tensor in moved.graph.initializer:
        next(e for e in tensor.external_data if e.key == "location").value = "../secret"
    path.write_bytes(moved.SerializeToString())
    with pytest.raises(BundleError, match="not beside it; save it as one file"):
        read_network(path, where="n")
    # Of two files that together are too large neither is read.
    for at, tensor in enumerate(moved.graph.initializer):
        next(e for e in tensor.external_data if e.key == "location").value = f"{at}.data"
        (tmp_path / f"{at}.data").touch()
        os.truncate(tmp_path / f"{at}.data", 600 << 20)
    path.write_bytes(moved.SerializeToString())
    with pytest.raises(BundleError, match=r"larger than 1024 MiB.*; export it in float16"):
        read_network(path, where="n")


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x80\x02}q\x00."])
def test_what_is_no_onnx_is_said(content: bytes) -> None:
    with pytest.raises(BundleError, match="not an ONNX file"):
        read_network(content, where="n")


def test_another_number_of_classes_is_said() -> None:
    rows = np.zeros((7, 5), np.float32)
    with pytest.raises(BundleError, match=r"output0 .* has 3 classes, 2 are named"):
        points_of(head({"output0": rows}), statement("yolo8", CLASSES))
    with pytest.raises(BundleError, match="has 1 class, 2 are named"):
        points_of(brightness_map(), statement("heatmap", CLASSES))


def test_an_output_in_doubt_is_asked_for() -> None:
    answers = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((2, 4), np.float32)}
    with pytest.raises(
        BundleError, match=r"which output are the scores\? There are: a .*--output scores=NAME"
    ):
        points_of(head(answers), statement("rtdetr", CLASSES))
    stated = statement("rtdetr", ("x", "y", "mitosis"), interface={"outputs": {"scores": "a", "boxes": "b"}})
    assert points_of(head(answers), stated)[0, 0, 2] == 0.5


def test_the_figure_must_be_named() -> None:
    with pytest.raises(
        ConfigError, match=r"which class is the mitotic figure\? There are: a, b; --figure NAME"
    ):
        statement("yolo8", ("a", "b")).named_figures()
    assert statement("yolo8", ("a", "Mitose")).named_figures() == ("Mitose",)


def test_an_origin_must_be_stated() -> None:
    with pytest.raises(ConfigError, match="--licence, --training-data, --citation missing"):
        Statement.stating(
            layout="yolo8", mpp=0.25, classes=("mitosis",), licence="", training=(), citation=None
        )


def test_the_side_of_a_free_window_must_be_stated() -> None:
    with pytest.raises(ConfigError, match="--window PX"):
        plan_of(read_network(brightness_map(side="H"), where="n"), statement("heatmap"))


def test_sizes_that_an_export_leaves_free_are_found_out() -> None:
    """With ``dynamic=True`` a head of YOLO says no size at all, and rows after suppression neither."""
    rows = np.array([[30, 20, 8, 4, 0.1, 0.9], [50, 40, 8, 4, 0.3, 0.2]], np.float32)
    kept = np.array([[26, 18, 34, 22, 0.9, 1], [46, 38, 54, 42, 0.3, 0], [1, 1, 2, 2, 0.2, 0]], np.float32)
    for answer in (rows.T, kept):
        model = onnx.load_model_from_string(head({"output0": answer.copy()}))
        for value in (*model.graph.input, *model.graph.output):
            free = ("N", 3, "H", "W") if value.name == "picture" else ("N", "A", "B")
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, free))
        network, stated = model.SerializeToString(), statement("yolo11", CLASSES, window_px=SIDE)
        np.testing.assert_allclose(used(points_of(network, stated)[0]), [[30, 20, 0.9]], rtol=1e-6)


def test_nodes_in_any_order_are_put_into_one_that_a_loop_runs() -> None:
    model = onnx.load_model_from_string(brightness_map(batch=1, kind="byte"))
    first, *others = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*others, first])
    stated = statement("heatmap", interface={"scores": "probability"})
    assert points_of(model.SerializeToString(), stated, RGB[None]).any()


def _rows(boxes: np.ndarray) -> np.ndarray:
    scores = np.linspace(0.9, 0.2, len(boxes), dtype=np.float32)
    return np.column_stack([boxes, scores, np.zeros(len(boxes))]).astype(np.float32)


@pytest.mark.parametrize(
    ("stated", "boxes", "mend"),
    [
        ({}, np.tile([0.1, 0.1, 0.2, 0.3], (9, 1)), "--box-unit fraction"),
        ({"box_unit": "fraction"}, np.tile([10, 20, 30, 40], (9, 1)), "--box-unit px"),
        ({}, np.tile([40, 40, 8, 8], (9, 1)), "--boxes centre"),
        ({"boxes": "centre"}, np.tile([10, 20, 30, 40], (9, 1)), "--boxes corners"),
    ],
)
def test_boxes_that_are_not_what_was_stated_are_said(
    stated: dict[str, str],
    boxes: np.ndarray,
    mend: str,
) -> None:
    own = statement("yolo10", interface=stated)
    network = head({"output0": _rows(boxes)})
    plan = plan_of(read_network(network, where="n"), own)
    with pytest.raises(BundleError, match=mend):
        check_boxes(seen_in(network, own), plan)


def test_log_odds_stated_as_probabilities_are_said_and_the_other_way_round_doubted() -> None:
    high = brightness_map(weights=(9, -3, 0))
    own = statement("heatmap", interface={"scores": "probability"})
    with pytest.raises(BundleError, match="are not probabilities; for log-odds give --scores sigmoid"):
        check_scores(seen_in(high, own, RGB), plan_of(read_network(high, where="n"), own))
    low, own = brightness_map(), statement("heatmap", interface={"mean": (0.0,) * 3, "std": (1.0,) * 3})
    doubt = check_scores(seen_in(low, own, RGB), plan_of(read_network(low, where="n"), own))
    assert doubt is not None
    assert "--scores probability" in doubt


def test_a_network_that_finds_figures_only_in_other_colours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chromatin is bluer than anything else: what knows it by that is blind the other way round."""
    source = tmp_path / "dark.onnx"
    source.write_bytes(_haematoxylin())
    right = statement(
        "heatmap",
        interface={
            "scores": "sigmoid",
            "pixel_max": 255,
            "distance_px": 15,
            "mean": (0.0,) * 3,
            "std": (1.0,) * 3,
        },
    )
    opened = []

    def counted(graph: bytes, *, where: str) -> InferenceSession:
        opened.append(where)
        return open_network(graph, where=where)

    for module in (plausible, load, write, verify):  # a graph of 500 MB takes seconds to open and to run
        monkeypatch.setattr(module, "open_network", counted)
    done = import_bundle(source, right, tmp_path / "right")
    own = [where for where in opened if "semi-fcn" not in where]
    assert len(own) == 3  # looked at, its self-test made, and both loaded and tested as written
    assert done.bundle.folder == tmp_path / "right"
    assert done.bundle.read("network.onnx")
    assert done.plausibility.is_shown
    wrong = statement("heatmap", interface=dict(right.interface) | {"channels": "bgr"})
    with pytest.raises(
        BundleError, match=r"does not find the figures .*--channels rgb it does .*give --channels rgb"
    ):
        import_bundle(source, wrong, tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()
    import_bundle(source, wrong, tmp_path / "wrong", checked=False)


def _haematoxylin() -> bytes:
    """Return a network for pictures of 128 px whose map is how much less red than blue a place is."""
    kernel = np.zeros((1, 3, 9, 9), np.float32)
    kernel[0, 0], kernel[0, 2] = -1 / 81, 1 / 81
    graph = helper.make_graph(
        [helper.make_node("Conv", ["picture", "kernel", "bias"], ["map"], pads=[4, 4, 4, 4])],
        "haematoxylin",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["N", 3, 128, 128])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", 1, 128, 128])],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.array([-8], np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content
