"""A sprite: one cell or nucleus as amounts of stain, to be stamped into the tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.slide.synthetic.noise import Float


@dataclass(frozen=True)
class Sprite:
    """One cell.

    Parameters
    ----------
    cover : ndarray of float32, shape (side, side)
        How far the sprite hides what lies below, in [0, 1].
    haematoxylin, eosin : ndarray of float32, shape (side, side)
        Stain that it adds, in units of optical density.
    centre_px, size_px : tuple of float
        Centre, relative to the middle of the sprite, and width and height of the box around the chromatin.
    """

    cover: Float
    haematoxylin: Float
    eosin: Float
    centre_px: tuple[float, float]
    size_px: tuple[float, float]

    @property
    def side(self) -> int:
        """Width and height of the sprite in px."""
        return int(self.cover.shape[0])

    def turned(self, way: int) -> Sprite:
        """Return one of the eight reflections and quarter turns, as views."""
        (cx, cy), (w, h) = self.centre_px, self.size_px
        layers = [self.cover, self.haematoxylin, self.eosin]
        if way & 1:
            layers, cx = [layer[:, ::-1] for layer in layers], -cx
        if way & 2:
            layers, cy = [layer[::-1] for layer in layers], -cy
        if way & 4:
            layers, (cx, cy), (w, h) = [layer.T for layer in layers], (cy, cx), (h, w)
        return Sprite(layers[0], layers[1], layers[2], (cx, cy), (w, h))


@dataclass(frozen=True)
class Optics:
    """What the microscope does to a sprite: scale and blur.

    Parameters
    ----------
    px_per_um : float
        Level-0 pixels per µm.
    blur_px : float
        Standard deviation of the point spread in px.
    sharpening : float
        Strength of the unsharp mask.
    """

    px_per_um: float
    blur_px: float
    sharpening: float

    def image(self, layer: Float, *, wrap: bool = False) -> Float:
        """Return a layer as the scanner sees it."""
        mode: Literal["wrap", "nearest"] = "wrap" if wrap else "nearest"
        seen = ndimage.gaussian_filter(layer, self.blur_px, mode=mode) if self.blur_px > 0.05 else layer
        if self.sharpening > 0:
            wide = ndimage.gaussian_filter(seen, 1.6 * max(self.blur_px, 0.5), mode=mode)
            seen = seen + self.sharpening * (seen - wide)
        return np.asarray(seen, dtype=np.float32)


class SpriteCanvas:
    """Draws one sprite in µm, on a grid with the origin in the middle."""

    def __init__(self, rng: np.random.Generator, optics: Optics, radius_um: float) -> None:
        half = int(np.ceil(radius_um * optics.px_per_um)) + 3
        axis = (np.arange(2 * half, dtype=np.float32) + 0.5 - half) / optics.px_per_um
        self.rng = rng
        self.optics = optics
        self.x, self.y = np.meshgrid(axis, axis)
        self.cover = np.zeros_like(self.x)
        self.haematoxylin = np.zeros_like(self.x)
        self.eosin = np.zeros_like(self.x)

    def noise(self, wavelength_um: float) -> Float:
        """Return smooth noise of mean 0 and standard deviation 1."""
        white = self.rng.standard_normal(self.x.shape).astype(np.float32)
        smooth = ndimage.gaussian_filter(white, max(0.25 * wavelength_um * self.optics.px_per_um, 0.3))
        smooth -= smooth.mean()
        return np.asarray(smooth / max(float(smooth.std()), 1e-6), dtype=np.float32)

    def oval(
        self,
        a_um: float,
        b_um: float,
        *,
        angle: float = 0.0,
        wobble: float = 0.06,
        at: tuple[float, float] = (0.0, 0.0),
        bend: float = 0.0,
    ) -> Float:
        """Return the depth below the outline of an irregular oval in µm (negative outside)."""
        dx, dy = self.x - at[0], self.y - at[1]
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = -dx * np.sin(angle) + dy * np.cos(angle) + bend * np.square(u) / max(a_um, 0.1)
        angles = np.linspace(-np.pi, np.pi, 181)
        shape = np.ones_like(angles)
        for order in range(2, 7):
            amplitude = wobble * self.rng.normal() / order**0.8
            shape += amplitude * np.cos(order * angles + self.rng.uniform(0, 2 * np.pi))
        outline = np.interp(np.arctan2(v, u), angles, np.maximum(shape, 0.3))
        rho = np.hypot(u / a_um, v / b_um) / outline
        # Across a thin oval the depth grows with the short axis, along it with the long one.
        scale = np.hypot(u, v) / np.maximum(rho, 1e-3)
        return np.asarray((1 - rho) * scale, dtype=np.float32)

    def rod(
        self,
        length_um: float,
        width_um: float,
        *,
        angle: float,
        at: tuple[float, float] = (0.0, 0.0),
        bend: float = 0.0,
    ) -> Float:
        """Return the depth below the outline of a rod with round ends in µm (negative outside)."""
        dx, dy = self.x - at[0], self.y - at[1]
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = -dx * np.sin(angle) + dy * np.cos(angle) - bend * np.square(u) / max(length_um, 0.1)
        over = np.maximum(np.abs(u) - 0.5 * (length_um - width_um), 0.0)
        return np.asarray(0.5 * width_um - np.hypot(over, v), dtype=np.float32)

    @staticmethod
    def fill(depth_um: Float, soft_um: float = 0.18) -> Float:
        """Return coverage from depth: 1 inside, 0 outside, with a soft edge."""
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-depth_um / soft_um, -30, 30))), dtype=np.float32)

    def sprite(self, chromatin: Float) -> Sprite:
        """Return the sprite as the scanner sees it, with the box around its chromatin coverage."""
        px = self.optics.px_per_um
        rows, columns = (np.flatnonzero((chromatin > 0.5).any(axis=axis)) for axis in (1, 0))
        if rows.size == 0 or columns.size == 0:
            rows = columns = np.array([self.x.shape[0] // 2])
        middle = self.x.shape[0] / 2
        centre = ((columns[0] + columns[-1] + 1) / 2 - middle, (rows[0] + rows[-1] + 1) / 2 - middle)
        size = (float(columns[-1] - columns[0] + 1), float(rows[-1] - rows[0] + 1))
        image = self.optics.image
        cover = np.clip(ndimage.gaussian_filter(self.cover, max(0.25 * px, 0.3)), 0, 1)
        layers = [cover, image(self.haematoxylin), image(self.eosin)]
        edge = _vignette(self.x.shape[0])
        cover, haematoxylin, eosin = (
            np.ascontiguousarray(layer * edge, dtype=np.float32) for layer in layers
        )
        return Sprite(cover, haematoxylin, eosin, centre, size)


def _vignette(side: int) -> Float:
    # Blur must not leave a step at the border of the sprite.
    axis = np.clip((np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5) / 2.0, 0, 1)
    return np.asarray(np.minimum(axis[:, None], axis[None, :]), dtype=np.float32)


def crowded(points: NDArray[np.float64], radius_px: float) -> NDArray[np.bool_]:
    """Return, for each point, whether an earlier kept point lies within the radius.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
    radius_px : float
    """
    bins: dict[tuple[int, int], list[int]] = {}
    dropped = np.zeros(len(points), dtype=bool)
    for index, (x, y) in enumerate(points):
        column, row = int(x // radius_px), int(y // radius_px)
        near = (k for dr in (-1, 0, 1) for dc in (-1, 0, 1) for k in bins.get((column + dc, row + dr), ()))
        dropped[index] = any(np.hypot(points[k, 0] - x, points[k, 1] - y) < radius_px for k in near)
        if not dropped[index]:
            bins.setdefault((column, row), []).append(index)
    return dropped
