"""Paints any region of a synthetic slide, alone and always the same."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic.anatomy import Anatomy, BorderDistances
from mitoscope.slide.synthetic.bank import build_bank
from mitoscope.slide.synthetic.cells import CellLayer, cell_layers
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.ground import Ground, paint_ground
from mitoscope.slide.synthetic.noise import Float, enlarge, generator, smoothstep, tile_of
from mitoscope.slide.synthetic.placement import PlacedFigure, place_figures
from mitoscope.slide.synthetic.sprite import Sprite

INK_DENSITY: dict[str, tuple[float, float, float]] = {
    "blue": (1.25, 0.75, 0.22),
    "green": (1.05, 0.35, 0.80),
    "black": (1.15, 1.10, 1.00),
}
"""Optical density of a full stroke of each marker pen in red, green and blue."""
_SPECKS_PER_CM2 = 60.0
GRID_PX = 8
"""Fields are computed at every eighth pixel and interpolated."""
_MARGIN_PX = 24
_FOCUS_BLUR_UM = 1.1


@dataclass(frozen=True)
class Stain:
    """The stains of one slide.

    Parameters
    ----------
    haematoxylin, eosin, ink : ndarray of float32, shape (3,)
        Optical density (base 10) of one unit in red, green and blue.
    white : ndarray of float32, shape (3,)
        Grey value of empty glass.
    """

    haematoxylin: Float
    eosin: Float
    ink: Float
    white: Float

    @classmethod
    def of(cls, config: SyntheticSlideConfig) -> Stain:
        """Return the stains of a slide: those of its domain, varied by its seed."""
        domain, rng = config.domain, generator(config.seed, 40)
        strengths = np.exp(rng.normal(0, domain.stain_variation, 2))
        vectors = []
        for vector, strength in zip(
            (domain.haematoxylin, domain.eosin),
            (domain.haematoxylin_strength * strengths[0], domain.eosin_strength * strengths[1]),
            strict=True,
        ):
            varied = np.array(vector) * np.exp(rng.normal(0, 0.4 * domain.stain_variation, 3))
            vectors.append((strength * varied / np.linalg.norm(varied)).astype(np.float32))
        ink = np.array(INK_DENSITY[config.ink_colour], dtype=np.float32)
        return cls(vectors[0], vectors[1], ink, np.array(domain.white, dtype=np.float32))

    def transmit(self, haematoxylin: Float, eosin: Float, ink: Float | None = None) -> Float:
        """Return grey values, shape (3, h, w), behind the given amounts of stain, shape (h, w)."""
        grey = np.empty((3, *haematoxylin.shape), dtype=np.float32)
        natural = np.float32(-np.log(10.0))
        for channel in range(3):
            exponent = haematoxylin * (natural * self.haematoxylin[channel])
            exponent += eosin * (natural * self.eosin[channel])
            if ink is not None:
                exponent += ink * (natural * self.ink[channel])
            np.exp(exponent, out=exponent)
            np.multiply(exponent, self.white[channel], out=grey[channel])
        return grey


def expose(grey: Float, sensor: Float) -> NDArray[np.uint8]:
    """Return grey values with the noise of the sensor as 8-bit pixels, shape (h, w, 3).

    Parameters
    ----------
    grey : ndarray of float32, shape (3, h, w)
    sensor : ndarray of float32, shape (h, w)
        Noise, added to all channels: cameras denoise colour more than brightness.
    """
    rgb = np.empty((*sensor.shape, 3), dtype=np.uint8)
    rounded = sensor + np.float32(0.5)
    for channel in range(3):
        rgb[..., channel] = np.clip(grey[channel] + rounded, 0.0, 255.0)
    return rgb


@dataclass(frozen=True)
class _Speck:
    x: float
    y: float
    long_px: float
    short_px: float
    angle: float
    darkness: float

    @property
    def reach_px(self) -> float:
        return 3.2 * self.long_px


class DustSpecks:
    """All dust of one slide."""

    def __init__(self, config: SyntheticSlideConfig) -> None:
        rng = generator(config.seed, 50)
        area_cm2 = config.width * config.height * config.mpp**2 * 1e-8
        count = int(rng.poisson(_SPECKS_PER_CM2 * area_cm2)) if config.dust else 0
        um = 1 / config.mpp
        self._specks = []
        for _ in range(count):
            long_px = rng.uniform(2.0, 9.0) * um
            slender = rng.choice([1.0, 0.2], p=[0.8, 0.2])
            self._specks.append(
                _Speck(
                    float(rng.uniform(0, config.width)),
                    float(rng.uniform(0, config.height)),
                    float(long_px / slender**0.5),
                    float(long_px * slender * rng.uniform(0.6, 1.0)),
                    float(rng.uniform(0, np.pi)),
                    float(rng.uniform(0.15, 0.6)),
                )
            )

    def _near(self, box: BoxPx) -> list[_Speck]:
        return [
            s
            for s in self._specks
            if box.x - s.reach_px < s.x < box.right + s.reach_px
            and box.y - s.reach_px < s.y < box.bottom + s.reach_px
        ]

    def touches(self, box: BoxPx) -> bool:
        """Return whether any speck reaches into a box of px0."""
        return bool(self._near(box))

    def stamp(self, grey: Float, box: BoxPx) -> None:
        """Darken the grey values (3, h, w) of a box by its specks."""
        for speck in self._near(box):
            columns = np.arange(box.x, box.right, dtype=np.float32) + 0.5 - speck.x
            rows = np.arange(box.y, box.bottom, dtype=np.float32) + 0.5 - speck.y
            u = columns[None, :] * np.cos(speck.angle) + rows[:, None] * np.sin(speck.angle)
            v = -columns[None, :] * np.sin(speck.angle) + rows[:, None] * np.cos(speck.angle)
            depth = np.square(u / speck.long_px) + np.square(v / speck.short_px)
            shade = 1 - speck.darkness * np.exp(-np.minimum(depth * depth, 60.0))
            grey *= shade.astype(np.float32)


@dataclass(frozen=True)
class Painted:
    """A painted region: pixels (h, w, 3), and how many of them are tissue."""

    rgb: NDArray[np.uint8]
    tissue_px: int


class Painter:
    """Paints regions of one slide.

    Parameters
    ----------
    config : SyntheticSlideConfig

    Notes
    -----
    Each pixel depends on the configuration and its place alone: tiles painted apart fit without a seam.
    """

    def __init__(self, config: SyntheticSlideConfig) -> None:
        self.config = config
        self.anatomy = Anatomy(config)
        self.bank = build_bank(config.domain, config.mpp)
        self.placement = place_figures(self.anatomy)
        self.stain = Stain.of(config)
        self.dust = DustSpecks(config)
        self._layers = cell_layers(config)
        self._figure_rows = [figure.y_px0 for figure in self.placement.figures]
        self._reach = (
            max(sprite.side for variants in self.bank.sprites.values() for sprite in variants) // 2 + 1
        )

    def is_glass(self, box: BoxPx) -> bool:
        """Return whether a region is nothing but empty glass."""
        if self.dust.touches(box):
            return False
        if self.anatomy.far_from_content(box):
            return True
        x, y = _corners(box.padded(GRID_PX), step=32)
        fields = self.anatomy.at(x, y)
        # Between two samples a border can move by less than their distance.
        return bool((np.maximum(fields.tissue, fields.ink) < -2.0 * 32).all())

    def glass(self, box: BoxPx) -> NDArray[np.uint8]:
        """Return a region as empty glass."""
        grey = np.broadcast_to(self.stain.white[:, None, None], (3, box.height, box.width))
        return expose(grey, self._sensor(box))

    def paint(self, box: BoxPx) -> Painted:
        """Return a region of the slide; beyond the border of the slide it goes on."""
        inner = _aligned(box, _MARGIN_PX)
        x, y = _corners(inner, step=GRID_PX)
        fields = self.anatomy.at(x, y)
        ground = paint_ground(self.config, self.bank, inner, fields, x, y)
        self._stamp_cells(ground, inner)
        grey = self._expose_layers(ground, fields)
        self._blur_patch(grey, fields)
        self.dust.stamp(grey, inner)
        rows = slice(box.y - inner.y, box.y - inner.y + box.height)
        columns = slice(box.x - inner.x, box.x - inner.x + box.width)
        tissue_px = self._tissue_px(ground, inner, box)
        return Painted(expose(grey[:, rows, columns], self._sensor(box)), tissue_px)

    def _tissue_px(self, ground: Ground, inner: BoxPx, box: BoxPx) -> int:
        visible = box.intersection(BoxPx(0, 0, self.config.width, self.config.height))
        if visible is None:
            return 0
        rows = slice(visible.y - inner.y, visible.bottom - inner.y)
        columns = slice(visible.x - inner.x, visible.right - inner.x)
        return int(np.count_nonzero(ground.outline[rows, columns] > 0))

    def _sensor(self, box: BoxPx) -> Float:
        return tile_of(self.bank.sensor, box.x, box.y, box.width, box.height)

    def figures_near(self, box: BoxPx, margin_px: int) -> list[PlacedFigure]:
        """Return the figures whose place lies in a box grown by a margin."""
        wide = box.padded(margin_px)
        first, last = bisect_left(self._figure_rows, wide.y), bisect_left(self._figure_rows, wide.bottom)
        return [f for f in self.placement.figures[first:last] if wide.x <= f.x_px0 < wide.right]

    def _stamp_cells(self, ground: Ground, box: BoxPx) -> None:
        figures = self.figures_near(box, 2 * self._reach)
        places = np.array([(f.x_px0, f.y_px0) for f in figures], dtype=np.float64).reshape(-1, 2)
        for layer in self._layers:
            self._stamp_layer(layer, ground, box, places)
        for figure in figures:
            stamp(ground, figure.sprite(self.bank), figure.x_px0 - box.x, figure.y_px0 - box.y, 1.0)

    def _stamp_layer(self, layer: CellLayer, ground: Ground, box: BoxPx, places: NDArray[np.float64]) -> None:
        reach = self._reach
        points = layer.lattice.points_in(box.x - reach, box.y - reach, box.right + reach, box.bottom + reach)
        fields = self.anatomy.at(points.x, points.y)
        for cell in layer.cells(points, fields, self.bank, places):
            stamp(ground, cell.sprite, cell.x_px0 - box.x, cell.y_px0 - box.y, cell.strength)

    def _expose_layers(self, ground: Ground, fields: BorderDistances) -> Float:
        np.maximum(ground.haematoxylin, 0, out=ground.haematoxylin)
        np.maximum(ground.eosin, 0, out=ground.eosin)
        ink = None
        if (fields.ink > -60).any():
            ink = self._ink(ground, fields)
        return self.stain.transmit(ground.haematoxylin, ground.eosin, ink)

    def _ink(self, ground: Ground, fields: BorderDistances) -> Float:
        depth = enlarge(fields.ink.astype(np.float32), GRID_PX)
        um = 1 / self.config.mpp
        streaks = 1 + 0.22 * ground.streaks + 0.25 * np.exp(-np.square((depth - 6 * um) / (6 * um)))
        return np.asarray(
            smoothstep(depth, -6 * um, 10 * um) * np.clip(0.8 * streaks, 0.1, 1.6), dtype=np.float32
        )

    def _blur_patch(self, grey: Float, fields: BorderDistances) -> None:
        if not (fields.out_of_focus > -40).any():
            return
        um = 1 / self.config.mpp
        depth = enlarge(fields.out_of_focus.astype(np.float32), GRID_PX)
        weight = smoothstep(depth, -20 * um, 20 * um)
        sigma = min(_FOCUS_BLUR_UM * um, _MARGIN_PX / 4)
        blurred = ndimage.gaussian_filter(grey, (0, sigma, sigma), mode="nearest", truncate=3.9)
        grey += weight * (blurred - grey)


def stamp(ground: Ground, sprite: Sprite, x: int, y: int, strength: float) -> None:
    """Stamp a sprite with its middle at column x and row y; what lies outside is cut off."""
    half = sprite.side // 2
    height, width = ground.haematoxylin.shape
    top, left = y - half, x - half
    rows = slice(max(top, 0), min(top + sprite.side, height))
    columns = slice(max(left, 0), min(left + sprite.side, width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    keep = 1.0 - sprite.cover[part]
    for layer, added in ((ground.haematoxylin, sprite.haematoxylin), (ground.eosin, sprite.eosin)):
        window = layer[rows, columns]
        window *= keep
        window += added[part] if strength == 1.0 else added[part] * np.float32(strength)


def _aligned(box: BoxPx, margin: int) -> BoxPx:
    x, y = (box.x - margin) // GRID_PX * GRID_PX, (box.y - margin) // GRID_PX * GRID_PX
    width = -(-(box.right + margin - x) // GRID_PX) * GRID_PX
    height = -(-(box.bottom + margin - y) // GRID_PX) * GRID_PX
    return BoxPx(x, y, width, height)


def _corners(box: BoxPx, *, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns = np.arange(-(-box.width // step) + 1, dtype=np.float64) * step + box.x
    rows = np.arange(-(-box.height // step) + 1, dtype=np.float64) * step + box.y
    x, y = np.meshgrid(columns, rows)
    return x, y
