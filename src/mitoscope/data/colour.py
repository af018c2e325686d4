"""What changes the pixels of windows: stain, light and contrast; blur, noise, JPEG; a slide's white edge.

Normalisation is that of torchstain (Reinhard et al. 2001; Macenko et al. 2009).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from torchstain.torch.normalizers import TorchMacenkoNormalizer, TorchReinhardNormalizer
from torchvision.transforms.v2 import functional

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


_NEAREST = 0.002
"""Nearest to black and white, where log-odds would be infinite."""


def relight(
    rgb: Tensor, generator: torch.Generator, *, lighting: float, contrast: float, share: float
) -> Tensor:
    """Change brightness and contrast of a share of the pictures, each by itself.

    Parameters
    ----------
    rgb : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].
    lighting : float
        Greatest change of the log-odds of a grey level, in units of 2.
    contrast : float
        Greatest change of the log of the contrast.
    share : float
    """
    n = len(rgb)
    up = (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * lighting * 2
    steep = torch.exp((2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * contrast)
    chosen = torch.rand(n, generator=generator) < share
    index = chosen.nonzero()[:, 0]
    odds = torch.logit(rgb[index], eps=_NEAREST).mul_(steep[index]).add_(up[index])
    return rgb.index_copy(0, index, torch.sigmoid_(odds))


_DISTORTIONS: Final = {
    "brightness": (0.875, 1.125),
    "contrast": (0.5, 1.5),
    "saturation": (0.5, 1.5),
    "hue": (-0.05, 0.05),
}
"""Ranges of torchvision's ``RandomPhotometricDistort`` (after SSD, Liu et al. 2016)."""


def distort(rgb: Tensor, generator: torch.Generator) -> Tensor:
    """Distort pictures photometrically as torchvision does, each by itself and each change in half of them.

    Brightness, contrast (before or after the colours), saturation and hue are changed, channels are swapped.

    Parameters
    ----------
    rgb : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].
    """
    return torch.stack([_distorted(picture, generator) for picture in rgb.clamp(0, 1)])


def _distorted(picture: Tensor, generator: torch.Generator) -> Tensor:
    def drawn(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    factors = {name: drawn(*ends) for name, ends in _DISTORTIONS.items() if drawn(0, 1) < 0.5}
    change = {name: getattr(functional, f"adjust_{name}") for name in factors}
    first = ("contrast",) if drawn(0, 1) < 0.5 else ()
    last = tuple({"contrast"} - set(first))
    for name in ("brightness", *first, "saturation", "hue", *last):
        if name in factors:
            picture = change[name](picture, factors[name])
    return picture[torch.randperm(3, generator=generator)] if drawn(0, 1) < 0.5 else picture


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
