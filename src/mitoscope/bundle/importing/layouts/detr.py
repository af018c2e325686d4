"""DETR and RT-DETR: a fixed number of queries, each with scores and a box in fractions of the picture."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.bundle.importing.foreign import Tensor
from mitoscope.bundle.importing.layouts.boxes import (
    columns,
    found,
    of_best_class,
    of_each_class,
    probabilities,
)
from mitoscope.bundle.importing.layouts.layout import (
    Candidates,
    Check,
    Layout,
    Operators,
    Value,
    Window,
    wrong_classes,
)
from mitoscope.bundle.origin import Interface
from mitoscope.errors import BundleError

_BOXES, _SCORES = ("box",), ("logit", "class", "score")


def _read_detr(
    op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window
) -> Candidates:
    raw = outputs["scores"]
    shown = probabilities(op, raw, interface.scores, -1)
    # The last class is "no object"; it takes part in the softmax and is no answer.
    named = columns(op, shown, 0, len(interface.classes))
    own = of_best_class(op, named, interface.figure_columns)
    return found(op, outputs["boxes"], own, interface, window, raw_scores=raw)


def _read_rtdetr(
    op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window
) -> Candidates:
    # Each class is a detector of its own, so that a query may be two; of all answers the best ones count, as
    # many as there are queries.
    raw = outputs["scores"]
    shown = probabilities(op, raw, interface.scores, -1)
    best, _ = op.TopK(op.Flatten(shown, axis=1), op.Shape(raw, start=1, end=2), axis=1, _outputs=2)
    least = op.Unsqueeze(op.ReduceMin(best, [1], keepdims=1), [2])
    own = of_each_class(op, shown, interface.figure_columns)
    own = op.Where(op.GreaterOrEqual(own, least), own, 0.0)
    return found(op, outputs["boxes"], own, interface, window, raw_scores=raw)


def _read_rows(
    op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window
) -> Candidates:
    rows, count = outputs["rows"], len(interface.classes)
    raw = columns(op, rows, 4, 4 + count)
    own = of_best_class(op, probabilities(op, raw, interface.scores, -1), interface.figure_columns)
    return found(op, columns(op, rows, 0, 4), own, interface, window, raw_scores=raw)


def _checked(further: int, role: str, before: int) -> Check:
    def check(outputs: Mapping[str, Tensor], interface: Interface, where: str) -> None:
        scores = outputs[role]
        if len(scores.shape) != 3:
            raise BundleError(f"{scores}: (B, queries, values) expected", where=where)
        if (has := scores.shape[2]) is not None and has - before - further != len(interface.classes):
            raise wrong_classes(scores, has - before - further, interface, where)

    return check


_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_CODING = {"boxes": "centre", "box_unit": "fraction", "iou": None}

DETR = Layout(
    describes="DETR: logits (B, Q, classes + 1), the last one no object; boxes (B, Q, 4), centre, fractions",
    roles={"scores": _SCORES, "boxes": _BOXES},
    read=_read_detr,
    check=_checked(1, "scores", 0),
    defaults={"scores": "softmax", **_CODING, **_IMAGENET},
)
RTDETR = Layout(
    describes="RT-DETR, Deformable DETR: logits (B, Q, classes); boxes (B, Q, 4), centre, fractions",
    roles={"scores": _SCORES, "boxes": _BOXES},
    read=_read_rtdetr,
    check=_checked(0, "scores", 0),
    defaults={"scores": "sigmoid", **_CODING},
)
RTDETR_ROWS = Layout(
    describes="RT-DETR in one output: (B, Q, 4 + classes), centre, fractions, probabilities",
    roles={"rows": ("output",)},
    read=_read_rows,
    check=_checked(0, "rows", 4),
    defaults={"scores": "probability", **_CODING},
)
