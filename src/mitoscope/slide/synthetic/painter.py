"""Paints any region of a synthetic slide, alone and always the same."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic.anatomy import Anatomy, Fields
from mitoscope.slide.synthetic.artefacts import DustSpecks
from mitoscope.slide.synthetic.bank import build_bank
from mitoscope.slide.synthetic.cells import CellLayer, cell_layers
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.ground import Ground, paint_ground
from mitoscope.slide.synthetic.noise import Float, enlarge, smoothstep, tile_of
from mitoscope.slide.synthetic.placement import PlacedFigure, place_figures
from mitoscope.slide.synthetic.sprite import Sprite
from mitoscope.slide.synthetic.stain import Stain, expose

GRID_PX = 8
"""Fields are computed at every eighth pixel and interpolated."""
_MARGIN_PX = 24
_FOCUS_BLUR_UM = 1.1


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

    def _expose_layers(self, ground: Ground, fields: Fields) -> Float:
        np.maximum(ground.haematoxylin, 0, out=ground.haematoxylin)
        np.maximum(ground.eosin, 0, out=ground.eosin)
        ink = None
        if (fields.ink > -60).any():
            ink = self._ink(ground, fields)
        return self.stain.transmit(ground.haematoxylin, ground.eosin, ink)

    def _ink(self, ground: Ground, fields: Fields) -> Float:
        depth = enlarge(fields.ink.astype(np.float32), GRID_PX)
        um = 1 / self.config.mpp
        streaks = 1 + 0.22 * ground.streaks + 0.25 * np.exp(-np.square((depth - 6 * um) / (6 * um)))
        return np.asarray(
            smoothstep(depth, -6 * um, 10 * um) * np.clip(0.8 * streaks, 0.1, 1.6), dtype=np.float32
        )

    def _blur_patch(self, grey: Float, fields: Fields) -> None:
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
