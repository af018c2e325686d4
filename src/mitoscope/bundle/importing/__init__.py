"""Networks from elsewhere as bundles: any detector that can be written as ONNX, with what comes behind it.

A *layout* says whose outputs a network has: boxes of torchvision, a head of YOLO, queries of DETR, a heat
map, a segmentation, a classifier. A *statement* says the rest, once: resolution, classes, colours, licence.
Around the network a graph is built that takes windows of bytes and gives points, so that nothing but ONNX
Runtime is needed to use it, and no line of its authors' code runs.

Needs onnx and onnxscript, which the base install does not have: ``pip install 'mitoscope[import]'``.
"""

from __future__ import annotations

from mitoscope.bundle.importing.bring_in import Imported, import_bundle, plan_of
from mitoscope.bundle.importing.foreign import ForeignNetwork, read_network
from mitoscope.bundle.importing.layouts import NAMES
from mitoscope.bundle.importing.statement import UNNAMED_DATA, Statement, training_source

__all__ = [
    "NAMES",
    "UNNAMED_DATA",
    "ForeignNetwork",
    "Imported",
    "Statement",
    "import_bundle",
    "plan_of",
    "read_network",
    "training_source",
]
