"""The layouts by name, and which one an output of YOLO or RT-DETR has."""

from __future__ import annotations

from typing import Final

from mitoscope.bundle.importing.foreign import ForeignNetwork
from mitoscope.bundle.importing.layouts.classifier import CLASSIFIER
from mitoscope.bundle.importing.layouts.detr import DETR, RTDETR, RTDETR_ROWS
from mitoscope.bundle.importing.layouts.heatmap import HEATMAP
from mitoscope.bundle.importing.layouts.layout import Layout
from mitoscope.bundle.importing.layouts.mmdet import MMDET
from mitoscope.bundle.importing.layouts.segmentation import SEGMENTATION
from mitoscope.bundle.importing.layouts.torchvision import TORCHVISION
from mitoscope.bundle.importing.layouts.yolo import YOLO5, YOLO8, YOLO_ROWS, is_finished

_HEADS: Final = {
    "torchvision": TORCHVISION,
    "yolo5": YOLO5,
    "yolo8": YOLO8,
    "yolo9": YOLO8,
    "yolo10": YOLO_ROWS,
    "yolo11": YOLO8,
    "yolo12": YOLO8,
    "yolo26": YOLO_ROWS,
    "detr": DETR,
    "rtdetr": RTDETR,
    "mmdet": MMDET,
    "heatmap": HEATMAP,
    "segmentation": SEGMENTATION,
    "classifier": CLASSIFIER,
}
NAMES: Final = tuple(_HEADS)


def layout_of(name: str, network: ForeignNetwork, classes: int) -> Layout:
    """Return the layout of a network, by its name and the shape of its first output.

    YOLO comes as a head or, with suppression built in, as finished rows; RT-DETR in one output or in two.
    """
    own, first = _HEADS[name], network.outputs[0]
    if own in (YOLO8, YOLO_ROWS):
        return YOLO_ROWS if is_finished(first, classes, unless_stated=own is YOLO_ROWS) else YOLO8
    if own is RTDETR and len(network.outputs) == 1:
        return RTDETR_ROWS
    return own
