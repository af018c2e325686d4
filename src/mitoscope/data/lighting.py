"""Brightness and contrast, each by a random amount (fastai: ``max_lighting``)."""

from __future__ import annotations

import torch
from torch import Tensor

_NEAREST = 0.002
"""Nearest to black and white, where log-odds would be infinite."""


def relight(
    rgb: Tensor, generator: torch.Generator, *, lighting: float, contrast: float, share: float
) -> Tensor:
    """Change brightness and contrast of a share of the pictures, each by itself.

    Parameters
    ----------
    rgb : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].
    lighting : float
        Greatest change of the log-odds of a grey level, in units of 2.
    contrast : float
        Greatest change of the log of the contrast.
    share : float
    """
    n = len(rgb)
    up = (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * lighting * 2
    steep = torch.exp((2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * contrast)
    chosen = torch.rand(n, generator=generator) < share
    index = chosen.nonzero()[:, 0]
    odds = torch.logit(rgb[index], eps=_NEAREST).mul_(steep[index]).add_(up[index])
    return rgb.index_copy(0, index, torch.sigmoid_(odds))
