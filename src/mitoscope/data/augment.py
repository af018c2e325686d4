"""How windows are changed at random: what a recipe says of it, and how they lie on their patches.

Rotation, flip, scale and stretch take the patch to the window, and labels the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.config import Config

_MARGIN_PX: Final = 2


@dataclass(frozen=True, slots=True)
class Freedom:
    """How freely windows lie.

    Parameters
    ----------
    rotation : {"free", "right-angle", "none"}
    flips : bool
    affine : float
        Share of the windows that are scaled, stretched, sheared and turned by other than right angles.
    scale_min, scale_max : float
        Range of the scale, which is log-uniform.
    stretch, shear : float
        One sigma of the change of aspect and of the slant.
    """

    rotation: Literal["free", "right-angle", "none"] = "free"
    flips: bool = True
    affine: float = 1.0
    scale_min: float = 1.0
    scale_max: float = 1.0
    stretch: float = 0.0
    shear: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """How windows lie on their patches, each in the middle of one that just holds it.

    Parameters
    ----------
    matrix : Tensor of float32, shape (n, 2, 2)
        Maps an offset from the window's centre to an offset from the patch's centre (x, y).
    window_px : int
        Side of the window.
    """

    matrix: Tensor
    window_px: int

    @classmethod
    def draw(cls, n: int, generator: torch.Generator, *, window_px: int, freedom: Freedom) -> Placement:
        """Draw rotation, flips, scale, stretch and shear for every window."""
        affine = (torch.rand(n, generator=generator) < freedom.affine).float()
        angle = _angles(n, generator, freedom.rotation, affine)
        low, high = math.log(freedom.scale_min), math.log(freedom.scale_max)
        scale = torch.exp(affine * (low + (high - low) * torch.rand(n, generator=generator)))
        mirrored = torch.rand(n, generator=generator) < 0.5 * freedom.flips
        flip = torch.where(mirrored, -1.0, 1.0)
        stretch = torch.exp(affine * freedom.stretch * torch.randn(n, generator=generator))
        shear = affine * freedom.shear * torch.randn(n, generator=generator)
        cos, sin = torch.cos(angle).round(decimals=6), torch.sin(angle).round(decimals=6)
        rotation = _stacked((cos, -sin), (sin, cos))
        slant = _stacked((flip * stretch, shear / stretch), (torch.zeros(n), 1 / stretch))
        return cls(rotation @ slant / scale[:, None, None], window_px)

    def patch_px(self, index: int) -> int:
        """Return the side of the patch that holds a window, with a margin for the interpolation."""
        reach = float(self.matrix[index].abs().sum(1).max()) * self.window_px / 2
        return 2 * (math.ceil(reach - 1e-3) + _MARGIN_PX)

    def warp(self, patch: Tensor, index: int) -> Tensor:
        """Resample the patch of a window, float (3, s, s), into the window (3, w, w)."""
        axis = torch.arange(self.window_px) + 0.5 - self.window_px / 2
        (a, b), (c, d) = self.matrix[index] * 2 / patch.shape[-1]
        across = axis[None, :] * a + axis[:, None] * b
        down = axis[None, :] * c + axis[:, None] * d
        grid = torch.stack([across, down], -1)[None]
        return F.grid_sample(
            patch[None], grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )[0]

    def to_patch(self, points: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """Map points in px of a window, shape (m, 2), to px of its patch."""
        mapped = (points - self.window_px / 2) @ self.matrix[index].double().numpy().T
        return np.asarray(mapped + self.patch_px(index) / 2, dtype=np.float64)

    def to_window(self, points: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """Map points in px of the patch of a window, shape (m, 2), to px of the window."""
        mapped = (points - self.patch_px(index) / 2) @ self.to_window_matrix(index).T + self.window_px / 2
        return np.asarray(mapped, dtype=np.float64)

    def to_window_matrix(self, index: int) -> NDArray[np.float64]:
        """Return what maps an offset on the patch of a window to one in the window, shape (2, 2)."""
        return np.asarray(np.linalg.inv(self.matrix[index].double().numpy()), dtype=np.float64)


def _angles(n: int, generator: torch.Generator, rotation: str, affine: Tensor) -> Tensor:
    drawn = torch.rand(n, generator=generator)
    right = (drawn * 4).floor() / 4
    turns = torch.where(affine > 0, drawn, right) if rotation == "free" else right
    return turns * 2 * math.pi * (rotation != "none")


def _stacked(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(first, 1), torch.stack(second, 1)], 1)


Share = Annotated[float, Setting(ge=0, le=1)]
Amount = Annotated[float, Setting(ge=0)]


class AugmentConfig(Config):
    """How windows are changed at random; 0 leaves a change out.

    Parameters
    ----------
    rotation : {"free", "right-angle", "none"}
    flips : bool
    affine : float
        Share of the windows that are scaled, stretched, sheared and turned by other than right angles.
    scale_min, scale_max : float
        Range of the scale.
    stretch, shear : float
        One sigma of the change of aspect and of the slant (affine).
    contrast_transfer : float
        Share of the windows that take the colour statistics of another field, in LAB (Akram et al. 2018).
    transfer_by : {"window", "field"}
        Move a window from its own statistics towards those of a part of another field, by 40 to 100 % of the
        way; or from those of its field to those of another field, as published.
    stain_strength : float
        Stain vectors and amounts in optical density (HED), saturation, gamma; 1 is the amount documented in
        `stain.jitter`.
    lighting, contrast : float
        Greatest change of brightness and of contrast, as ``max_lighting`` of fastai.
    lighting_share : float
        Share of the windows that are lit otherwise.
    photometric : bool
        Distort windows as torchvision's ``RandomPhotometricDistort``, channels swapped in half of them.
    focus, noise, jpeg, slide_edge : float
        Shares of the windows that are blurred or sharpened, get noise, are compressed, lie at a white edge.
        Crops of a classifier have no edge, which would hide their cell.
    normalise : {"none", "reinhard", "macenko"}
        Stain normalisation of every window towards one reference, before anything else changes its colours.
    """

    rotation: Literal["free", "right-angle", "none"] = "free"
    flips: bool = True
    affine: Share = 1.0
    scale_min: Annotated[float, Setting(gt=0.2, lt=5)] = 0.75
    scale_max: Annotated[float, Setting(gt=0.2, lt=5)] = 1.4
    stretch: Amount = 0.06
    shear: Amount = 0.0
    contrast_transfer: Share = 0.4
    transfer_by: Literal["window", "field"] = "window"
    stain_strength: Amount = 1.0
    lighting: Share = 0.0
    contrast: Share = 0.0
    lighting_share: Share = 1.0
    photometric: bool = False
    focus: Share = 0.5
    noise: Share = 0.3
    jpeg: Share = 0.3
    slide_edge: Share = 0.12
    normalise: Literal["none", "reinhard", "macenko"] = "none"

    @model_validator(mode="after")
    def _scales_are_ordered(self) -> AugmentConfig:
        if self.scale_min > self.scale_max:
            raise ValueError("scale_min lies above scale_max")
        return self

    @property
    def freedom(self) -> Freedom:
        """How freely windows lie."""
        return Freedom(
            self.rotation,
            self.flips,
            self.affine,
            self.scale_min,
            self.scale_max,
            self.stretch,
            self.shear,
        )

    @classmethod
    def nothing(cls, normalise: Literal["none", "reinhard", "macenko"] = "none") -> AugmentConfig:
        """Return what leaves windows as they are, for validation."""
        return cls(
            rotation="none", flips=False, affine=0.0, contrast_transfer=0.0, stain_strength=0.0,
            focus=0.0, noise=0.0, jpeg=0.0, slide_edge=0.0, normalise=normalise,
        )  # fmt: skip
