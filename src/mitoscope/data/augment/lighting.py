"""Brightness and contrast on log-odds, as fastai does it: nothing is cut off at black or white."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

_NEAREST = 1e-3
"""Nearest to black and white, where log-odds would be infinite."""


@dataclass(frozen=True, slots=True)
class Lighting:
    """Another light, as drawn.

    Parameters
    ----------
    brightness : float
        What mid-grey becomes.
    contrast : float
    """

    brightness: float
    contrast: float

    @classmethod
    def draw(cls, random: np.random.Generator, largest: float) -> Self:
        """Draw brightness uniformly in (1 ± largest) / 2, contrast log-uniformly up to 1 / (1 - largest)."""
        brightness = random.uniform(0.5 * (1 - largest), 0.5 * (1 + largest))
        limit = -math.log1p(-largest)
        return cls(brightness, math.exp(random.uniform(-limit, limit)))

    def apply(self, rgb: Tensor) -> Tensor:
        """Light pictures, float (n, 3, h, w) in [0, 1]."""
        shift = math.log(self.brightness / (1 - self.brightness))
        odds = torch.logit(rgb, eps=_NEAREST).mul_(self.contrast).add_(shift)
        return torch.sigmoid_(odds)
