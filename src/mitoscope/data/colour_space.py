"""CIE LAB and optical density as tensor operations over batches (n, 3, h, w)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

TISSUE_LIGHTNESS: Final = 88.0
"""Pixels of L* below it count as tissue when statistics are taken."""
# Display gamma 2.2 instead of the exact sRGB curve: one power instead of two branches; the augmentation
# needs a perceptual space, not a colorimetric one.
_GAMMA: Final = 2.2
_XYZ = torch.tensor(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / torch.tensor([[0.95047], [1.0], [1.08883]])  # sRGB primaries, D65 white (IEC 61966-2-1)
_XYZ_INVERSE = torch.linalg.inv(_XYZ)
_LAB = torch.tensor([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
_LAB_INVERSE = torch.linalg.inv(_LAB)


def mix(planes: Tensor, matrix: Tensor) -> Tensor:
    """Multiply every pixel's column of three values by a matrix, (3, 3) or (n, 3, 3)."""
    n, _, height, width = planes.shape
    return torch.matmul(matrix, planes.reshape(n, 3, height * width)).reshape(n, 3, height, width)


def to_lab(rgb: Tensor) -> Tensor:
    """Convert RGB in [0, 1] to LAB (CIE 1976, without its linear part near black)."""
    linear = mix(rgb.clamp_min(1e-4).pow(_GAMMA), _XYZ).clamp_min(1e-4)
    lab = mix(torch.exp(torch.log(linear) / 3), _LAB)
    lab[:, 0] -= 16
    return lab


def from_lab(lab: Tensor) -> Tensor:
    """Convert LAB to RGB in [0, 1]."""
    lab = lab.clone()
    lab[:, 0] += 16
    cube_root = mix(lab, _LAB_INVERSE).clamp_min(0.02)
    return mix(cube_root * cube_root * cube_root, _XYZ_INVERSE).clamp(1e-6, 1).pow(1 / _GAMMA)


def tissue_statistics(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the tissue pixels, each (n, 3)."""
    mask = (lab[:, :1] < TISSUE_LIGHTNESS).to(lab.dtype)
    count = mask.sum((2, 3)).clamp_min(20)
    mean = (lab * mask).sum((2, 3)) / count
    deviation = (((lab - mean[:, :, None, None]) ** 2 * mask).sum((2, 3)) / count).sqrt()
    return mean, deviation
