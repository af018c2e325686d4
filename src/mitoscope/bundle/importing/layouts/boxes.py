"""Boxes in operators: their coding, their overlap, and which class has them."""

from __future__ import annotations

from mitoscope.bundle.importing.layouts.layout import Candidates, Operators, Value, Window
from mitoscope.bundle.origin import Interface

_ALL = 2**31 - 1
_FLOAT, _INT64 = 1, 7


def columns(op: Operators, rows: Value, start: int, end: int) -> Value:
    """Return some columns of (..., C), the axis kept."""
    return op.Slice(rows, [start], [end], [-1])


def probabilities(op: Operators, raw: Value, kind: str, axis: int) -> Value:
    """Return probabilities of scores, as they are or from log-odds."""
    if kind == "sigmoid":
        return op.Sigmoid(raw)
    return op.Softmax(raw, axis=axis) if kind == "softmax" else raw


def of_best_class(op: Operators, scores: Value, figures: tuple[int, ...]) -> Value:
    """Return, of (B, M, C), the scores of each figure class where it is the best one: (B, M, F)."""
    best = op.ArgMax(scores, axis=-1, keepdims=1)
    own = op.Equal(best, op.Constant(value_ints=list(figures)))
    return op.Where(own, of_each_class(op, scores, figures), 0.0)


def of_each_class(op: Operators, scores: Value, figures: tuple[int, ...]) -> Value:
    """Return, of (B, M, C), the scores of each figure class: (B, M, F)."""
    return op.Gather(scores, op.Constant(value_ints=list(figures)), axis=-1)


def of_label(op: Operators, scores: Value, labels: Value, figures: tuple[int, ...]) -> Value:
    """Return, of rows (B, M) with a label each, the scores of each figure class: (B, M, F)."""
    label = op.Unsqueeze(op.Cast(op.Round(op.Cast(labels, to=_FLOAT)), to=_INT64), [-1])
    return op.Where(op.Equal(label, op.Constant(value_ints=list(figures))), op.Unsqueeze(scores, [-1]), 0.0)


def found(
    op: Operators,
    boxes: Value,
    scores: Value,
    interface: Interface,
    window: Window,
    *,
    raw_scores: Value,
    cut: bool = False,
) -> Candidates:
    """Return the centres of boxes (B, M, 4) with scores (B, M, F), the lesser of two of a class left out.

    With `cut`, boxes end where the picture ends, after suppression: the centre is that of what is seen.
    """
    low, high = _corners(op, boxes, interface, window)
    if interface.iou is not None:
        corners = op.Concat(low, high, axis=-1)
        scores = op.Mul(scores, _kept(op, corners, scores, iou=interface.iou, floor=window.floor))
    if cut:
        side = op.Concat(*window.input_px, axis=0)
        low, high = (op.Min(op.Max(corner, 0.0), side) for corner in (low, high))
    middle = op.Mul(op.Add(low, high), 0.5)
    across, down = window.scale
    return Candidates(
        x=op.Mul(op.Squeeze(columns(op, middle, 0, 1), [-1]), across),
        y=op.Mul(op.Squeeze(columns(op, middle, 1, 2), [-1]), down),
        score=op.ReduceMax(scores, [-1], keepdims=0),
        raw_scores=raw_scores,
        raw_boxes=boxes,
    )


def _corners(op: Operators, boxes: Value, interface: Interface, window: Window) -> tuple[Value, Value]:
    """Return both corners of boxes, (B, M, 2) each, in px of the network's input."""
    first, second = columns(op, boxes, 0, 2), columns(op, boxes, 2, 4)
    if interface.boxes == "centre":
        half = op.Mul(second, 0.5)
        first, second = op.Sub(first, half), op.Add(first, half)
    elif interface.boxes == "corner-size":
        second = op.Add(first, second)
    if interface.box_unit == "fraction":
        side = op.Concat(*window.input_px, axis=0)
        first, second = op.Mul(first, side), op.Mul(second, side)
    return first, second


def _kept(op: Operators, corners: Value, scores: Value, *, iou: float, floor: float) -> Value:
    """Return 1 for each box of a class (B, M, F) that suppression keeps, else 0."""
    by_class = op.Transpose(scores, perm=[0, 2, 1])
    chosen = op.NonMaxSuppression(
        corners, by_class, _ALL, op.Constant(value_floats=[iou]), op.Constant(value_floats=[floor])
    )
    nothing = op.ConstantOfShape(op.Shape(by_class))
    ones = op.Expand(1.0, op.Shape(chosen, start=0, end=1))
    return op.Transpose(op.ScatterND(nothing, chosen, ones), perm=[0, 2, 1])
