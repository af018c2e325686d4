"""Segmentations: the centre of each connected component of figure pixels.

ONNX has no operator for connected components. They are found by spreading: every pixel of the mask begins
with its own number, and takes the highest of those that it touches until nothing changes. What bears one
number then is one component, exactly; the steps are as many as the longest way through a component.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from mitoscope.bundle.importing.layouts.boxes import probabilities
from mitoscope.bundle.importing.layouts.layout import Candidates, Layout, Operators, Value, Window
from mitoscope.bundle.importing.layouts.maps import (
    any_of,
    as_planes,
    cell_numbers,
    check_map,
    flat,
    places,
    until_settled,
)
from mitoscope.bundle.origin import Interface

_FLOAT, _INT64, _BOOL, _DOUBLE = 1, 7, 9, 11


def _read(op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window) -> Candidates:
    raw = as_planes(op, outputs["map"], interface, len(outputs["map"].shape))
    shown = probabilities(op, raw, interface.scores, 1)
    figures = op.Constant(value_ints=list(interface.figure_columns))
    plane = op.ReduceSum(op.Gather(shown, figures, axis=1), [1], keepdims=1)
    if interface.mask == "largest":
        best = op.ArgMax(shown, axis=1, keepdims=1)
        own = op.Equal(best, op.Reshape(figures, [1, -1, 1, 1]))
        mask = op.Cast(op.ReduceMax(op.Cast(own, to=_FLOAT), [1], keepdims=1), to=_BOOL)
    else:
        mask = op.Greater(plane, interface.level)
    number, label = _components(op, mask, interface.connectivity)
    is_root = op.And(mask, op.Equal(label, number))
    x, y, (across, down) = places(op, plane, window)
    rows = flat(op, label)
    area = _added(op, rows, op.Expand(1.0, op.Shape(rows)))
    middle_x = op.Div(_added(op, rows, op.Expand(x, op.Shape(rows))), area)
    middle_y = op.Div(_added(op, rows, op.Expand(y, op.Shape(rows))), area)
    if interface.component_score == "mean":
        score = op.Div(_added(op, rows, flat(op, plane)), area)
    else:
        score = _added(op, rows, flat(op, plane), reduction="max")
    counts = op.And(flat(op, is_root), op.GreaterOrEqual(area, op.Cast(float(interface.area_px), to=_DOUBLE)))
    return Candidates(
        x=op.Mul(op.Cast(middle_x, to=_FLOAT), across),
        y=op.Mul(op.Cast(middle_y, to=_FLOAT), down),
        score=op.Where(counts, op.Cast(score, to=_FLOAT), 0.0),
        raw_scores=raw,
    )


def _components(op: Operators, mask: Value, connectivity: int) -> tuple[Value, Value]:
    """Return the number of each pixel from 1 on, and the highest number in its component; 0 outside."""
    number = op.Add(cell_numbers(op, mask), 1.0)

    def step(inner: Operators, label: Value) -> tuple[Value, Value]:
        grown = inner.Where(mask, _touched(inner, label, connectivity), 0.0)
        return any_of(inner, inner.Not(inner.Equal(grown, label))), grown

    (label,) = until_settled(
        op, (op.Where(mask, number, 0.0),), step, kinds=(ir.DataType.FLOAT,), name="components"
    )
    return number, label


def _touched(op: Operators, label: Value, connectivity: int) -> Value:
    if connectivity == 8:
        return op.MaxPool(label, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    beside = op.MaxPool(label, kernel_shape=[1, 3], pads=[0, 1, 0, 1], strides=[1, 1])
    above = op.MaxPool(label, kernel_shape=[3, 1], pads=[1, 0, 1, 0], strides=[1, 1])
    return op.Max(beside, above)


def _added(op: Operators, label: Value, values: Value, *, reduction: str = "add") -> Value:
    """Return, at the pixel after which a component is numbered, what its pixels (B, P) add up to."""
    values = op.Cast(values, to=_DOUBLE)
    one_more = op.Add(op.Shape(label), [0, 1])
    nothing = op.Expand(op.Cast(0.0, to=_DOUBLE), one_more)
    sums = op.ScatterElements(nothing, op.Cast(label, to=_INT64), values, axis=1, reduction=reduction)
    return op.Slice(sums, [1], [2**31 - 1], [1])  # without the number 0, which is what lies outside


SEGMENTATION = Layout(
    describes="a segmentation (B, classes, rows, columns): centres of connected components",
    roles={"map": ("map", "seg", "output", "logit")},
    read=_read,
    check=check_map,
    defaults={"scores": "softmax", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
)
