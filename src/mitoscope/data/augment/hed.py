"""HED jitter: amounts of haematoxylin, eosin and residual, each changed by itself (Tellez et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mitoscope.data.augment.colour_space import mix
from mitoscope.data.augment.stain import DARKEST, DENSITY_MAX, STAINS


@dataclass(frozen=True, slots=True)
class Hed:
    """A change of the three amounts, as drawn: ``amount * factor + shift``.

    Parameters
    ----------
    factors, shifts : tuple of 3 float
    """

    factors: tuple[float, float, float]
    shifts: tuple[float, float, float]

    @classmethod
    def draw(cls, random: np.random.Generator, largest: float) -> Self:
        """Draw factors in 1 ± largest and shifts in ± largest, uniformly."""
        drawn = random.uniform(-largest, largest, 6).tolist()
        return cls((1 + drawn[0], 1 + drawn[1], 1 + drawn[2]), (drawn[3], drawn[4], drawn[5]))

    def apply(self, rgb: Tensor) -> Tensor:
        """Change pictures, float (n, 3, h, w) in [0, 1]."""
        unmix = torch.linalg.inv(STAINS)
        change = STAINS @ (torch.tensor(self.factors)[:, None] * unmix)
        shift = STAINS @ torch.tensor(self.shifts)
        density = mix(-torch.log(rgb.clamp(DARKEST, 1)), change).add_(shift[None, :, None, None])
        return torch.exp_(density.clamp_(0, DENSITY_MAX).neg_())
