"""Brightness and contrast, each by a random amount (fastai: ``max_lighting``)."""

from __future__ import annotations

import torch
from torch import Tensor


def relight(rgb: Tensor, generator: torch.Generator, *, lighting: float, contrast: float) -> Tensor:
    """Change brightness and contrast of every picture by itself.

    Parameters
    ----------
    rgb : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].
    lighting : float
        Greatest change of the log-odds of a grey level, in units of 2.
    contrast : float
        Greatest change of the log of the contrast.
    """
    n = len(rgb)
    up = (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * lighting * 2
    steep = torch.exp((2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * contrast)
    return torch.sigmoid(torch.logit(rgb.clamp(0.002, 0.998)) * steep + up)
