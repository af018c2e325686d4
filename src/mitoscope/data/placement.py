"""Rotation, flip, scale and stretch: from the patch to the window, and labels the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

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
