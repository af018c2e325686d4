"""A classifier of kinds of figures that was never trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mitoscope.bundle import Bundle, ModelDescription, load_bundle, write_bundle
from mitoscope.models.cells import Classifier
from mitoscope.models.config import ClassifierConfig
from mitoscope.models.export import export_onnx


def untrained_kinds(folder: Path, *labels: str) -> Bundle:
    """Write a ResNet-18 on crops of 64 px as a bundle of two classes."""
    config = ClassifierConfig(architecture="classifier", backbone="resnet18", patch_px=64, labels=labels)
    own = load_bundle("semi-fcn").manifest
    point = own.points[0].model_copy(update={"threshold": 0.4})
    description = ModelDescription(
        **{name: getattr(own, name) for name in ModelDescription.model_fields}
        | {
            "kind": "scores",
            "name": "kinds",
            "labels": labels,
            "detects": labels[0],
            "window_px": 64,
            "stride_px": 1,
            "halo_px": 0,
            "top_k": 1,
            "points": (point,),
            "metrics": (own.metrics[0].model_copy(update={"name": "balanced-accuracy"}),),
            "training": (own.training[0].model_copy(update={"name": "kinds of figures"}),),
        }
    )
    rgb = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    onnx = {"network.onnx": export_onnx(Classifier(config))}
    return write_bundle(folder, description=description, onnx=onnx, self_test_rgb=rgb)
