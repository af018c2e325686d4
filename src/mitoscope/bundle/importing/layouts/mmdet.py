"""MMDetection, as MMDeploy exports RTMDet and others: dets with corners and score, and labels."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.bundle.importing.foreign import Tensor
from mitoscope.bundle.importing.layouts.boxes import columns, found, of_label
from mitoscope.bundle.importing.layouts.layout import Candidates, Layout, Operators, Value, Window
from mitoscope.bundle.origin import Interface
from mitoscope.errors import BundleError


def _read(op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window) -> Candidates:
    rows = outputs["dets"]
    scores = op.Squeeze(columns(op, rows, 4, 5), [-1])
    own = of_label(op, scores, outputs["labels"], interface.figure_columns)
    return found(op, columns(op, rows, 0, 4), own, interface, window, raw_scores=scores)


def _check(outputs: Mapping[str, Tensor], _interface: Interface, where: str) -> None:
    rows = outputs["dets"]
    if len(rows.shape) != 3 or rows.shape[2] not in (None, 5):
        raise BundleError(f"{rows}: (B, M, 5) expected: corners and score", where=where)


MMDET = Layout(
    describes="MMDetection by MMDeploy: dets (B, M, 5), corners in px and score; labels (B, M) from 0 on",
    roles={"dets": ("det",), "labels": ("label",)},
    read=_read,
    check=_check,
    defaults={
        "scores": "probability",
        "boxes": "corners",
        "iou": None,
        # What RTMDet states; MMDeploy leaves it outside of the graph.
        "channels": "bgr",
        "pixel_max": 255,
        "mean": (123.675, 116.28, 103.53),
        "std": (58.395, 57.12, 57.375),
    },
)
