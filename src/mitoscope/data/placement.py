"""Rotation, flip, scale and stretch: from the patch to the window, and labels the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name


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
        cls, centre: Tensor, generator: torch.Generator, *, window_px: int, scales: tuple[float, float]
    ) -> Placement:
        """Draw free rotation, flips, scale (log-uniform) and a slight stretch (6 %)."""
        n = len(centre)
        angle = torch.rand(n, generator=generator) * 2 * math.pi
        low, high = math.log(scales[0]), math.log(scales[1])
        scale = torch.exp(low + (high - low) * torch.rand(n, generator=generator))
        flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
        stretch = torch.exp(0.06 * torch.randn(n, generator=generator))
        cos, sin = torch.cos(angle), torch.sin(angle)
        rows = [torch.stack([cos * flip, -sin], 1), torch.stack([sin * flip, cos], 1)]
        matrix = torch.stack(rows, 1) / scale[:, None, None]
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
