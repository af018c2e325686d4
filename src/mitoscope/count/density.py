"""How mitotic figures are spread over a slide: a map of figures per mm²."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mitoscope.count.hot_spot import window_size
from mitoscope.count.mitotic_count import FIELD_ASPECT, TEN_HPF_MM2
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx

CELL_PX0 = 32
"""Side of a map cell in level-0 pixels, as in SlideRunner's mitotic-count heat map."""
CELLS_MAX = 4_000_000
"""Larger maps use cells of twice, four times ... the side."""


@dataclass(frozen=True, eq=False)
class Density:
    """Mitotic figures per mm².

    Attributes
    ----------
    per_mm2 : ndarray of float32, shape (h, w)
        Figures per mm² in the window centred on each cell; beyond the slide there are none.
    cell_px0 : int
        Side of a cell in level-0 pixels.
    box_px0 : BoxPx0
        What the cells cover: the slide, drawn out to whole cells.
    """

    per_mm2: NDArray[np.float32]
    cell_px0: int
    box_px0: BoxPx0


def density(
    points_px0: ArrayLike,
    *,
    mpp: Mpp,
    slide_size: SizePx,
    area_mm2: float = TEN_HPF_MM2,
    aspect: Aspect = FIELD_ASPECT,
) -> Density:
    """Map the density of points by a moving window.

    Parameters
    ----------
    points_px0 : array_like, shape (n, 2)
        Mitotic figures in level-0 pixels; those outside of the slide are left out.
    mpp, slide_size
        Resolution and size of level 0.
    area_mm2, aspect
        The moving window; in whole cells, so the map is for looking, not for counting.

    Raises
    ------
    RegionError
        If the area is not positive.
    """
    window = window_size(area_mm2, aspect=aspect, mpp=mpp)
    cell = CELL_PX0
    while math.ceil(slide_size.width / cell) * math.ceil(slide_size.height / cell) > CELLS_MAX:
        cell *= 2
    shape = math.ceil(slide_size.height / cell), math.ceil(slide_size.width / cell)
    figures = _histogram(np.asarray(points_px0, dtype=np.float64).reshape(-1, 2), cell, slide_size)
    size = max(1, round(window.height / cell)), max(1, round(window.width / cell))
    mean = ndimage.uniform_filter(figures, size, mode="constant", cval=0.0)
    # The running sums of the filter leave residues of 1e-9 where there is nothing.
    per_mm2 = np.maximum(mean, 0.0) / (cell * cell * mpp.pixel_area_mm2)
    per_mm2[per_mm2 < 1e-6] = 0.0
    box = BoxPx0(0, 0, shape[1] * cell, shape[0] * cell)
    return Density(per_mm2.astype(np.float32), cell, box)


def _histogram(points: NDArray[np.float64], cell: int, slide_size: SizePx) -> NDArray[np.float64]:
    shape = math.ceil(slide_size.height / cell), math.ceil(slide_size.width / cell)
    inside = ((points >= 0) & (points < [slide_size.width, slide_size.height])).all(axis=1)
    column, row = (points[inside] // cell).astype(np.intp).T
    return np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
