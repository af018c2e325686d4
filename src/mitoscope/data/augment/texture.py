"""Blur, sharpening, noise and JPEG compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.data.augment.config import AugmentConfig

_BINOMIAL: Final = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_JPEG_QUALITIES: Final = (40, 96)
_TWICE: Final = 0.6
"""Above this amount of blur the kernel is applied twice."""


def blurred(rgb: Tensor) -> Tensor:
    """Blur with the binomial kernel of width 5 (sigma 1 px)."""
    padded = F.pad(rgb, (2, 2, 2, 2), mode="reflect")
    width, height = rgb.shape[3], rgb.shape[2]
    rows = _BINOMIAL[0] * padded[:, :, :, :width]
    for i in range(1, 5):
        rows.add_(padded[:, :, :, i : i + width], alpha=_BINOMIAL[i])
    out = _BINOMIAL[0] * rows[:, :, :height]
    for i in range(1, 5):
        out.add_(rows[:, :, i : i + height], alpha=_BINOMIAL[i])
    return out


def focused(rgb: Tensor, amount: float) -> Tensor:
    """Blur (amount up to 1) or sharpen (down to -0.9) pictures."""
    soft = blurred(rgb)
    if amount > _TWICE:
        soft = blurred(soft)
    return rgb + amount * (soft - rgb)


def grainy(rgb: Tensor, *, sigma: float, seed: int) -> Tensor:
    """Add Gaussian noise."""
    grain = np.random.default_rng(seed).standard_normal(rgb.shape, dtype=np.float32)
    return rgb + sigma * torch.from_numpy(grain)


def compressed(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Compress a picture, uint8 (h, w, 3), with JPEG (4:2:0) and read it again."""
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality=quality, colorsubsampling="420")
    return np.asarray(simplejpeg.decode_jpeg(data))


@dataclass(frozen=True, slots=True)
class Texture:
    """Focus, noise and compression, as drawn.

    Parameters
    ----------
    focus : float
        See `focused`; 0 leaves the picture.
    noise : float
        Standard deviation; 0 adds none.
    noise_seed : int
    jpeg : int
        Quality; 0 does not compress.
    """

    focus: float = 0.0
    noise: float = 0.0
    noise_seed: int = 0
    jpeg: int = 0

    @classmethod
    def draw(cls, random: np.random.Generator, config: AugmentConfig) -> Self:
        """Draw for the shares of the configuration: noise of 0.5 to 3 %, qualities of 40 to 95."""
        chosen = random.random(3) < (config.focus, config.noise, config.jpeg)
        focus, sigma = random.uniform(-0.9, 1.0), random.uniform(0.005, 0.03)
        seed, quality = int(random.integers(2**31)), int(random.integers(*_JPEG_QUALITIES))
        return cls(
            focus if chosen[0] else 0.0,
            sigma if chosen[1] else 0.0,
            seed if chosen[1] else 0,
            quality if chosen[2] else 0,
        )

    def apply(self, rgb: Tensor) -> NDArray[np.uint8]:
        """Change a picture, float (1, 3, h, w) in [0, 1], and return its pixels, uint8 (h, w, 3)."""
        if self.focus:
            rgb = focused(rgb, self.focus)
        if self.noise:
            rgb = grainy(rgb, sigma=self.noise, seed=self.noise_seed)
        pixels = (rgb[0].clamp(0, 1) * 255).round_().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        return compressed(pixels, self.jpeg) if self.jpeg else np.asarray(pixels)
