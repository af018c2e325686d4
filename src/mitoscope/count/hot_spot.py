"""The hot spot, and the density of figures in a window moved about."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mitoscope.count.circle import check_fits, fullest_circles
from mitoscope.count.sweep import most_in_window, prune
from mitoscope.count.window import FIELD_ASPECT, TEN_HPF_MM2, Window, WindowShape, window_size
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx
from mitoscope.tissue import TissueMask

TIES_MAX = 4096
"""Of more equal windows than this, the first ones in reading order are compared by their tissue."""
PRUNE_FROM = 2000
"""With fewer points the exact sweep takes a few milliseconds."""
EMPTY_STEPS = 8
"""Without a single figure, windows at every eighth of their size are compared by their tissue."""
CELL_PX0 = 32
"""Side of a cell of the density map in level-0 pixels, as in SlideRunner's mitotic-count heat map."""
CELLS_MAX = 4_000_000
"""Larger maps use cells of twice, four times ... the side."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HotSpot:
    """The window with the most figures.

    Attributes
    ----------
    count : int
        Figures that the window holds.
    box_px0 : BoxPx0
        The window in level-0 pixels; of a circle the box around it.
    shape : WindowShape
        A rectangle, or a circle.
    """

    count: int
    box_px0: BoxPx0
    shape: WindowShape = WindowShape.RECTANGLE

    @property
    def window(self) -> Window:
        """Where it lies."""
        return Window(self.box_px0, self.shape)


def find_hot_spot(
    points_px0: Floats,
    *,
    window: SizePx,
    slide_size: SizePx,
    tissue: TissueMask | None = None,
    shape: WindowShape = WindowShape.RECTANGLE,
) -> HotSpot:
    """Find the window that holds the most points, over all placements within the slide: exact.

    Parameters
    ----------
    points_px0 : ndarray of float64, shape (n, 2)
        Points within the slide, [0, width) × [0, height), in level-0 pixels.
    window : SizePx
        Size of the window; where the slide is smaller, the window is cut off at the slide.
    slide_size : SizePx
        Size of level 0.
    tissue : TissueMask, optional
        Of equal windows the one with the most tissue is taken (of circles: in the box around), then the
        topmost, then the leftmost.
    shape : WindowShape, default rectangle
        What is moved about: a rectangle of this size, or the circle in it.

    Returns
    -------
    HotSpot
        Centred on the points it holds as far as the slide allows. Without any point: the window with the
        most tissue.

    Raises
    ------
    RegionError
        If a circle is larger than the slide.
    """
    if shape is WindowShape.CIRCLE:
        check_fits(window, slide_size)
    width, height = min(window.width, slide_size.width), min(window.height, slide_size.height)
    free = np.array([slide_size.width - width, slide_size.height - height], dtype=np.float64)
    count, origins = 0, np.empty((0, 2))
    if len(points_px0) and shape is WindowShape.CIRCLE:
        count, origins = fullest_circles(points_px0, window=window, slide_size=slide_size)
    elif len(points_px0):
        points = _promising(points_px0, width=width, height=height)
        count, upper_edges = most_in_window(points, width=width, height=height)
        extents = _extents(points, upper_edges, width=width, height=height, count=count)
        origins = _centred(extents, np.array([width, height], dtype=np.float64), free)
    if not len(origins):
        origins = _even_origins(free, width=width, height=height)
    x, y = _preferred(origins, tissue, width=width, height=height)
    return HotSpot(count, BoxPx0(x, y, width, height), shape)


def _promising(points: Floats, *, width: int, height: int) -> Floats:
    if len(points) < PRUNE_FROM:
        return points

    def most(some: Floats) -> int:
        return most_in_window(some, width=width, height=height)[0]

    return prune(points, width=width, height=height, most=most)


def _extents(points: Floats, upper_edges: Floats, *, width: float, height: float, count: int) -> Floats:
    """Return left, upper, right and lower bound of each set of points that fills a window, shape (k, 4)."""
    by_y = points[np.argsort(points[:, 1], kind="stable")]
    first = np.searchsorted(by_y[:, 1], upper_edges, side="left")
    last = np.searchsorted(by_y[:, 1], upper_edges + height, side="left")
    extents: list[tuple[float, float, float, float]] = []
    for upper, start_row, stop_row in zip(upper_edges.tolist(), first.tolist(), last.tolist(), strict=True):
        band = by_y[start_row:stop_row]
        band = band[np.argsort(band[:, 0], kind="stable")]
        starts = np.searchsorted(band[:, 0], band[:, 0], side="left")
        stops = np.searchsorted(band[:, 0], band[:, 0] + width, side="left")
        for start in np.unique(starts[stops - starts == count]).tolist():
            held = band[start : start + count]
            low, high = held.min(axis=0).tolist(), held.max(axis=0).tolist()
            # A set that does not touch this edge is met again at the edge it touches.
            if low[1] == upper:
                extents.append((*low, *high))
        if len(extents) >= TIES_MAX:
            break
    return np.array(extents[:TIES_MAX])


def _centred(extents: Floats, size: Floats, free: Floats) -> Floats:
    """Return the origins of the windows that have these points in their middle, as far as the slide allows.

    They hold the same points as before: all of the set, and more than that no window can hold.
    """
    low, high = extents[:, :2], extents[:, 2:]
    middle = (low + high - size) / 2
    # Where the rounding of a sum would lose a point, the window stays where it touches its first ones.
    origins = np.minimum(low, free)
    for wanted in (middle, np.floor(middle)):
        moved = np.clip(wanted, 0.0, free)
        holds: NDArray[np.bool_] = np.asarray(((low >= moved) & (high < moved + size)).all(axis=1))
        origins = np.where(holds[:, None], moved, origins)
    return origins


def _even_origins(free: Floats, *, width: int, height: int) -> Floats:
    x = np.unique(np.append(np.arange(0.0, free[0], max(1, width // EMPTY_STEPS)), free[0]))
    y = np.unique(np.append(np.arange(0.0, free[1], max(1, height // EMPTY_STEPS)), free[1]))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _preferred(origins: Floats, tissue: TissueMask | None, *, width: int, height: int) -> tuple[float, float]:
    area = np.zeros(len(origins))
    if tissue is not None:
        # Sums of areas carry rounding errors; equal areas must stay equal: 1e-9 mm² is 0.001 µm².
        area = np.round(tissue.areas_in(origins, width_px0=width, height_px0=height), 9)
    best = np.lexsort((origins[:, 0], origins[:, 1], -area))[0]
    return float(origins[best, 0]), float(origins[best, 1])


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
