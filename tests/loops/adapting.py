"""A laboratory whose figures are blue spots, and a detector that takes all dark spots for figures alike."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mitoscope.bundle import Bundle, write_bundle
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

SIDE, SPOTS = 192, 16
"""Of a field in px, and so many spots lie on it, on a grid of 48 px."""


def tiny() -> ModuleType:
    name = "tiny_detector"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "bundle" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def verifier_onnx() -> bytes:
    """Build a classifier of crops by their mean colour, which knows darkness alone."""
    side = tiny().CROP_PX
    node = helper.make_node
    nodes = [
        node("Cast", ["crops"], ["grey"], to=TensorProto.FLOAT),
        node("Transpose", ["grey"], ["planes"], perm=[0, 3, 1, 2]),
        node("GlobalAveragePool", ["planes"], ["pooled"]),
        node("Flatten", ["pooled"], ["mean"]),
        node("Sub", ["mean", "tissue"], ["beside"]),
        node("Div", ["beside", "spread"], ["features"]),
        node("Gemm", ["features", "matrix", "bias"], ["log_odds"]),
        node("Softmax", ["log_odds"], ["scores"], axis=1),
    ]
    values = {
        "tissue": np.array([[205.0, 165.0, 190.0]], np.float32),
        "spread": np.float32(20),
        "matrix": np.array([[-0.4, 0.0], [-0.4, 0.0], [-0.4, 0.0]], np.float32),
        "bias": np.array([-0.2, 0.2], np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "verifier",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", side, side, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def write_detector(folder: Path, *, flips: bool = False) -> Bundle:
    own = tiny()
    return write_bundle(
        folder,
        description=own.tiny_description(name="dark", verifier=own.tiny_verifier(flips=flips)),
        onnx={"detector.onnx": own.tiny_onnx(), "verifier.onnx": verifier_onnx()},
        self_test_rgb=own.spotted(64, 64, spots=4, seed=1),
        files={"MODEL_CARD.md": b"# dark\n"},
    )


def field(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.bool_]]:
    """Return a field, the centres of its dark spots (n, 2), and which are blue."""
    random = np.random.default_rng(seed)
    rgb = random.integers(-8, 8, (SIDE, SIDE, 3)) + np.array([225.0, 180.0, 210.0])
    places = np.stack(np.meshgrid(*[np.arange(24, SIDE, 48)] * 2), axis=-1).reshape(-1, 2)
    points = (places + random.integers(-6, 7, places.shape) + 0.5).astype(np.float64)
    blue = random.random(SPOTS) < 0.4
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    for (x, y), is_blue in zip(points, blue, strict=True):
        distance2 = (rows - y) ** 2 + (columns - x) ** 2
        dark = random.uniform(130, 180)
        tint = np.array([1.0, 1.0, 0.7]) if is_blue else np.array([0.8, 1.0, 1.0])
        rgb -= np.exp(-distance2 / (2 * 3.5**2))[..., None] * dark * tint
    return np.clip(rgb, 0, 255).astype(np.uint8), points, blue


def laboratory(
    folder: Path, *, fields: int = 6, seed: int = 0, by_chance: bool = False
) -> tuple[GroundTruth, dict[str, Path]]:
    """Write fields and return what is true on them; `by_chance` labels say nothing of the colour."""
    slides, files = [], {}
    for number in range(fields):
        rgb, points, figure = field(100 * seed + number)
        if by_chance:
            figure = np.random.default_rng(number).permutation(figure)
        name = f"f{number}.png"
        files[name] = folder / name
        Image.fromarray(rgb).save(files[name])
        slides.append(
            SlideTruth(
                name,
                TrueCells.of(points, np.where(figure, MITOTIC_FIGURE.name, LOOK_ALIKE.name)),
                case=f"case {number}",
                mpp=Mpp.square(0.25),
                stated_examined=ExaminedArea.whole("all of it"),
            )
        )
    return GroundTruth(tuple(slides), source="laboratory"), files
