"""A detector as a verifier: the score of what it finds in the middle of a crop."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

OTHER: Final = "other"
"""What the middle of a crop shows where it does not show what the detector finds."""


def centre_score(graph: bytes, *, crop_px: int, radius_px: float) -> bytes:
    """Turn the graph of a detector into one that scores crops.

    Parameters
    ----------
    graph : bytes
        ONNX, ``uint8 (N, H, W, 3)`` to points ``float32 (N, K, 3)``: x, y in window px, score.
    crop_px : int
        Side of a crop, a multiple of the detector's stride.
    radius_px : float
        What lies further from the middle is another cell.

    Returns
    -------
    bytes
        ONNX, ``uint8 (N, crop_px, crop_px, 3)`` to scores ``float32 (N, 2)``: the highest score within the
        radius, 0 where nothing is found there, and what is left to 1.
    """
    model = onnx.load_model_from_string(graph)
    own = model.graph
    points = own.output[0].name
    constants: dict[str, np.ndarray[Any, Any]] = {
        "centre/place": np.array([[[crop_px / 2, crop_px / 2]]], np.float32),
        "centre/reach": np.array(radius_px**2, np.float32),
        "centre/none": np.array(0, np.float32),
        "centre/one": np.array(1, np.float32),
        "centre/last": np.array([2], np.int64),
        "centre/single": np.array([1], np.int64),
        "centre/start": np.array([0], np.int64),
        "centre/end": np.array([2], np.int64),
        "centre/past": np.array([3], np.int64),
    }
    own.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    node = helper.make_node
    own.node.extend([
        node("Slice", [points, "centre/start", "centre/end", "centre/last"], ["centre/xy"]),
        node("Slice", [points, "centre/end", "centre/past", "centre/last"], ["centre/score"]),
        node("Sub", ["centre/xy", "centre/place"], ["centre/offset"]),
        node("Mul", ["centre/offset", "centre/offset"], ["centre/squares"]),
        node("ReduceSum", ["centre/squares", "centre/last"], ["centre/distance"], keepdims=1),
        node("LessOrEqual", ["centre/distance", "centre/reach"], ["centre/near"]),
        node("Where", ["centre/near", "centre/score", "centre/none"], ["centre/own"]),
        node("TopK", ["centre/own", "centre/single"], ["centre/most", "centre/slot"], axis=1),
        node("Squeeze", ["centre/most", "centre/last"], ["centre/best"]),
        node("Sub", ["centre/one", "centre/best"], ["centre/rest"]),
        node("Concat", ["centre/best", "centre/rest"], ["scores"], axis=1),
    ])  # fmt: skip
    del own.output[:], own.input[:], model.metadata_props[:]
    shape: list[str | int | None] = ["N", crop_px, crop_px, 3]
    own.input.append(helper.make_tensor_value_info("windows", onnx.TensorProto.UINT8, shape))
    own.output.append(helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["N", 2]))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
