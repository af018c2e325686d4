"""Classifiers of tiles or crops: the probability that the middle of one shows a mitotic figure."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.bundle.importing.foreign import Tensor
from mitoscope.bundle.importing.layouts.boxes import probabilities
from mitoscope.bundle.importing.layouts.layout import (
    Candidates,
    Layout,
    Operators,
    Value,
    Window,
    wrong_classes,
)
from mitoscope.bundle.origin import Interface


def _read(op: Operators, outputs: Mapping[str, Value], interface: Interface, _window: Window) -> Candidates:
    raw = op.Flatten(outputs["scores"], axis=1)
    shown = probabilities(op, raw, interface.scores, 1)
    own = op.Gather(shown, op.Constant(value_ints=list(interface.figure_columns)), axis=1)
    figure = op.ReduceSum(own, [1], keepdims=1)
    return Candidates(x=None, y=None, score=op.Concat(figure, op.Sub(1.0, figure), axis=1), raw_scores=raw)


def _check(outputs: Mapping[str, Tensor], interface: Interface, where: str) -> None:
    own = outputs["scores"]
    if len(own.shape) > 1 and (has := own.shape[1]) is not None and has != len(interface.classes):
        raise wrong_classes(own, has, interface, where)


CLASSIFIER = Layout(
    describes="a classifier of tiles or crops (B, classes)",
    roles={"scores": ("output", "logit", "prob", "score")},
    read=_read,
    check=_check,
    kind="scores",
    defaults={"scores": "softmax", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
)
