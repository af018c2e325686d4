"""Stain normalisation of windows by torchstain (Reinhard et al. 2001; Macenko et al. 2009)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torchstain.torch.normalizers import TorchMacenkoNormalizer, TorchReinhardNormalizer

REFERENCE_MEAN: Final = (55.3, 35.8, -27.3)
REFERENCE_DEVIATION: Final = (15.2, 8.1, 6.4)
"""CIELAB of the reference of Reinhard's method: the median over 202 crops of MIDOG++. Macenko's method takes
the reference stains that torchstain brings."""

_WHITE: Final = 225
_BLACK: Final = 10
_TISSUE_MIN: Final = 0.02
"""Share of pixels neither white nor black that it takes to tell the stains."""


@lru_cache(maxsize=2)
def _fitted(method: Literal["reinhard", "macenko"]) -> Any:
    if method == "macenko":
        return TorchMacenkoNormalizer()
    normaliser = TorchReinhardNormalizer()
    normaliser.target_means = torch.tensor(REFERENCE_MEAN)
    normaliser.target_stds = torch.tensor(REFERENCE_DEVIATION)
    return normaliser


def normalise(rgb: NDArray[np.uint8], method: Literal["reinhard", "macenko"]) -> NDArray[np.uint8]:
    """Give a window, uint8 (h, w, 3), the stain of the reference.

    Notes
    -----
    A window with too little stained tissue to tell its stains stays as it is: torchstain would make it black.
    """
    seen = rgb[::4, ::4]
    stained = (seen.max(axis=2) > _BLACK) & (seen.min(axis=2) < _WHITE)
    if stained.mean() < _TISSUE_MIN:
        return rgb
    planes = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)
    try:
        out = _fitted(method).normalize(planes)
    except (RuntimeError, IndexError):  # torchstain raises these where no pixel is left
        return rgb
    picture = out if method == "reinhard" else out[0]
    if picture.shape[0] == 3:
        picture = picture.permute(1, 2, 0)
    values = torch.nan_to_num(picture.float(), nan=255.0).clamp(0, 255)
    return np.ascontiguousarray(values.to(torch.uint8).numpy())
