"""The fully convolutional residual network with 12 convolutions (Akram et al. 2018, section 2).

Convolutions 1 (stem) + 5 residual blocks × 2 + 1 (classifier) = 12; the 1 × 1 projections on the shortcuts
where the shape changes are not counted, as is the custom for residual networks. Every operation has a bounded
receptive field: no global pooling, no squeeze-and-excitation, no attention. So a point depends on its
surroundings only, and tiling cannot change it (promise 16).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

MEAN: Final = (180.0, 180.0, 180.0)
DEVIATION: Final = (50.0, 50.0, 50.0)
"""Normalisation of grey levels 0 to 255; about the mean and spread of stained tissue."""
_PRIOR: Final = -4.0
"""Initial log-odds of a figure, so that the first steps are not spent on unlearning it (focal-loss paper)."""


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with a shortcut.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        Of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, planes: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        inner = F.relu(self.first_norm(self.first(planes)))
        return F.relu(self.second_norm(self.second(inner)) + self.shortcut(planes))


class FcnResnet12(nn.Module):
    """The network: windows to a map of log-odds, one value a cell.

    Parameters
    ----------
    widths : tuple of 3 int
        Channels at strides 2, 4 and `stride_px`.
    dropout : float
        Share of feature maps left out before the classifier while training.
    stride_px : {4, 8}
        Side of an output cell in window px; with 4 the last stage keeps the stride of the one before.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, widths: tuple[int, int, int] = (32, 64, 128), *, dropout: float = 0.0, stride_px: int = 8
    ) -> None:
        super().__init__()
        narrow, middle, wide = widths
        self.stem = nn.Conv2d(3, narrow, 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(narrow)
        self.body = nn.Sequential(
            ResidualBlock(narrow, middle, stride=2),
            ResidualBlock(middle, middle, stride=1),
            ResidualBlock(middle, wide, stride=stride_px // 4),
            ResidualBlock(wide, wide, stride=1),
            ResidualBlock(wide, wide, stride=1),
        )
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(wide, 1, 1)
        nn.init.constant_(torch.as_tensor(self.classifier.bias), _PRIOR)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Map RGB windows, grey levels 0 to 255 (n, h, w, 3), to log-odds (n, h / stride, w / stride).

        Notes
        -----
        Height and width are multiples of the stride.
        """
        planes = (windows.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        planes = F.relu(self.stem_norm(self.stem(planes)))
        log_odds: Tensor = self.classifier(self.dropout(self.body(planes)))
        return log_odds[:, 0]
