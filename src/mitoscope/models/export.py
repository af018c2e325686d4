"""Export to ONNX: ``uint8 (N, H, W, 3) → float32 (N, K, 3)``, everything inside the graph."""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Final

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mitoscope.models.fcn_resnet import FcnResnet12, ResidualBlock
from mitoscope.models.points import PointDetector

OPSET: Final = 18


def fold_norms(network: FcnResnet12) -> FcnResnet12:
    """Return a copy for inference with every batch normalisation folded into its convolution."""
    folded = copy.deepcopy(network).eval().float()
    folded.stem = fuse_conv_bn_eval(folded.stem, folded.stem_norm)
    folded.stem_norm = nn.Identity()  # type: ignore[assignment]
    for block in folded.body:
        if not isinstance(block, ResidualBlock):
            continue
        block.first = fuse_conv_bn_eval(block.first, block.first_norm)
        block.second = fuse_conv_bn_eval(block.second, block.second_norm)
        block.first_norm = block.second_norm = nn.Identity()  # type: ignore[assignment]
        if isinstance(block.shortcut, nn.Sequential):
            projection, norm = block.shortcut
            assert isinstance(projection, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            block.shortcut = fuse_conv_bn_eval(projection, norm)
    return folded


def export_onnx(detector: PointDetector, *, window_px: int = 256) -> bytes:
    """Return the graph of a detector in evaluation mode as one ONNX file.

    Parameters
    ----------
    detector : PointDetector
    window_px : int
        Side of the example that is traced; N, H and W of the graph stay free (multiples of the stride).
    """
    detector = copy.deepcopy(detector).eval()
    if isinstance(detector.network, FcnResnet12):
        detector.network = fold_norms(detector.network)
    example = torch.zeros(2, window_px, window_px + 8 * detector.stride_px, 3, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "detector.onnx"
        # The exporter warns about its own internals.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            detector,
            (example,),
            path,
            input_names=["windows"],
            output_names=["points"],
            dynamic_axes={"windows": {0: "N", 1: "H", 2: "W"}, "points": {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()
