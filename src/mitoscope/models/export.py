"""Export to ONNX, all inside the graph: uint8 windows in, points (N, K, 3) or scores (N, C) out."""

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

from mitoscope.models.family import Family
from mitoscope.models.fcn import FcnResnet12, PointDetector, ResidualBlock

OPSET: Final = 18
_EXAMPLE_PX: Final = 256
"""Side of the example that is traced where windows may have any size."""


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


def export_onnx(family: Family) -> bytes:
    """Return the graph of a network in evaluation mode as one ONNX file.

    Parameters
    ----------
    family : Family
        The number of windows stays free, and their size where the layout says so (multiples of the stride).
    """
    layout = family.layout()
    network = copy.deepcopy(family.eval().exportable()).eval()
    if isinstance(network, PointDetector) and isinstance(network.network, FcnResnet12):
        network.network = fold_norms(network.network)
    free = layout.any_window
    side = _EXAMPLE_PX if free else layout.window_px
    example = torch.zeros(2, side, side + (layout.stride_px if free else 0), 3, dtype=torch.uint8)
    output = "points" if family.kind == "points" else "scores"
    axes = {"windows": {0: "N", 1: "H", 2: "W"} if free else {0: "N"}, output: {0: "N"}}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "network.onnx"
        # The exporter warns about its own internals.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=["windows"],
            output_names=[output],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()
