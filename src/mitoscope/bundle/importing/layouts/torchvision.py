"""Detectors of torchvision: boxes, labels and scores of one picture, after their own suppression."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.bundle.importing.layouts.boxes import found, of_label
from mitoscope.bundle.importing.layouts.layout import Candidates, Layout, Operators, Value, Window
from mitoscope.bundle.origin import Interface

_BACKGROUND = 1
"""Label 0 is the background; named classes begin here."""


def _read(op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window) -> Candidates:
    figures = tuple(place + _BACKGROUND for place in interface.figure_columns)
    boxes, scores, labels = (op.Unsqueeze(outputs[role], [0]) for role in ("boxes", "scores", "labels"))
    own = of_label(op, scores, labels, figures)
    return found(op, boxes, own, interface, window, raw_scores=scores)


TORCHVISION = Layout(
    describes="torchvision: boxes (D, 4) in px, scores (D), labels (D) from 1 on; normalised inside",
    roles={"boxes": ("box",), "scores": ("score",), "labels": ("label",)},
    read=_read,
    defaults={"scores": "probability", "boxes": "corners", "box_unit": "px", "iou": None},
)
