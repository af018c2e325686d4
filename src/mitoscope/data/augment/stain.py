"""Stain and camera: changes in optical density, then brightness, contrast, saturation and gamma."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor

_STAINS = torch.tensor([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
STAINS = (_STAINS / _STAINS.norm(dim=1, keepdim=True)).T
"""Optical-density vectors of haematoxylin, eosin and DAB as columns (Ruifrok and Johnston 2001)."""
DENSITY_MAX: Final = 6.0
DARKEST: Final = 0.004
_PIVOT: Final = 0.7
"""Contrast turns around this brightness, about that of stained tissue."""


@dataclass(frozen=True, slots=True)
class Stain:
    """A change of stain vectors, their amounts, and the camera's response, as drawn.

    Parameters
    ----------
    vectors : tuple of 9 float
        Added to the vectors, row by row.
    amounts, offsets : tuple of 3 float
        Factors of the amounts; change of the log of light of each colour.
    gamma, contrast, saturation, brightness : float
    """

    vectors: tuple[float, ...]
    amounts: tuple[float, float, float]
    offsets: tuple[float, float, float]
    gamma: float
    contrast: float
    saturation: float
    brightness: float

    @classmethod
    def draw(cls, random: np.random.Generator, strength: float) -> Self:
        """Draw a change.

        Parameters
        ----------
        random : Generator
        strength : float
            1 gives amounts of ± 22 %, density ± 12 %, saturation ± 22 %, contrast and gamma ± 12 % (one
            sigma).
        """
        normal = (random.standard_normal(20) * strength).tolist()
        density = 0.12 * normal[12]
        amounts = [math.exp(0.22 * value + density) for value in normal[9:12]]
        return cls(
            tuple(0.05 * value for value in normal[:9]),
            (amounts[0], amounts[1], amounts[2]),
            (0.02 * normal[13], 0.02 * normal[14], 0.02 * normal[15]),
            gamma=math.exp(0.12 * normal[16]),
            contrast=math.exp(0.12 * normal[17]),
            saturation=math.exp(0.22 * normal[18]),
            brightness=0.04 * normal[19],
        )

    def apply(self, rgb: Tensor) -> Tensor:
        """Change pictures, float (n, 3, h, w) in [0, 1]."""
        stains = STAINS + torch.tensor(self.vectors).reshape(3, 3)
        stains = stains / stains.norm(dim=1, keepdim=True)
        change = stains @ (torch.tensor(self.amounts)[:, None] * torch.linalg.inv(STAINS))
        n, _, height, width = rgb.shape
        log_light = torch.log_(rgb.clamp(DARKEST, 1)).reshape(n, 3, -1)
        shift = torch.tensor(self.offsets)[None, :, None]
        light = torch.exp_((change @ log_light).add_(shift).clamp_(-DENSITY_MAX, 0))
        grey = torch.ones(3, 3) / 3
        camera = self.contrast * (self.saturation * torch.eye(3) + (1 - self.saturation) * grey)
        offset = _PIVOT * (1 - self.contrast) + self.brightness
        out = (camera @ light).add_(offset).clamp_(0.002, 1).pow_(self.gamma)
        return out.reshape(n, 3, height, width)
