"""The resolution that the size of nuclei suggests, for a slide that states none: a hint, never a resolution.

The nuclei of a tissue differ, and those of tumours more. On the 58 fields of MiDeSeC and BreCaHAD, which were
scanned at 0.25 µm/px, as they are and at 0.5, the true resolution lies within the stated range on 95 %, and
the usual one next to the estimate is right on 88 %. `DIAMETER_UM` was chosen on these fields, so that other
ones do worse: on fields of glioma, oral mucosa and breast of other sets nuclei measure mostly 5 to 8 µm, on
single ones 3 or 16. So it is enough to tell 0.25 from 0.5 in most cases, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.geometry import BoxPx
from mitoscope.tissue.colour import optical_density
from mitoscope.tissue.plausible import DENSITY_MIN, densest_place

if TYPE_CHECKING:
    from mitoscope.slide.slide import Slide

DIAMETER_UM = 8.0
SPREAD = 1.6
"""By this factor either way nuclei of a tissue differ from that diameter."""
USUAL_MPP = 0.125, 0.25, 0.5, 1.0, 2.0
"""Resolutions of scanners: 80×, 40×, 20× and reduced pictures."""
NUCLEI_MIN = 20
WINDOW_PX, WINDOWS = 768, 3
OVERVIEW_PX = 1024
SMOOTHING_PX, OPENINGS, AREA_MIN_PX = 1.0, 2, 20
ELONGATION_MAX = 1.8
FILL = 0.6, 0.9
"""Share of the box around a nucleus that it fills: pi / 4 where it is an ellipse along it."""


@dataclass(frozen=True, slots=True)
class NucleiScale:
    """A resolution by the size of nuclei, in µm/px: the usual one next to it, and the range it may lie in."""

    mpp: float
    low: float
    high: float


def nuclei_scale(slide: Slide) -> NucleiScale | None:
    """Return the resolution that nuclei where a slide is stained most suggest, None where too few are seen.

    Parameters
    ----------
    slide : Slide
        Of whose own resolution no use is made.
    """
    small = slide.thumbnail(OVERVIEW_PX)
    size = slide.info.size
    px0 = np.array([size.width / small.shape[1], size.height / small.shape[0]])
    free = np.ones(small.shape[:2], np.bool_)
    side = WINDOW_PX / px0
    windows = []
    for _ in range(WINDOWS):
        row, column = densest_place(small, free, max(1, round(float(side.min()))))
        x, y = np.array([column, row]) * px0 - WINDOW_PX / 2
        left = round(min(max(x, 0), max(size.width - WINDOW_PX, 0)))
        top = round(min(max(y, 0), max(size.height - WINDOW_PX, 0)))
        box = BoxPx(left, top, min(WINDOW_PX, size.width), min(WINDOW_PX, size.height))
        windows.append(slide.read(box).rgb)
        high, wide = np.maximum(side[::-1].round().astype(np.intp), 1)
        free[max(row - high, 0) : row + high, max(column - wide, 0) : column + wide] = False
    diameter_px = nucleus_diameter(windows)
    if diameter_px is None:
        return None
    mpp = DIAMETER_UM / diameter_px
    usual = min(USUAL_MPP, key=lambda one: abs(float(np.log(one / mpp))))
    return NucleiScale(usual, mpp / SPREAD, mpp * SPREAD)


def nucleus_diameter(windows: Sequence[NDArray[np.uint8]]) -> float | None:
    """Return the diameter in px of the nucleus in which the middle pixel of all nuclei lies.

    By area, not by number: specks and pieces are many, and make little of it.

    Parameters
    ----------
    windows : sequence of ndarray of uint8, shape (h, w, 3)
        Pictures of one resolution.

    Returns
    -------
    float or None
        None where too few nuclei are seen.
    """
    found = np.sort(np.concatenate([_diameters(rgb) for rgb in windows]))
    if len(found) < NUCLEI_MIN:
        return None
    area = np.cumsum(found**2)
    return float(found[np.searchsorted(area, area[-1] / 2)])


def _diameters(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the diameters of the round pieces that absorb red, as haematoxylin does and eosin hardly."""
    density = optical_density(rgb)
    red = ndimage.gaussian_filter(density[..., 0], SMOOTHING_PX)
    stained = red[density.mean(axis=-1) > DENSITY_MIN]
    if not len(stained):
        return np.empty(0)
    dark = ndimage.binary_fill_holes(red > _split(stained))
    labels, _ = ndimage.label(ndimage.binary_opening(dark, iterations=OPENINGS))
    areas = np.bincount(labels.ravel())[1:]
    kept = []
    for area, (rows, columns) in zip(areas.tolist(), ndimage.find_objects(labels), strict=True):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        cut = rows.start == 0 or columns.start == 0
        cut = cut or rows.stop == labels.shape[0] or columns.stop == labels.shape[1]
        is_round = max(height, width) <= ELONGATION_MAX * min(height, width)
        if not cut and is_round and area >= AREA_MIN_PX and FILL[0] < area / (height * width) < FILL[1]:
            kept.append(2 * np.sqrt(area / np.pi))
    return np.array(kept, np.float64)


def _split(values: NDArray[np.floating]) -> float:
    """Return the value that splits others into two groups that differ most (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts)[:-1], len(values)
    sums = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = sums[:-1] / below - (sums[-1] - sums[:-1]) / (total - below)
        between = np.nan_to_num(below * (total - below) * apart**2)
    return float(middles[int(between.argmax())])
