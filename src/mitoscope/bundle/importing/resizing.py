"""Windows at another size, byte for byte as OpenCV resizes pictures: what YOLO's letterbox does to a square.

OpenCV interpolates bytes in whole numbers, with weights of 11 bits and two roundings down on the way
(``resize.cpp``, ``INTER_LINEAR``). One grey level more or less at every eighth pixel, which a resize in
floating point gives, moves what a network finds.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mitoscope.bundle.importing.layouts.layout import Operators, Value

_INT32: Final = 6
_BITS: Final = 11


def resized(op: Operators, windows: Value, *, side_px: int, to_px: int) -> Value:
    """Return windows ``uint8 (N, side, side, 3)`` at another size, as whole numbers of type int32."""

    def constant(values: NDArray[np.integer], axis: int) -> Value:
        shape = [1, 1, 1, 1]
        shape[axis] = len(values)
        return op.Constant(value=ir.tensor(values.astype(np.int32).reshape(shape)))

    def mixed(planes: Value, axis: int) -> tuple[Value, Value]:
        places, weights = _neighbours(side_px, to_px, is_row=axis == 1)
        first, second = (
            op.Mul(op.Gather(planes, op.Constant(value=ir.tensor(at)), axis=axis), constant(weight, axis))
            for at, weight in zip(places, weights, strict=True)
        )
        return first, second

    def whole(number: int) -> Value:
        return op.Constant(value=ir.tensor(np.array(number, np.int32)))

    across = op.Div(op.Add(*mixed(op.Cast(windows, to=_INT32), 2)), whole(16))
    above, below = (op.Div(part, whole(1 << 16)) for part in mixed(across, 1))
    return op.Div(op.Add(op.Add(above, below), whole(2)), whole(4))


def _neighbours(
    side_px: int, to_px: int, *, is_row: bool
) -> tuple[tuple[NDArray[np.int64], ...], tuple[NDArray[np.int64], ...]]:
    """Return for each pixel of the new size the two pixels that it lies between, and their weights."""
    place = ((np.arange(to_px) + 0.5) * (side_px / to_px) - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int64)
    share = (place - first).astype(np.float32)
    if not is_row:  # Beyond the border, columns have one neighbour; rows have the same one twice.
        share[(first < 0) | (first >= side_px - 1)] = 0
    second = np.clip(first + 1, 0, side_px - 1)
    first = np.clip(first, 0, side_px - 1)
    scale = np.float32(1 << _BITS)
    weights = tuple(np.rint(part * scale).astype(np.int64) for part in (1 - share, share))
    return (first, second), weights
