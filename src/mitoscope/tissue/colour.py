"""What the mean colour of 8 µm of slide says: stained tissue, glass or marker pen.

H&E absorbs green most: haematoxylin has the optical densities (0.65, 0.70, 0.29) in red, green and blue,
eosin (0.07, 0.99, 0.11) (Ruifrok and Johnston 2001, Table 1). What is neutral (dust, bubbles, shadows, a
scanner's black border, black ink) or absorbs red or blue most (green, blue, yellow ink) is not stained.

The constants were set on 164 fields and two slides of eleven laboratories, averaged to 8 µm/px: their dense
pixels have hues between 228° and 345°, a stain excess of at least 0.18 of the mean density, and a density
that varies by at least 3.3 % over 40 µm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

DENSITY_MIN = 0.03
"""Optical density in green that a stained pixel exceeds: 7 % of the light."""
STAIN_MIN = 0.012
"""Stain excess over that of the glass that a stained pixel exceeds: 6 grey levels of 240."""
STAIN_SHARE_MIN = 0.08
"""Stain excess as a share of the mean density, below which a pixel is grey."""
GLASS_DENSITY_MAX = 0.06
"""Glass lets at least 87 % of the light pass; darker glass is told from tissue by being neutral."""
GLASS_STAIN_RANGE = (-0.03, 0.01)
"""How far the tint of glass may be from neutral; the upper end keeps pale tissue from passing for glass."""

INK_DENSITY_MIN = 0.25
COLD_INK_HUES_DEG = (50.0, 222.0)
COLD_INK_CHROMA_MIN = 40.0
"""Yellow over green to cyan: no dense H&E pixel has such a hue."""
BLUE_INK_HUES_DEG = (222.0, 238.0)
BLUE_INK_CHROMA_MIN = 60.0
BLUE_INK_RED_MAX = 75
"""Blue ink lets hardly any red pass; tissue of such a hue, under a bluish lamp, lets 36 % pass."""
RED_INK_HUES_DEG = (347.0, 50.0)
RED_INK_CHROMA_MIN = 110.0
RED_INK_GREEN_MAX = 70
"""Red ink is purer and lets less green pass than blood (hue up to 353°, green from 79); the densest tissue
has hues up to 344°. Orange ink lets more green pass, and has hues that blood has not."""
ORANGE_INK_HUES_DEG = (10.0, 50.0)
BLACK_MAX = 140.0
SMOOTH_VARIATION_MAX = 0.02
"""Ink of the stain's own colour, on the cover slip, shows no cells: relative deviation over 5 × 5 px."""
StainDensity = tuple[float, float, float]
"""Median optical density of stained tissue at 8 µm/px, in red, green and blue."""

PIXELS_MIN: Final = 16
"""Fewer stained pixels of 8 µm say nothing of a stain."""


def optical_density(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return -log10 of the light that passes, shape as given; white (255) is 0."""
    table = -np.log10((np.arange(256) + 1) / 256).astype(np.float32)
    return np.asarray(table[rgb])


def stain_excess(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return by how much green is absorbed more than red, or than red and blue together, shape (h, w)."""
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    return np.asarray(green - np.minimum(red, (red + blue) / 2))


@dataclass(frozen=True, slots=True)
class Glass:
    """Tint and noise of the empty glass of a slide.

    Attributes
    ----------
    density, stain : float
        Median density in green, and median stain excess.
    noise : float
        Standard deviation of the stain excess (robust).
    """

    density: float
    stain: float
    noise: float


NO_GLASS = Glass(density=0.0, stain=0.0, noise=0.0)


def find_glass(density: NDArray[np.float32], valid: NDArray[np.bool_]) -> Glass:
    """Measure the glass of a slide; where there is hardly any (a crop of tissue), take it as pure white."""
    green, stain = density[..., 1], stain_excess(density)
    flat = ndimage.maximum_filter(green, 3) - ndimage.minimum_filter(green, 3) < 0.02
    low, high = GLASS_STAIN_RANGE
    glass = valid & flat & (green < GLASS_DENSITY_MAX) & (stain > low) & (stain < high)
    if np.count_nonzero(glass) < max(16, 0.02 * np.count_nonzero(valid)):
        return NO_GLASS
    centre = float(np.median(stain[glass]))
    deviation = 1.4826 * float(np.median(np.abs(stain[glass] - centre)))
    return Glass(float(np.median(green[glass])), centre, deviation)


def stained(density: NDArray[np.float32], glass: Glass) -> NDArray[np.bool_]:
    """Say which pixels carry stain: absolute floors, raised by the tint and noise of the glass."""
    stain = stain_excess(density)
    floor = glass.stain + max(STAIN_MIN, 5 * glass.noise)
    dense = density[..., 1] > max(DENSITY_MIN, min(glass.density + DENSITY_MIN / 2, GLASS_DENSITY_MAX))
    return np.asarray(dense & (stain > floor) & (stain > STAIN_SHARE_MIN * density.mean(axis=-1)))


def find_ink(rgb: NDArray[np.uint8], density: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say which pixels are marker pen.

    Notes
    -----
    Green, blue, cyan, yellow, orange, red and black ink are told by colour. Ink of the stain's own colours
    (violet, pink) is told by its even density; a thin or streaky stroke of it cannot be told from tissue.
    """
    ink = _coloured(rgb, density) | _black(rgb, density)
    # Single pixels of an ink's hue are chromatic noise at dark edges; of a stroke, at least three of nine.
    ink &= ndimage.uniform_filter(ink.astype(np.float32), 3, mode="nearest") > 2.5 / 9
    # The rim of a stroke, mixed with glass, can have the stain's own hue.
    return np.asarray(ndimage.binary_dilation(ink, iterations=2) | _smooth(density))


def _coloured(rgb: NDArray[np.uint8], density: NDArray[np.float32]) -> NDArray[np.bool_]:
    hue = np.asarray(Image.fromarray(rgb).convert("HSV"))[..., 0] * np.float32(360 / 256)
    chroma = np.ptp(rgb.astype(np.int16), axis=-1)
    cold = _between(hue, COLD_INK_HUES_DEG) & (chroma > COLD_INK_CHROMA_MIN)
    blue = _between(hue, BLUE_INK_HUES_DEG) & (chroma > BLUE_INK_CHROMA_MIN)
    blue &= rgb[..., 0] < BLUE_INK_RED_MAX
    warm = (hue > RED_INK_HUES_DEG[0]) | (hue <= RED_INK_HUES_DEG[1])
    warm &= (rgb[..., 1] < RED_INK_GREEN_MAX) | _between(hue, ORANGE_INK_HUES_DEG)
    warm &= chroma > RED_INK_CHROMA_MIN
    return np.asarray((density.max(axis=-1) > INK_DENSITY_MIN) & (cold | blue | warm))


def _between(hue: NDArray[np.float32], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((hue > bounds[0]) & (hue < bounds[1]))


def _black(rgb: NDArray[np.uint8], density: NDArray[np.float32]) -> NDArray[np.bool_]:
    grey = np.abs(stain_excess(density)) < STAIN_SHARE_MIN * density.mean(axis=-1)
    return np.asarray((rgb.max(axis=-1) < BLACK_MAX) & grey)


def _smooth(density: NDArray[np.float32]) -> NDArray[np.bool_]:
    green = density[..., 1].astype(np.float64)
    mean = ndimage.uniform_filter(green, 5, mode="nearest")
    variance = np.maximum(ndimage.uniform_filter(green**2, 5, mode="nearest") - mean**2, 0)
    smooth = (mean > INK_DENSITY_MIN) & (variance < (SMOOTH_VARIATION_MAX * mean) ** 2)
    return np.asarray(ndimage.binary_dilation(smooth, iterations=4) if smooth.any() else smooth)


def stain_density(rgb: NDArray[np.uint8], where: NDArray[np.bool_] | None = None) -> StainDensity | None:
    """Return the median optical density of stained pixels.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
        Mean colours of 8 µm of slide each.
    where : ndarray of bool, shape (h, w), optional
        Only these pixels.

    Returns
    -------
    StainDensity or None
        None where fewer than 16 pixels carry stain.
    """
    density = optical_density(rgb)
    kept = stained(density, NO_GLASS) if where is None else stained(density, NO_GLASS) & where
    if np.count_nonzero(kept) < PIXELS_MIN:
        return None
    red, green, blue = (round(float(value), 4) for value in np.median(density[kept], axis=0))
    return red, green, blue
