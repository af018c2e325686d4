"""A real ONNX detector with a receptive field that a person can check: dark spots, found exactly.

All arithmetic up to the last division is on whole numbers below 2**24, so that float32 is exact and the
same place gives the same score whatever window it is seen in.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mitoscope.bundle import (
    ModelDescription,
    Normalisation,
    OperatingPoint,
    Subtype,
    TrainingSource,
    Verifier,
)

STRIDE_PX = 2
HALO_PX = 5  # 5 × 5 convolution on every second pixel: 2; 3 × 3 maximum on its cells: 2; half a cell: 1
WINDOW_PX = 64
TOP_K = 48
FLOOR = 0.3
CROP_PX = 16


def verifier_weights(gain: float = 1.0, crop: int = CROP_PX) -> NDArray[np.float32]:
    """Return what darkness counts at every pixel of a crop, (1, 3, crop, crop): no two sides alike."""
    rows, columns = np.mgrid[:crop, :crop]
    ramp = (1.0 + rows + 3 * columns)[None, None].repeat(3, axis=1)
    return np.asarray(gain * ramp / (ramp.sum() * 255.0), dtype=np.float32)


def verifier_onnx(*, gain: float = 1.0, poison: bool = False, crop: int = CROP_PX) -> bytes:
    """Build a second stage: the weighted darkness of a crop, and what is left to 1."""
    node = helper.make_node
    floats = {
        "white": [255.0],
        "weights": verifier_weights(gain, crop),
        "one": [1.0],
        "five": [5.0],
        "nought": [0.0],
    }
    bad = [
        node("ReduceMin", ["planes"], ["darkest"], axes=[1, 2, 3], keepdims=0),
        node("Sub", ["darkest", "five"], ["above_five"]),
        node("Sqrt", ["above_five"], ["root"]),
        node("Mul", ["root", "nought"], ["nothing_or_nan"]),
        node("Add", ["sum", "nothing_or_nan"], ["score"]),
    ]
    nodes = [
        node("Cast", ["crops"], ["as_float"], to=TensorProto.FLOAT),
        node("Transpose", ["as_float"], ["planes"], perm=[0, 3, 1, 2]),
        node("Sub", ["white", "planes"], ["dark"]),
        node("Mul", ["dark", "weights"], ["weighed"]),
        node("ReduceSum", ["weighed", "axes"], ["sum"], keepdims=0),
        *(bad if poison else [node("Identity", ["sum"], ["score"])]),
        node("Sub", ["one", "score"], ["rest"]),
        node("Unsqueeze", ["score", "last"], ["score_column"]),
        node("Unsqueeze", ["rest", "last"], ["rest_column"]),
        node("Concat", ["score_column", "rest_column"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "verifier",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", crop, crop, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in floats.items()]
        + [
            numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
            numpy_helper.from_array(np.array([1]), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def tiny_verifier(**changes: object) -> Verifier:
    """Describe the second stage."""
    values: dict[str, object] = {
        "files": ("verifier.onnx",),
        "crop_px": CROP_PX,
        "mpp": 0.25,
        "labels": ("mitotic figure", "look-alike"),
        "proposal_threshold": 0.4,
    }
    return Verifier.model_validate(values | changes)


def tiny_subtype(**changes: object) -> Subtype:
    """Describe what tells kinds of spots apart: a `verifier_onnx` serves as its graph."""
    values: dict[str, object] = {
        "file": "subtype.onnx",
        "crop_px": CROP_PX,
        "mpp": 0.25,
        "labels": ("atypical mitotic figure", "mitotic figure"),
        "threshold": 0.5,
    }
    return Subtype.model_validate(values | changes)


def tiny_onnx(*, poison: bool = False, stretch: float = 1.0, window: int | str = "W") -> bytes:
    """Build the graph; with `poison` a window that has a pixel of red below 5 gives NaN."""
    kernel = np.array([1, 2, 3, 2, 1])[:, None] * np.array([1, 2, 3, 2, 1])[None, :]
    weights = np.broadcast_to(kernel, (1, 3, 5, 5)).astype(np.float32)
    full = float(weights.sum()) * 255.0
    floats: dict[str, list[float] | NDArray[np.float32]] = {
        "white": [255.0],
        "kernel": weights,
        "full": [full / stretch],
        "half": [0.5],
        "five": [5.0],
        "nought": [0.0],
        "one": [1.0],
    }
    wholes = {"flat": [0, -1], "k": [TOP_K], "two": [STRIDE_PX], "last": [2]}
    node = helper.make_node
    nodes = [
        node("Cast", ["windows"], ["as_float"], to=TensorProto.FLOAT),
        node("Transpose", ["as_float"], ["planes"], perm=[0, 3, 1, 2]),
        node("Sub", ["white", "planes"], ["dark"]),
        node("Conv", ["dark", "kernel"], ["sums"], pads=[2, 2, 2, 2], strides=[STRIDE_PX, STRIDE_PX]),
        node("Div", ["sums", "full"], ["unclipped"]),
        node("Min", ["unclipped", "one"], ["map"]),
        node("MaxPool", ["map"], ["pooled"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Equal", ["map", "pooled"], ["is_peak"]),
        node("Where", ["is_peak", "map", "nought"], ["peaks"]),
        node("Reshape", ["peaks", "flat"], ["row"]),
        node("TopK", ["row", "k"], ["score", "place"]),
        node("Shape", ["map"], ["width"], start=3, end=4),
        node("Mod", ["place", "width"], ["column"]),
        node("Div", ["place", "width"], ["line"]),
        *_to_px("column", "x"),
        *_to_px("line", "y"),
        node("Unsqueeze", ["score", "last"], ["score_column"]),
        node("Concat", ["x_column", "y_column", "score_column"], ["clean"], axis=2),
        *_poison(poison),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("windows", TensorProto.UINT8, ["N", window, window, 3])],
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["N", TOP_K, 3])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in floats.items()]
        + [numpy_helper.from_array(np.asarray(value, np.int64), name) for name, value in wholes.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _to_px(name: str, axis: str) -> list[onnx.NodeProto]:
    node = helper.make_node
    return [
        node("Mul", [name, "two"], [f"{axis}_whole"]),
        node("Cast", [f"{axis}_whole"], [f"{axis}_float"], to=TensorProto.FLOAT),
        node("Add", [f"{axis}_float", "half"], [axis]),
        node("Unsqueeze", [axis, "last"], [f"{axis}_column"]),
    ]


def _poison(wanted: bool) -> list[onnx.NodeProto]:
    node = helper.make_node
    if not wanted:
        return [node("Identity", ["clean"], ["points"])]
    return [
        node("ReduceMin", ["planes"], ["darkest"], axes=[1, 2, 3], keepdims=1),
        node("Sub", ["darkest", "five"], ["above_five"]),
        node("Sqrt", ["above_five"], ["root"]),
        node("Mul", ["root", "nought"], ["nothing_or_nan"]),
        node("Squeeze", ["nothing_or_nan", "last"], ["of_each_window"]),
        node("Add", ["clean", "of_each_window"], ["points"]),
    ]


def tiny_point(**changes: object) -> OperatingPoint:
    """Describe the operating point, by default that of greatest F1."""
    values: dict[str, object] = {
        "name": "f1",
        "protocol": "tupac",
        "threshold": 0.5,
        "chosen_on": "spotted fields",
    }
    return OperatingPoint.model_validate(values | changes)


def tiny_description(**changes: object) -> ModelDescription:
    """Describe the tiny detector."""
    values: dict[str, object] = {
        "name": "tiny",
        "version": "1.0.0",
        "architecture": "dark-spots",
        "summary": "Finds dark spots.",
        "licence": "Apache-2.0",
        "mpp": 0.25,
        "mpp_min": 0.1,
        "mpp_max": 0.5,
        "normalisation": Normalisation(
            description="255 - rgb", mean=(255.0, 255.0, 255.0), std=(1.0, 1.0, 1.0)
        ),
        "stride_px": STRIDE_PX,
        "window_px": WINDOW_PX,
        "halo_px": HALO_PX,
        "top_k": TOP_K,
        "nms_radius_um": 1.5,
        "score_floor": FLOOR,
        "points": (tiny_point(),),
        "training": (
            TrainingSource(name="none", licence="Apache-2.0", attribution="none", sha256=("0" * 64,)),
        ),
    }
    return ModelDescription.model_validate(values | changes)


def spotted(height: int, width: int, *, spots: int, seed: int) -> NDArray[np.uint8]:
    """Paint dark spots of several sizes on pink, which is tissue; no pixel is darker than 20."""
    random = np.random.default_rng(seed)
    rgb = random.integers(-10, 10, (height, width, 3)) + np.array([225.0, 180.0, 210.0])
    rows, columns = np.mgrid[:height, :width]
    for x, y, radius, depth in zip(
        random.uniform(0, width, spots),
        random.uniform(0, height, spots),
        random.uniform(1.5, 4, spots),
        random.uniform(60, 180, spots),
        strict=True,
    ):
        top, left = max(int(y) - 16, 0), max(int(x) - 16, 0)
        patch = np.s_[top : top + 32, left : left + 32]
        distance2 = (rows[patch] + 0.5 - y) ** 2 + (columns[patch] + 0.5 - x) ** 2
        rgb[patch] -= depth * np.exp(-distance2 / (2 * radius**2))[..., None]
    painted: NDArray[np.uint8] = np.clip(rgb, 20, 255).astype(np.uint8)
    return painted
