"""Heads of YOLO: v5 with objectness, v8 to 12 without, and rows after suppression (v10, 26)."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.bundle.importing.foreign import Tensor
from mitoscope.bundle.importing.layouts.boxes import columns, found, of_best_class, of_label
from mitoscope.bundle.importing.layouts.layout import (
    Candidates,
    Layout,
    Operators,
    Value,
    Window,
    wrong_classes,
)
from mitoscope.bundle.origin import Interface
from mitoscope.errors import BundleError

_ROW = 6
"""x, y, x, y, score, class: what is left after suppression."""


def _read_v5(op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window) -> Candidates:
    rows, count = outputs["rows"], len(interface.classes)
    raw = columns(op, rows, 4, 5 + count)
    shown = op.Sigmoid(raw) if interface.scores == "sigmoid" else raw
    scores = op.Mul(columns(op, shown, 0, 1), columns(op, shown, 1, 1 + count))
    own = of_best_class(op, scores, interface.figure_columns)
    return found(op, columns(op, rows, 0, 4), own, interface, window, raw_scores=raw, cut=True)


def _check_v5(outputs: Mapping[str, Tensor], interface: Interface, where: str) -> None:
    rows = outputs["rows"]
    if len(rows.shape) != 3 or rows.shape[2] is None:
        raise BundleError(f"{rows}: rows (B, M, 5 + classes) expected", where=where)
    if rows.shape[2] != 5 + len(interface.classes):
        raise wrong_classes(rows, rows.shape[2] - 5, interface, where)


def _read_v8(op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window) -> Candidates:
    rows, count = op.Transpose(outputs["rows"], perm=[0, 2, 1]), len(interface.classes)
    raw = columns(op, rows, 4, 4 + count)
    shown = op.Sigmoid(raw) if interface.scores == "sigmoid" else raw
    own = of_best_class(op, shown, interface.figure_columns)
    return found(op, columns(op, rows, 0, 4), own, interface, window, raw_scores=raw, cut=True)


def _check_v8(outputs: Mapping[str, Tensor], interface: Interface, where: str) -> None:
    rows = outputs["rows"]
    if len(rows.shape) != 3 or rows.shape[1] is None:
        raise BundleError(f"{rows}: columns (B, 4 + classes, M) expected", where=where)
    if rows.shape[1] != 4 + len(interface.classes):
        raise wrong_classes(rows, rows.shape[1] - 4, interface, where)


def _read_rows(
    op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window
) -> Candidates:
    rows = outputs["rows"]
    scores, labels = (op.Squeeze(columns(op, rows, at, at + 1), [-1]) for at in (4, 5))
    own = of_label(op, scores, labels, interface.figure_columns)
    return found(op, columns(op, rows, 0, 4), own, interface, window, raw_scores=scores, cut=True)


def is_finished(rows: Tensor, classes: int, *, unless_stated: bool) -> bool:
    """Tell whether an output is rows after suppression, (B, M, 6), rather than a head, (B, 4 + classes, M).

    Parameters
    ----------
    rows : Tensor
    classes : int
    unless_stated : bool
        The answer where the shape does not say.
    """
    if len(rows.shape) != 3 or rows.shape[1] == 4 + classes:
        return False
    return unless_stated if rows.shape[2] is None else rows.shape[2] == _ROW


_ROLES = {"rows": ("output0", "output")}

YOLO5 = Layout(
    describes="YOLOv5: (B, M, 5 + classes), centre and size in px, objectness times class",
    roles=_ROLES,
    read=_read_v5,
    check=_check_v5,
    defaults={"scores": "probability", "boxes": "centre", "iou": 0.45},
)
YOLO8 = Layout(
    describes="YOLO v8, 9, 11 and 12 (also v5u): (B, 4 + classes, M), centre and size in px",
    roles=_ROLES,
    read=_read_v8,
    check=_check_v8,
    defaults={"scores": "probability", "boxes": "centre", "iou": 0.7},
)
YOLO_ROWS = Layout(
    describes="YOLO v10 and 26, or any with suppression built in: (B, M, 6), corners in px, score, class",
    roles=_ROLES,
    read=_read_rows,
    defaults={"scores": "probability", "boxes": "corners", "iou": None},
)
