"""Rotation, flip, scale and stretch: from the patch to the window, and labels the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name


@dataclass(frozen=True, slots=True)
class Freedom:
    """How freely windows lie.

    Parameters
    ----------
    rotation : {"free", "right-angle", "none"}
    flips : bool
    scale_min, scale_max : float
        Range of the scale, which is log-uniform.
    stretch, shear : float
        One sigma of the change of aspect and of the slant.
    """

    rotation: Literal["free", "right-angle", "none"] = "free"
    flips: bool = True
    scale_min: float = 1.0
    scale_max: float = 1.0
    stretch: float = 0.0
    shear: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """How windows lie on their patches.

    Parameters
    ----------
    matrix : Tensor of float32, shape (n, 2, 2)
        Maps an offset from the window's centre to an offset from `centre` on the patch (x, y).
    centre : Tensor of float32, shape (n, 2)
        Centre of the window in patch px.
    window_px : int
        Side of the window.
    """

    matrix: Tensor
    centre: Tensor
    window_px: int

    @classmethod
    def draw(
        cls, centre: Tensor, generator: torch.Generator, *, window_px: int, freedom: Freedom
    ) -> Placement:
        """Draw rotation, flips, scale, stretch and shear for every window."""
        n = len(centre)
        angle = _angles(n, generator, freedom.rotation)
        low, high = math.log(freedom.scale_min), math.log(freedom.scale_max)
        scale = torch.exp(low + (high - low) * torch.rand(n, generator=generator))
        mirrored = torch.rand(n, generator=generator) < 0.5 * freedom.flips
        flip = torch.where(mirrored, -1.0, 1.0)
        stretch = torch.exp(freedom.stretch * torch.randn(n, generator=generator))
        shear = freedom.shear * torch.randn(n, generator=generator)
        cos, sin = torch.cos(angle).round(decimals=6), torch.sin(angle).round(decimals=6)
        rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        slant = torch.stack([torch.stack([flip, shear], 1), torch.stack([0 * flip, 0 * flip + 1], 1)], 1)
        matrix = rotation @ slant / scale[:, None, None]
        matrix = matrix * torch.stack([stretch, 1 / stretch], 1)[:, None, :]
        return cls(matrix, centre, window_px)

    def warp(self, patches: Tensor) -> Tensor:
        """Resample patches, float (n, 3, s, s), into windows (n, 3, w, w)."""
        side = patches.shape[-1]
        axis = torch.arange(self.window_px) + 0.5 - self.window_px / 2
        rows, columns = torch.meshgrid(axis, axis, indexing="ij")
        offsets = torch.stack([columns, rows], -1).reshape(1, -1, 2)
        places = offsets @ self.matrix.transpose(1, 2) + self.centre[:, None]
        grid = (places * 2 / side - 1).reshape(len(patches), self.window_px, self.window_px, 2)
        return F.grid_sample(patches, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def scale(self, index: int) -> float:
        """Return window px for a patch px of one window, the geometric mean of both axes."""
        return float(torch.linalg.det(self.matrix[index].double()).abs().rsqrt())

    def to_patch(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points in window px, shape (m, 2), to patch px of every window, shape (n, m, 2)."""
        matrix, centre = self.matrix.double().numpy(), self.centre.double().numpy()
        mapped = (points - self.window_px / 2) @ matrix.transpose(0, 2, 1) + centre[:, None]
        return np.asarray(mapped, dtype=np.float64)

    def to_window(self, points: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """Map points in patch px of one window, shape (m, 2), to window px."""
        inverse = np.linalg.inv(self.matrix[index].double().numpy())
        mapped = (points - self.centre[index].double().numpy()) @ inverse.T + self.window_px / 2
        return np.asarray(mapped, dtype=np.float64)


def _angles(n: int, generator: torch.Generator, rotation: str) -> Tensor:
    drawn = torch.rand(n, generator=generator)
    if rotation == "right-angle":
        drawn = (drawn * 4).floor() / 4
    return drawn * 2 * math.pi * (rotation != "none")
