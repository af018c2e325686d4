"""Stain jitter in optical density, then brightness, contrast, saturation and gamma."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

_STAINS = torch.tensor([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
_STAINS = (_STAINS / _STAINS.norm(dim=1, keepdim=True)).T
"""Optical-density vectors of haematoxylin, eosin and DAB as columns (Ruifrok and Johnston 2001)."""
_DENSITY_MAX: Final = 6.0
_DARKEST: Final = 0.05
"""Darker light is taken as this: a colour near black, unmixed and mixed anew, could come out bright cyan."""
_PIVOT: Final = 0.7
"""Contrast turns around this brightness, about that of stained tissue."""


def jitter(rgb: Tensor, generator: torch.Generator, *, strength: float) -> Tensor:
    """Change stain vectors, their amounts, and the camera's response, for every picture by itself.

    Parameters
    ----------
    rgb : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].
    strength : float
        1 gives amounts of ± 22 %, density ± 12 %, saturation ± 22 %, contrast and gamma ± 12 % (one sigma).
    """
    n, _, height, width = rgb.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(n, *shape, generator=generator) * strength

    stains = _STAINS + 0.05 * normal(3, 3)
    stains = stains / stains.norm(dim=1, keepdim=True)
    amounts = torch.exp(0.22 * normal(3, 1)) * torch.exp(0.12 * normal(1, 1))
    change = stains @ (amounts * torch.linalg.inv(_STAINS))
    log_light = torch.log_(rgb.clamp(_DARKEST, 1)).reshape(n, 3, -1)
    light = torch.exp_(torch.baddbmm(0.02 * normal(3, 1), change, log_light).clamp_(-_DENSITY_MAX, 0))
    gamma, contrast = torch.exp(0.12 * normal(1, 1)), torch.exp(0.12 * normal(1, 1))
    saturation, brightness = torch.exp(0.22 * normal(1, 1)), 0.04 * normal(1, 1)
    grey = torch.ones(3, 3) / 3
    camera = contrast * (saturation * torch.eye(3) + (1 - saturation) * grey)
    offset = (_PIVOT * (1 - contrast) + brightness).expand(n, 3, 1)
    out = torch.baddbmm(offset, camera, light).clamp_(0.002, 1).pow_(gamma)
    return out.reshape(n, 3, height, width)
