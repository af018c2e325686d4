"""Rotation, flip, scale, stretch and shear: from the patch to the window, and labels the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.data.augment.config import AugmentConfig

_MARGIN_PX = 2
"""Beyond the corners of the window, for the interpolation."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How a window lies on the field, as drawn.

    Parameters
    ----------
    degrees : float
        Rotation.
    flip : bool
    scale : float
        Above 1 enlarges.
    stretch : float
        Columns are enlarged by it, rows reduced.
    shear : float
    """

    degrees: float = 0.0
    flip: bool = False
    scale: float = 1.0
    stretch: float = 1.0
    shear: float = 0.0

    @classmethod
    def draw(cls, random: np.random.Generator, config: AugmentConfig) -> Self:
        """Draw free rotation or right angles, flips, scale (log-uniform), stretch and shear."""
        affine = random.random() < config.affine
        right = float(random.integers(4)) * 90
        free = config.rotation == "free" and affine
        degrees = random.uniform(0, 360) if free else right * (config.rotation != "none")
        flip = bool(random.random() < 0.5) and config.flip
        low, high = math.log(config.scale_min), math.log(config.scale_max)
        scale, (stretch, shear) = math.exp(random.uniform(low, high)), random.standard_normal(2)
        if not affine:
            return cls(degrees, flip)
        return cls(degrees, flip, scale, math.exp(config.stretch * stretch), config.shear * float(shear))


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """How a window lies on its patch; their centres coincide.

    Parameters
    ----------
    matrix : ndarray of float64, shape (2, 2)
        Maps an offset from the window's centre to an offset from the patch's centre (x, y).
    window_px, patch_px : int
        Sides; the patch is just large enough.
    """

    matrix: NDArray[np.float64]
    window_px: int
    patch_px: int

    @classmethod
    def of(cls, turn: Turn, window_px: int) -> Self:
        """Return the placement of a window that lies as drawn."""
        angle = math.radians(turn.degrees)
        cos, sin = round(math.cos(angle), 12), round(math.sin(angle), 12)  # right angles are exact
        rotation = np.array([[cos, -sin], [sin, cos]])
        slant = np.array([[-1.0 if turn.flip else 1.0, turn.shear], [0.0, 1.0]])
        matrix = rotation @ slant @ np.diag([1 / turn.stretch, turn.stretch]) / turn.scale
        reach = float(np.abs(matrix).sum(axis=1).max()) * window_px / 2
        return cls(matrix, window_px, 2 * (math.ceil(reach) + _MARGIN_PX) + window_px % 2)

    @property
    def scale(self) -> float:
        """Window px for a patch px, the geometric mean of both axes."""
        return float(1 / math.sqrt(abs(np.linalg.det(self.matrix))))

    def warp(self, patch: Tensor) -> Tensor:
        """Resample a patch, float (1, 3, s, s), into the window (1, 3, w, w)."""
        axis = torch.arange(self.window_px) + 0.5 - self.window_px / 2
        matrix = torch.from_numpy(self.matrix * 2 / self.patch_px).float()
        x = axis[None, :] * matrix[0, 0] + axis[:, None] * matrix[0, 1]
        y = axis[None, :] * matrix[1, 0] + axis[:, None] * matrix[1, 1]
        grid = torch.stack([x, y], -1)[None]
        return F.grid_sample(patch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def to_patch(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (n, 2) in window px to patch px."""
        moved = (points - self.window_px / 2) @ self.matrix.T + self.patch_px / 2
        return np.asarray(moved, dtype=np.float64)

    def to_window(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (n, 2) in patch px to window px."""
        moved = (points - self.patch_px / 2) @ np.linalg.inv(self.matrix).T + self.window_px / 2
        return np.asarray(moved, dtype=np.float64)
