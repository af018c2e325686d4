"""From grey levels to what a network computes with: inside the graph, so that it travels with the weights."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn

from mitoscope.models.config import ClassifierWeights
from mitoscope.models.fcn import DEVIATION, MEAN
from mitoscope.models.pretrained import PRETRAINED

Levels = tuple[float, float, float]
_IMAGENET: Final[tuple[Levels, Levels]] = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""What torchvision's and timm's weights were trained with, in grey levels."""
_EFFICIENTNET_LITE: Final[tuple[Levels, Levels]] = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))


def statistics(weights: ClassifierWeights | Literal["coco"]) -> tuple[Levels, Levels]:
    """Return mean and deviation of the grey levels that fit the weights."""
    if weights in PRETRAINED:
        return _EFFICIENTNET_LITE
    return _IMAGENET if weights in ("imagenet", "coco") else (MEAN, DEVIATION)


class Normalise(nn.Module):
    """Subtract a mean and divide by a deviation, channel by channel.

    Parameters
    ----------
    mean, deviation : tuple of 3 float
        Grey levels 0 to 255.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Levels, deviation: Levels) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Map windows, uint8 (n, h, w, 3), to planes, float32 (n, 3, h, w)."""
        return (windows.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
