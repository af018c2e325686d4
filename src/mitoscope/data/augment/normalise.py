"""Stain normalisation: Reinhard (in LAB, as the contrast transfer) and Macenko (torchstain)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torchstain.torch.normalizers.macenko import TorchMacenkoNormalizer

from mitoscope.data.augment.colour_space import TISSUE_LIGHTNESS, to_lab

_TISSUE_MIN: Final = 0.02
"""Share of tissue below which a window says nothing about its stains and stays as it is."""


def reference(bank: Tensor) -> Tensor:
    """Return the colour statistics that Reinhard's normalisation aims at: the means over the bank, (6,)."""
    return bank.mean(0)


def macenko(rgb: Tensor) -> Tensor:
    """Normalise a window, float (1, 3, h, w) in [0, 1], to the reference of Macenko et al. 2009.

    Windows with hardly any tissue stay as they are, for their stains cannot be estimated.
    """
    seen = rgb[:, :, ::4, ::4]
    if float((to_lab(seen)[:, 0] < TISSUE_LIGHTNESS).float().mean()) < _TISSUE_MIN:
        return rgb
    normalised, _, _ = TorchMacenkoNormalizer().normalize(rgb[0] * 255, stains=False)
    out: Tensor = normalised.permute(2, 0, 1)[None].float() / 255
    return out.clamp_(0, 1) if bool(torch.isfinite(out).all()) else rgb
