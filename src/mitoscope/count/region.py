"""Regions drawn by hand: polygons with holes in level-0 pixels, such as the outline of a tumour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import RegionError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.tissue import TissueMask

MASK_MPP = 8.0
"""µm per pixel of the mask that stands in for a region where no tissue mask is given."""

Ring = NDArray[np.float64]


def _ring(points_px0: ArrayLike) -> Ring:
    ring = np.array(points_px0, dtype=np.float64).reshape(-1, 2)
    if len(ring) > 1 and (ring[0] == ring[-1]).all():
        ring = ring[:-1]
    if len(ring) < 3:
        raise RegionError(f"a polygon of {len(ring)} corners has no area", mend="draw at least 3 corners")
    if not np.isfinite(ring).all():
        raise RegionError("a polygon with NaN or infinite coordinates")
    ring.flags.writeable = False
    return ring


@dataclass(frozen=True, eq=False)
class Polygon:
    """A polygon with holes; a point is inside by the even-odd rule over all rings.

    Parameters
    ----------
    exterior : ndarray of float64, shape (n, 2)
        Corners in level-0 pixels; the first need not be repeated at the end.
    holes : tuple of ndarray
        Rings that are cut out.

    Raises
    ------
    RegionError
        If a ring has fewer than 3 corners or a coordinate is not finite.
    """

    exterior: Ring
    holes: tuple[Ring, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "exterior", _ring(self.exterior))
        object.__setattr__(self, "holes", tuple(_ring(hole) for hole in self.holes))

    @property
    def rings(self) -> tuple[Ring, ...]:
        """Exterior and holes."""
        return self.exterior, *self.holes

    def area_mm2(self, mpp: Mpp) -> float:
        """Area without the holes, in mm² (shoelace formula; rings must not cross themselves)."""
        outer, *holes = (_shoelace(ring) for ring in self.rings)
        return max(outer - sum(holes), 0.0) * mpp.pixel_area_mm2

    def contains(self, points_px0: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say of each point, shape (n, 2), whether it is inside."""
        order = np.argsort(points_px0[:, 1], kind="stable")
        x, y = points_px0[order, 0], points_px0[order, 1]
        odd = np.zeros(len(order), np.bool_)
        for (x_a, y_a), (x_b, y_b) in self._edges():
            # An edge concerns the points on its rows [y_a, y_b) only: found by bisection, not by comparing.
            first, last = np.searchsorted(y, [y_a, y_b])
            rows = slice(first, last)
            odd[rows] ^= x[rows] < x_a + (y[rows] - y_a) * ((x_b - x_a) / (y_b - y_a))
        inside = np.empty_like(odd)
        inside[order] = odd
        return inside

    def _edges(self) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
        """Yield the edges that are not horizontal, upper end first."""
        for ring in self.rings:
            for start, end in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
                if start[1] != end[1]:
                    upper, lower = (start, end) if start[1] < end[1] else (end, start)
                    yield (upper[0], upper[1]), (lower[0], lower[1])

    def _toggles(self, scale: tuple[float, float], shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return a mask of the pixels whose centre is inside, shape (h, w)."""
        crossings = np.zeros((shape[0], shape[1] + 1), np.int32)
        for (x_a, y_a), (x_b, y_b) in self._edges():
            first, last = (int(np.clip(np.ceil(y / scale[1] - 0.5), 0, shape[0])) for y in (y_a, y_b))
            rows = np.arange(first, last)
            x = x_a + ((rows + 0.5) * scale[1] - y_a) * ((x_b - x_a) / (y_b - y_a))
            # Centres left of the edge change sides: those of columns [0, column).
            column = np.clip(np.ceil(x / scale[0] - 0.5), 0, shape[1]).astype(np.intp)
            crossings[rows, 0] += 1
            crossings[rows, column] += 1
        return np.asarray(crossings[:, :-1].cumsum(axis=1) % 2 == 1)


def _shoelace(ring: Ring) -> float:
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


@dataclass(frozen=True, eq=False)
class Region:
    """The union of polygons.

    Parameters
    ----------
    polygons : tuple of Polygon
        At least one.
    name : str
        What the region shows, for reports.

    Raises
    ------
    RegionError
        If there is no polygon.
    """

    polygons: tuple[Polygon, ...]
    name: str = "tumour"

    def __post_init__(self) -> None:
        if not self.polygons:
            raise RegionError("a region without a polygon", mend="draw at least one polygon")

    @property
    def bounds_px0(self) -> BoxPx0:
        """Smallest box that holds all polygons."""
        corners = np.concatenate([polygon.exterior for polygon in self.polygons])
        low, high = corners.min(axis=0), corners.max(axis=0)
        return BoxPx0(low[0], low[1], *(high - low))

    def contains(self, points_px0: ArrayLike) -> NDArray[np.bool_]:
        """Say of each point, shape (n, 2), whether it lies in one of the polygons."""
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        inside = np.zeros(len(points), np.bool_)
        for polygon in self.polygons:
            inside |= polygon.contains(points)
        return inside

    def restrict(self, tissue: TissueMask) -> TissueMask:
        """Return the tissue inside the region; a mask pixel belongs to it if its centre does."""
        shape = tissue.mask.shape[0], tissue.mask.shape[1]
        inside = np.zeros(shape, np.bool_)
        for polygon in self.polygons:
            inside |= polygon._toggles(tissue.px0_per_pixel, shape)
        return TissueMask(
            tissue.mask & inside, tissue.px0_per_pixel, tissue.mpp, tissue.slide_size, tissue.unread_px0
        )

    def mask(self, *, mpp: Mpp, slide_size: SizePx) -> TissueMask:
        """Return the region as a mask of its own at about 8 µm per pixel."""
        scale = max(1.0, MASK_MPP / mpp.x), max(1.0, MASK_MPP / mpp.y)
        shape = int(np.ceil(slide_size.height / scale[1])), int(np.ceil(slide_size.width / scale[0]))
        return self.restrict(TissueMask(np.ones(shape, np.bool_), scale, mpp, slide_size))

    def area_mm2(self, mpp: Mpp) -> float:
        """Sum of the areas of the polygons in mm²; where polygons overlap, the common part counts twice."""
        return sum(polygon.area_mm2(mpp) for polygon in self.polygons)
