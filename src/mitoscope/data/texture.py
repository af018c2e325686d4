"""Blur, sharpening, noise, JPEG compression and the white beyond a slide's edge."""

from __future__ import annotations

from typing import Final

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

_BINOMIAL: Final = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_JPEG_QUALITIES: Final = (40, 95)


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


def focus(rgb: Tensor, generator: torch.Generator, *, share: float) -> Tensor:
    """Blur or sharpen a share of the pictures, each by its own amount."""
    amount = 1.9 * torch.rand(len(rgb), generator=generator) - 0.9
    chosen = (torch.rand(len(rgb), generator=generator) < share).nonzero()[:, 0]
    if not len(chosen):
        return rgb
    some, by = rgb[chosen], amount[chosen][:, None, None, None]
    soft = blurred(some)
    soft = torch.where(by > 0.6, blurred(soft), soft)
    return rgb.index_copy(0, chosen, some + by * (soft - some))


def noise(rgb: Tensor, generator: torch.Generator, *, share: float) -> Tensor:
    """Add Gaussian noise of 0.5 to 3 % to a share of the pictures."""
    chosen = (torch.rand(len(rgb), generator=generator) < share).nonzero()[:, 0]
    sigma = 0.005 + 0.025 * torch.rand(len(chosen), 1, 1, 1, generator=generator)
    grain = torch.randn(len(chosen), *rgb.shape[1:], generator=generator)
    return rgb.index_add(0, chosen, grain * sigma)


def compress(rgb: NDArray[np.uint8], random: np.random.Generator, *, share: float) -> None:
    """Compress a share of the pictures, uint8 (n, h, w, 3), with JPEG in place."""
    for index in np.flatnonzero(random.random(len(rgb)) < share):
        quality = int(random.integers(*_JPEG_QUALITIES))
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(rgb[index]), quality=quality, colorsubsampling="420"
        )
        rgb[index] = simplejpeg.decode_jpeg(data)


def whiten_edge(
    rgb: NDArray[np.uint8], target: NDArray[np.int8], random: np.random.Generator, *, share: float
) -> NDArray[np.bool_]:
    """Put the white beyond a slide's edge over one side of a share of the windows, in place.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (n, h, w, 3)
    target : ndarray of int8, shape (n, h / stride, w / stride)
        A figure under the white is neither figure nor background any more.

    Returns
    -------
    ndarray of bool, shape of `target`
        What lies under the white.
    """
    cells, stride = target.shape[1], rgb.shape[1] // target.shape[1]
    hidden = np.zeros(target.shape, dtype=np.bool_)
    for index in np.flatnonzero(random.random(len(rgb)) < share):
        depth, turn = int(random.integers(1, max(cells // 2 + 2, 2))), int(random.integers(4))
        np.rot90(rgb[index], turn)[: depth * stride] = 255
        np.rot90(hidden[index], turn)[:depth] = True
    target[hidden & (target == 1)] = -1
    return hidden
