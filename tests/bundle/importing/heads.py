"""Networks of a known answer: what they give is written in them, so that only its reading can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mitoscope.bundle.importing import Statement, plan_of, read_network, training_source
from mitoscope.bundle.importing.assemble import assemble
from mitoscope.bundle.importing.plausible import Seen, look
from mitoscope.bundle.network import find_points, open_network

SIDE = 64
TYPES = {"float": TensorProto.FLOAT, "half": TensorProto.FLOAT16, "byte": TensorProto.UINT8}


def head(
    answers: Mapping[str, NDArray[Any]],
    *,
    batch: int | str = "N",
    side: int | str = SIDE,
    kind: str = "float",
    axes: str = "nchw",
    opset: int = 18,
    has_batch: bool = True,
) -> bytes:
    """Return a network that gives an answer for every picture; `answers` are those of one, of any type.

    With ``has_batch`` an answer gets an axis of pictures in front. Without it the network gives its answer
    for a white picture and nothing for a black one, as one that lists what it finds.
    """
    picture = [3, side, side] if axes == "nchw" else [side, side, 3]
    nodes = [
        helper.make_node("Cast", ["picture"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Shape", ["floats"], ["shape"]),
        helper.make_node("Slice", ["shape", "nought", "one"], ["count"]),
        helper.make_node("Reshape", ["floats", "flat"], ["row"]),
        helper.make_node("ArgMax", ["row"], ["brightest"], axis=0, keepdims=1),
        helper.make_node("Gather", ["row", "brightest"], ["most"]),
        helper.make_node("Mul", ["most", "many"], ["enough"]),
        helper.make_node("Cast", ["enough"], ["found"], to=TensorProto.INT64),
    ]
    wholes = {"nought": 0, "one": 1, "flat": -1}
    initializers = [numpy_helper.from_array(np.array([value]), name) for name, value in wholes.items()]
    initializers.append(numpy_helper.from_array(np.array([1e6], np.float32), "many"))
    outputs = []
    for name, answer in answers.items():
        own, shape = numpy_helper.from_array(answer, f"{name}/own"), list(answer.shape)
        initializers.append(own)
        if has_batch:
            shape = [batch, *shape]
            rest = numpy_helper.from_array(np.array(answer.shape, np.int64), f"{name}/rest")
            initializers.append(rest)
            nodes += [
                helper.make_node("Concat", ["count", f"{name}/rest"], [f"{name}/shape"], axis=0),
                helper.make_node("Expand", [f"{name}/own", f"{name}/shape"], [name]),
            ]
        else:
            shape[0] = "D"
            nodes.append(helper.make_node("Slice", [f"{name}/own", "nought", "found", "nought"], [name]))
        outputs.append(helper.make_tensor_value_info(name, own.data_type, shape))
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("picture", TYPES[kind], [batch, *picture])],
        outputs,
        initializers,
    )
    return _saved(graph, opset)


def brightness_map(
    *,
    weights: tuple[float, float, float] = (1.0, 0.0, 0.0),
    batch: int | str = "N",
    side: int | str = SIDE,
    kind: str = "float",
    axes: str = "nchw",
    opset: int = 18,
    answer: str = "map",
) -> bytes:
    """Return a network whose map is a weighted sum of the channels of its picture."""
    picture = [3, side, side] if axes == "nchw" else [side, side, 3]
    of_type = {"float": np.float32, "half": np.float16, "byte": np.float32}[kind]
    shape = (1, 3, 1, 1) if axes == "nchw" else (1, 1, 1, 3)
    channel = 1 if axes == "nchw" else 3
    seen = [helper.make_node("Cast", ["picture"], ["seen"], to=TensorProto.FLOAT)] if kind == "byte" else []
    sums = helper.make_node("ReduceSum", ["weighed", "axis"], [answer], keepdims=1)
    graph = helper.make_graph(
        [*seen, helper.make_node("Mul", ["seen" if seen else "picture", "weights"], ["weighed"]), sums],
        "brightness",
        [helper.make_tensor_value_info("picture", TYPES[kind], [batch, *picture])],
        [
            helper.make_tensor_value_info(
                answer,
                TensorProto.FLOAT16 if kind == "half" else TensorProto.FLOAT,
                [batch, 1, side, side] if axes == "nchw" else [batch, side, side, 1],
            )
        ],
        [
            numpy_helper.from_array(np.array(weights, of_type).reshape(shape), "weights"),
            numpy_helper.from_array(np.array([channel]), "axis"),
        ],
    )
    return _saved(graph, opset)


def _saved(graph: onnx.GraphProto, opset: int) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def statement(layout: str, classes: tuple[str, ...] = ("mitotic figure",), **changes: Any) -> Statement:
    """Return a statement that states what must be."""
    values: dict[str, Any] = {
        "layout": layout,
        "mpp": 0.25,
        "classes": classes,
        "licence": "MIT",
        "training": (training_source("fields; CC0-1.0"),),
        "citation": "Somebody 2026",
    }
    return Statement.stating(**(values | changes))


def points_of(
    network: bytes, stated: Statement, windows: NDArray[np.uint8] | None = None
) -> NDArray[np.floating]:
    """Return the points of windows, (n, k, 3), by default of one black one."""
    plan = plan_of(read_network(network, where="network.onnx"), stated)
    session = open_network(assemble(plan), where="network.onnx")
    side = plan.window_px
    return find_points(session, np.zeros((1, side, side, 3), np.uint8) if windows is None else windows)


def used(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the slots of one window, (k, 3), that hold a point; the others must be empty."""
    count = int((points[:, 2] > 0).sum())
    assert (np.diff(points[:, 2]) <= 0).all()
    assert not points[count:].any()
    return points[:count]


def seen_in(network: bytes, stated: Statement, rgb: NDArray[np.uint8] | None = None) -> Seen:
    """Return what a network gives for a picture, black by default."""
    plan = plan_of(read_network(network, where="network.onnx"), stated)
    return look(plan, np.zeros((plan.window_px, plan.window_px, 3), np.uint8) if rgb is None else rgb)
