"""The tissue mask: a coarse picture of the slide that answers "is there tissue here, and how much?"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import RegionError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.region import Region
from mitoscope.tissue.colour import StainDensity

REGION_MPP = 8.0
"""µm per pixel of the mask that stands in for a region where no tissue mask is given."""


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Tissue of one slide at about 8 µm per mask pixel.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        True where there is tissue. Mask pixel (row, column) covers level-0 pixels
        [column · sx, (column + 1) · sx) × [row · sy, (row + 1) · sy), cut off at the slide's edge.
    px0_per_pixel : tuple of float
        Level-0 pixels per mask pixel in x and in y: (sx, sy).
    mpp : Mpp
        Resolution of level 0.
    slide_size : SizePx
        Size of level 0.
    unread_px0 : tuple of BoxPx0
        Parts of the slide that could not be read, at any level; they count as no tissue.
    stain : StainDensity, optional
        How densely the tissue is stained; None where there is hardly any, or nobody has looked.
    colour_doubt : str
        Why the colours of the slide cannot be those of H&E; empty where they can, or nobody has looked.
    ink_mm2 : float, optional
        Area of marker pen, and of what is as dark or as even as that; None where nobody has looked.

    Raises
    ------
    RegionError
        If the mask does not cover the slide.
    """

    mask: NDArray[np.bool_]
    px0_per_pixel: tuple[float, float]
    mpp: Mpp
    slide_size: SizePx
    unread_px0: tuple[BoxPx0, ...] = ()
    stain: StainDensity | None = None
    colour_doubt: str = ""
    ink_mm2: float | None = None

    def __post_init__(self) -> None:
        mask = np.array(self.mask, dtype=np.bool_)
        if mask.ndim != 2 or mask.size == 0:
            raise RegionError(
                f"a mask of shape (h, w) with h, w > 0 expected, got {mask.shape}", where="tissue mask"
            )
        covered = mask.shape[1] * self.px0_per_pixel[0], mask.shape[0] * self.px0_per_pixel[1]
        # Levels of a pyramid are rounded down: up to one mask pixel may be missing at the far edges.
        if any(
            have + scale <= want
            for have, scale, want in zip(
                covered, self.px0_per_pixel, (self.slide_size.width, self.slide_size.height), strict=True
            )
        ):
            raise RegionError(
                f"covers {covered[0]:g} × {covered[1]:g} px of a slide of {self.slide_size.width} × "
                f"{self.slide_size.height} px",
                where="tissue mask",
            )
        mask.flags.writeable = False
        object.__setattr__(self, "mask", mask)

    @classmethod
    def of_region(cls, region: Region, *, mpp: Mpp, slide_size: SizePx) -> TissueMask:
        """Return a region as a mask of about 8 µm per pixel: all of it counts as tissue."""
        scale = max(1.0, REGION_MPP / mpp.x), max(1.0, REGION_MPP / mpp.y)
        shape = int(np.ceil(slide_size.height / scale[1])), int(np.ceil(slide_size.width / scale[0]))
        return cls(region.raster(scale, shape), scale, mpp, slide_size)

    def within(self, region: Region) -> TissueMask:
        """Return the tissue inside of a region; a mask pixel belongs to it if its centre does."""
        shape = self.mask.shape[0], self.mask.shape[1]
        return replace(self, mask=self.mask & region.raster(self.px0_per_pixel, shape), stain=None)

    @cached_property
    def area_mm2(self) -> float:
        """Area of all tissue in mm²."""
        return float(self._summed[-1, -1]) * self.mpp.pixel_area_mm2

    def contains(self, points_px0: ArrayLike) -> NDArray[np.bool_]:
        """Say of each point whether it lies on tissue.

        Parameters
        ----------
        points_px0 : array_like, shape (n, 2)
            x and y in level-0 pixels; a point outside of the slide lies on no tissue.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        size = np.array([self.slide_size.width, self.slide_size.height])
        inside: NDArray[np.bool_] = np.asarray(((points >= 0) & (points < size)).all(axis=1))
        index = np.floor(np.where(inside[:, None], points, 0) / self.px0_per_pixel).astype(np.intp)
        column = np.minimum(index[:, 0], self.mask.shape[1] - 1)
        row = np.minimum(index[:, 1], self.mask.shape[0] - 1)
        return np.asarray(inside & self.mask[row, column])

    def area_in(self, box: BoxPx0) -> float:
        """Return the area of tissue in a box, in mm²; what is outside the slide adds nothing."""
        return float(self.areas_in(np.array([[box.x, box.y]]), width_px0=box.width, height_px0=box.height)[0])

    def areas_in(
        self, origins_px0: NDArray[np.float64], *, width_px0: float, height_px0: float
    ) -> NDArray[np.float64]:
        """Return the area of tissue in each of many boxes of one size.

        Parameters
        ----------
        origins_px0 : ndarray, shape (n, 2)
            Upper left corners in level-0 pixels.
        width_px0, height_px0 : float
            Size of every box in level-0 pixels.

        Returns
        -------
        ndarray of float64, shape (n,)
            mm²; exact to the part of a mask pixel.
        """
        left, top = origins_px0[:, 0], origins_px0[:, 1]
        right, bottom = left + width_px0, top + height_px0
        sums = (
            self._below(right, bottom)
            - self._below(left, bottom)
            - self._below(right, top)
            + self._below(left, top)
        )
        return np.maximum(sums, 0.0) * self.mpp.pixel_area_mm2

    def area_inside(self, region: Region, box: BoxPx0) -> float:
        """Return the area of tissue inside of a region in a box, in mm²: exact, however narrow the region is.

        Notes
        -----
        A block of mask pixels that is all tissue adds what the region has in it, one without tissue nothing,
        one that lies wholly inside its tissue; any other is cut in four. What has to be cut lies where the
        edge of the tissue meets that of the region.
        """
        cut = region.shape.intersection(shapely.box(box.x, box.y, box.right, box.bottom))
        columns, rows = self._span(box.x, box.right, axis=0), self._span(box.y, box.bottom, axis=1)
        shapes = np.array([cut], dtype=object)
        blocks = np.array([[columns.start, rows.start, columns.stop, rows.stop]], dtype=np.intp)
        (x, y), summed, total = self._edges, self._summed, 0.0
        error_px2 = 1e-3 * self.px0_per_pixel[0] * self.px0_per_pixel[1]  # sums of areas are rounded
        while len(blocks):
            left, top, right, bottom = blocks.T
            tissue = summed[bottom, right] - summed[bottom, left] - summed[top, right] + summed[top, left]
            some = tissue > error_px2
            blocks, tissue, shapes = blocks[some], tissue[some], shapes[some]
            left, top, right, bottom = blocks.T
            squares = shapely.box(x[left], y[top], x[right], y[bottom])
            shapes = shapely.intersection(shapes, squares)
            inside, square = shapely.area(shapes), shapely.area(squares)
            is_full, is_inner = tissue > square - error_px2, inside > square * (1 - 1e-9)
            total += float(inside[is_full].sum() + tissue[is_inner & ~is_full].sum())
            rest = ~(is_full | is_inner) & (inside > 0) & ((right - left) * (bottom - top) > 1)
            blocks, shapes = _in_four(blocks[rest]), np.tile(shapes[rest], 4)
        return total * self.mpp.pixel_area_mm2

    def bounds_in(self, box: BoxPx0) -> BoxPx0 | None:
        """Return the smallest part of a box that holds all tissue in it, None where there is none.

        Its sides are those of mask pixels, or of the box.
        """
        columns, rows = self._span(box.x, box.right, axis=0), self._span(box.y, box.bottom, axis=1)
        found = self.mask[rows, columns]
        if not found.any():
            return None
        across, down = np.flatnonzero(found.any(axis=0)), np.flatnonzero(found.any(axis=1))
        x, y = self._edges
        left, right = x[columns.start + across[0]], x[columns.start + across[-1] + 1]
        top, bottom = y[rows.start + down[0]], y[rows.start + down[-1] + 1]
        return BoxPx0(float(left), float(top), float(right - left), float(bottom - top)).intersection(box)

    def _span(self, start: float, stop: float, *, axis: int) -> slice:
        scale, length = self.px0_per_pixel[axis], self.mask.shape[1 - axis]
        size = (self.slide_size.width, self.slide_size.height)[axis]
        if stop <= 0 or start >= size:
            return slice(0, 0)
        first = min(int(max(start, 0.0) // scale), length - 1)
        return slice(first, min(max(int(np.ceil(min(stop, size) / scale)), first + 1), length))

    @cached_property
    def _edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # The last pixel is cut off at, or drawn out to, the slide's edge.
        edges = []
        for axis, size in enumerate((self.slide_size.width, self.slide_size.height)):
            edge = np.minimum(np.arange(self.mask.shape[1 - axis] + 1) * self.px0_per_pixel[axis], size)
            edge[-1] = size
            edges.append(edge)
        return edges[0], edges[1]

    @cached_property
    def _summed(self) -> NDArray[np.float64]:
        """Area of tissue left of and above each pixel corner, in square level-0 pixels, (h + 1, w + 1)."""
        x, y = self._edges
        area = self.mask * np.diff(x)[None, :] * np.diff(y)[:, None]
        summed = np.zeros((self.mask.shape[0] + 1, self.mask.shape[1] + 1))
        summed[1:, 1:] = area.cumsum(axis=0).cumsum(axis=1)
        return summed

    def _below(self, x_px0: NDArray[np.float64], y_px0: NDArray[np.float64]) -> NDArray[np.float64]:
        """Area of tissue left of x and above y: bilinear between the corners, which is exact."""
        column, along_x = self._fraction(x_px0, axis=0)
        row, along_y = self._fraction(y_px0, axis=1)
        summed = self._summed
        upper = summed[row, column] * (1 - along_x) + summed[row, column + 1] * along_x
        lower = summed[row + 1, column] * (1 - along_x) + summed[row + 1, column + 1] * along_x
        return np.asarray(upper * (1 - along_y) + lower * along_y)

    def _fraction(
        self, values: NDArray[np.float64], *, axis: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        edges = self._edges[axis]
        clipped = np.clip(values, 0.0, edges[-1])
        index = np.clip(np.searchsorted(edges, clipped, side="right") - 1, 0, len(edges) - 2)
        return index, (clipped - edges[index]) / (edges[index + 1] - edges[index])


def _in_four(blocks: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the quarters of blocks (left, top, right, bottom), shape (n, 4) to (4 n, 4); some are empty."""
    left, top, right, bottom = blocks.T
    x, y = (left + right) // 2, (top + bottom) // 2
    quarters = [(left, top, x, y), (x, top, right, y), (left, y, x, bottom), (x, y, right, bottom)]
    return np.concatenate([np.stack(quarter, axis=1) for quarter in quarters])
