"""The plan of a slide: where there is tissue, carcinoma, fat, necrosis, ink."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.noise import Float, generator, periodic_noise, sample

MACRO_SIDE_MAX = 768
"""Longest side of a map; keeps plan and memory small on a slide of any size."""
MACRO_PX_MIN = 16
"""Smallest pixel of a map in px0."""
FAR_PX0 = 1e6
"""Signed distance where there is no border at all."""
Coordinates = NDArray[np.float64]
_WIGGLE_MAX_UM = 6.0 * (3.0 + 14.0)
"""Six standard deviations of the noise on the border of the tissue."""


@dataclass(frozen=True)
class MacroMap:
    """A signed distance in px0 on a coarse grid; pixel (0, 0) has its centre at px0 (step / 2, step / 2)."""

    values: Float
    step_px0: float

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the map at places in px0, bilinear, held constant beyond its border."""
        height, width = self.values.shape
        column = np.clip(x / self.step_px0 - 0.5, 0, width - 1)
        row = np.clip(y / self.step_px0 - 0.5, 0, height - 1)
        left, top = column.astype(np.int64), row.astype(np.int64)
        right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
        tx, ty = column - left, row - top
        upper = self.values[top, left] * (1 - tx) + self.values[top, right] * tx
        lower = self.values[bottom, left] * (1 - tx) + self.values[bottom, right] * tx
        return np.asarray(upper * (1 - ty) + lower * ty)

    def largest_in(self, box: BoxPx) -> float:
        """Return a bound on the map within a box of px0."""
        height, width = self.values.shape
        near = box.padded(int(self.step_px0))
        left, right = (int(np.clip(edge // self.step_px0, 0, width - 1)) for edge in (near.x, near.right))
        top, bottom = (int(np.clip(edge // self.step_px0, 0, height - 1)) for edge in (near.y, near.bottom))
        return float(self.values[top : bottom + 1, left : right + 1].max())


def macro_step_px0(config: SyntheticSlideConfig) -> float:
    """Return the side of a pixel of the maps in px0."""
    return float(max(MACRO_PX_MIN, -(-max(config.width, config.height) // MACRO_SIDE_MAX)))


def _shape(config: SyntheticSlideConfig) -> tuple[int, int]:
    step = macro_step_px0(config)
    return int(-(-config.height // step)), int(-(-config.width // step))


def _grid(config: SyntheticSlideConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width = _shape(config)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64) + 0.5
    return columns * macro_step_px0(config), rows * macro_step_px0(config)


def _signed_distance(inside: NDArray[np.bool_], step_px0: float) -> MacroMap:
    if inside.all() or not inside.any():
        return MacroMap(np.full(inside.shape, FAR_PX0 if inside.all() else -FAR_PX0, np.float32), step_px0)
    distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    smooth = ndimage.gaussian_filter(np.asarray(distance, dtype=np.float32), 1.0) * step_px0
    return MacroMap(smooth.astype(np.float32), step_px0)


def _warp(config: SyntheticSlideConfig, salt: int, wavelengths: float, *, octaves: int = 3) -> Float:
    """Return noise over the whole map, with so many waves along its longer side."""
    height, width = _shape(config)
    side = max(height, width, 8)
    noise = periodic_noise(
        generator(config.seed, 20, salt), side, wavelength=side / wavelengths, octaves=octaves
    )
    return noise[:height, :width]


def draw_tissue(config: SyntheticSlideConfig) -> MacroMap:
    """Return the signed distance to the border of the tissue islands, of the wanted total area."""
    step, shape = macro_step_px0(config), _shape(config)
    if config.tissue_fraction in (0.0, 1.0):
        return _signed_distance(np.full(shape, config.tissue_fraction == 1.0), step)
    rng = generator(config.seed, 21)
    x, y = _grid(config)
    closeness = np.full(shape, -np.inf)
    for number in range(int(rng.integers(1, 4))):
        centre_x = (
            config.width * rng.uniform(0.3, 0.7) if number == 0 else config.width * rng.uniform(0.15, 0.85)
        )
        centre_y = (
            config.height * rng.uniform(0.35, 0.65) if number == 0 else config.height * rng.uniform(0.2, 0.8)
        )
        radius = (
            (1.0 if number == 0 else rng.uniform(0.35, 0.7)) * 0.5 * np.sqrt(config.width * config.height)
        )
        stretch = rng.uniform(0.75, 1.3)
        distance = np.hypot((x - centre_x) / stretch, (y - centre_y) * stretch) / radius
        closeness = np.maximum(closeness, -distance - (0 if number == 0 else 0.12))
    closeness += 0.075 * _warp(config, 0, 3.0, octaves=2) + 0.008 * _warp(config, 4, 14.0, octaves=2)
    edge = np.minimum(np.minimum(x, config.width - x), np.minimum(y, config.height - y))
    closeness -= 0.5 * np.exp(-edge / (0.03 * min(config.width, config.height)))
    inside = closeness > np.quantile(closeness, 1 - config.tissue_fraction)
    return _signed_distance(_without_crumbs(inside), step)


def _without_crumbs(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop islands below 3 % of the largest."""
    numbers, count = ndimage.label(inside)
    if count < 2:
        return inside
    areas = np.bincount(numbers.ravel())[1:]
    keep = np.concatenate([[False], areas >= 0.03 * areas.max()])
    return np.asarray(keep[numbers])


def _blob(
    config: SyntheticSlideConfig, tissue: MacroMap, *, salt: int, depth: tuple[float, float], share: float
) -> NDArray[np.bool_]:
    """Return a rounded region of a share of the tissue, centred between two quantiles of depth."""
    inside = tissue.values > 0
    if not inside.any():
        return inside
    rng = generator(config.seed, 22, salt)
    low, high = np.quantile(tissue.values[inside], depth)
    between = inside & (tissue.values >= low) & (tissue.values <= high)
    places = np.argwhere(between if between.any() else inside)  # two points have none between their quantiles
    row, column = places[int(rng.integers(len(places)))]
    x, y = _grid(config)
    centre_x, centre_y = (column + 0.5) * tissue.step_px0, (row + 0.5) * tissue.step_px0
    area = float(np.count_nonzero(inside)) * tissue.step_px0**2 * share
    radius = np.sqrt(area / np.pi)
    return np.asarray(np.hypot(x - centre_x, y - centre_y) / radius + 0.25 * _warp(config, salt, 6) < 1.0)


def draw_fat(config: SyntheticSlideConfig, tissue: MacroMap) -> MacroMap:
    """Return the signed distance to the border of the adipose tissue, near the edge of the tissue."""
    inside = _blob(config, tissue, salt=1, depth=(0.0, 0.35), share=0.16)
    return _signed_distance(inside if config.fat else np.zeros_like(inside), tissue.step_px0)


def draw_necrosis(config: SyntheticSlideConfig, tissue: MacroMap) -> MacroMap:
    """Return the signed distance to the border of the necrosis, deep in the tissue."""
    inside = _blob(config, tissue, salt=2, depth=(0.55, 1.0), share=0.06)
    return _signed_distance(inside if config.necrosis else np.zeros_like(inside), tissue.step_px0)


def draw_out_of_focus(config: SyntheticSlideConfig, tissue: MacroMap) -> MacroMap:
    """Return the signed distance to the border of a patch that the scanner did not focus."""
    inside = _blob(config, tissue, salt=3, depth=(0.1, 0.8), share=0.03)
    return _signed_distance(inside if config.out_of_focus else np.zeros_like(inside), tissue.step_px0)


def draw_ink(config: SyntheticSlideConfig, tissue: MacroMap) -> MacroMap:
    """Return the signed distance to the edge of a stroke of a marker pen that crosses the tissue's border."""
    x, y = _grid(config)
    inside = tissue.values > 0
    if not config.ink or not inside.any() or inside.all():
        return _signed_distance(np.zeros(x.shape, dtype=bool), tissue.step_px0)
    rng = generator(config.seed, 23)
    unit = np.sqrt(config.width * config.height)
    near = np.abs(tissue.values) < 1.5 * tissue.step_px0
    far_off = (np.minimum(x, config.width - x) > 0.08 * unit) & (
        np.minimum(y, config.height - y) > 0.06 * unit
    )
    places = np.argwhere(near & far_off) if (near & far_off).any() else np.argwhere(near)
    if not len(places):
        return _signed_distance(np.zeros(x.shape, dtype=bool), tissue.step_px0)
    row, column = places[int(rng.integers(len(places)))]
    # A short, slightly bent stroke across the border.
    outward = np.arctan2(y[row, column] - 0.5 * config.height, x[row, column] - 0.5 * config.width)
    angle = outward + rng.uniform(0.5, 1.0) * rng.choice([-1.0, 1.0])
    dx = x - x[row, column] - 0.03 * unit * np.cos(outward)
    dy = y - y[row, column] - 0.03 * unit * np.sin(outward)
    u = dx * np.cos(angle) + dy * np.sin(angle)
    v = -dx * np.sin(angle) + dy * np.cos(angle) + 1.1 * np.square(u) / unit
    length, width = rng.uniform(0.10, 0.14) * unit, rng.uniform(0.010, 0.016) * unit
    ragged = width * (1 + 0.12 * _warp(config, 5, 20))
    stroke = np.power(2 * u / length, 6) + np.power(v / ragged, 4) < 1
    return _signed_distance(np.asarray(stroke), tissue.step_px0)


@dataclass(frozen=True)
class BorderDistances:
    """Signed distances at places of the slide, about in px0: positive inside, negative outside.

    Parameters
    ----------
    tissue, tumour, fat, necrosis, vessel : ndarray, any shape
    ink : ndarray
        Distance below the edge of the marker stroke.
    out_of_focus : ndarray
        Distance below the edge of the blurred patch.
    infiltrate, gap : ndarray
        Noise of standard deviation 1: where lymphocytes gather, and where nests have shrunk from the stroma.
    """

    tissue: Coordinates
    tumour: Coordinates
    fat: Coordinates
    necrosis: Coordinates
    vessel: Coordinates
    ink: Coordinates
    out_of_focus: Coordinates
    infiltrate: Coordinates
    gap: Coordinates


class Anatomy:
    """The plan of one slide, known at every place without painting it.

    Parameters
    ----------
    config : SyntheticSlideConfig
    """

    def __init__(self, config: SyntheticSlideConfig) -> None:
        self.config = config
        self.px_per_um = 1.0 / config.mpp
        seed = config.seed
        self._nests = periodic_noise(generator(seed, 10), 256, wavelength=18, octaves=2)
        self._detail = periodic_noise(generator(seed, 11), 256, wavelength=12, octaves=3)
        self._patches = periodic_noise(generator(seed, 12), 256, wavelength=22, octaves=2)
        self._threshold = float(np.quantile(self._nests, 1 - np.clip(config.tumour_fraction, 0.001, 0.999)))
        if config.tumour_fraction in (0.0, 1.0):
            self._threshold = 1e6 if config.tumour_fraction == 0 else -1e6

    @cached_property
    def tissue_map(self) -> MacroMap:
        """Signed distance to the border of the tissue."""
        return draw_tissue(self.config)

    @cached_property
    def _fat_map(self) -> MacroMap:
        return draw_fat(self.config, self.tissue_map)

    @cached_property
    def _necrosis_map(self) -> MacroMap:
        return draw_necrosis(self.config, self.tissue_map)

    @cached_property
    def _ink_map(self) -> MacroMap:
        return draw_ink(self.config, self.tissue_map)

    @cached_property
    def _focus_map(self) -> MacroMap:
        return draw_out_of_focus(self.config, self.tissue_map)

    def _noise(self, texture: Float, x: Coordinates, y: Coordinates, sample_um: float) -> Coordinates:
        scale = 1.0 / (sample_um * self.px_per_um)
        return sample(texture, x * scale, y * scale)

    def at(self, x: Coordinates, y: Coordinates) -> BorderDistances:
        """Return the fields at places in px0.

        Parameters
        ----------
        x, y : ndarray of float64, any common shape
        """
        um = self.px_per_um
        fine = self._noise(self._detail, x, y, 3.0)
        coarse = self._noise(self._detail, y + 977.0, x, 17.0)
        wiggle = (3.0 * fine + 14.0 * coarse) * um
        tissue = self.tissue_map.at(x, y) + wiggle
        # Two copies of the noise of unlike period: nests do not repeat on a large slide.
        nests = 0.8 * self._noise(self._nests, x, y, 12.0) + 0.6 * self._noise(self._nests, y, -x, 17.3)
        # Some regions are richer in stroma than others.
        nests += 0.55 * self._noise(self._patches, x + 3000.0, y, 90.0)
        tumour = np.minimum((nests - self._threshold) * 34.0 * um + 2.5 * um * fine, tissue - 25 * um)
        patches = self._noise(self._patches, x, y, 9.0)
        vessel = np.minimum((patches - 2.1) * 24.0 * um, -tumour - 6 * um)
        fat = np.minimum(self._fat_map.at(x, y) + wiggle * 1.5, tissue)
        necrosis = np.minimum(self._necrosis_map.at(x, y) + wiggle * 2, tumour - 12 * um)
        return BorderDistances(
            tissue=tissue,
            tumour=tumour,
            fat=fat,
            necrosis=np.minimum(necrosis, -fat - 10 * um),
            vessel=np.minimum(vessel, tissue - 20 * um),
            ink=self._ink_map.at(x, y) + 2.0 * um * fine,
            out_of_focus=self._focus_map.at(x, y),
            infiltrate=self._noise(self._patches, y + 5000.0, x, 11.0),
            gap=self._noise(self._patches, -x, y + 9000.0, 7.0),
        )

    def far_from_content(self, box: BoxPx) -> bool:
        """Return whether a box lies so far out that no noise can bring tissue or ink into it."""
        reach = -_WIGGLE_MAX_UM * self.px_per_um
        return self.tissue_map.largest_in(box) < reach and self._ink_map.largest_in(box) < reach

    def viable_tumour(self, fields: BorderDistances, *, margin_um: float = 12.0) -> NDArray[np.bool_]:
        """Return where a cell lies in carcinoma that is alive, in focus and not under ink."""
        margin = margin_um * self.px_per_um
        return np.asarray(
            (fields.tumour > margin)
            & (fields.tissue > 2 * margin)
            & (fields.fat < -margin)
            & (fields.necrosis < -margin)
            & (fields.ink < -2 * margin)
            & (fields.out_of_focus < -2 * margin)
            & (fields.vessel < -margin)
        )
