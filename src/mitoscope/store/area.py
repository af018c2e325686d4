"""The area of polygons on a slide, in mm²."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import Mpp, SizePx
from mitoscope.store.kinds import RegionKind
from mitoscope.store.records import Region

SCAN_LINES = 8192
"""Lines over the height of the regions; the area of a polygon drawn by hand is then exact to about 10⁻⁴."""


def tumour_area_mm2(regions: Sequence[Region], mpp: Mpp, *, size: SizePx | None = None) -> float:
    """Return the area inside of any tumour region and outside of every exclusion region of one slide.

    Regions may overlap and cross themselves (even-odd rule within a region, union between regions), and
    reach beyond the slide, where nothing is counted if its size is known. CCMCT and CMC filled the polygons
    in the lowest level of the pyramid with their boundary pixels, which gives 0.13 % more (measured on CCMCT:
    4,842.1 mm² against 4,835.9 mm²).

    Parameters
    ----------
    regions : sequence of Region
        Of one slide.
    mpp : Mpp
        µm per level-0 pixel.
    size : SizePx, optional
        Of the slide, in level-0 pixels.

    Returns
    -------
    float
        Area in mm²; 0 where there is no tumour region.
    """
    tumour = [one.vertices_px0 for one in regions if one.kind is RegionKind.TUMOUR]
    exclusion = [one.vertices_px0 for one in regions if one.kind is RegionKind.EXCLUSION]
    if not tumour:
        return 0.0
    top, bottom = _extent(np.concatenate(tumour)[:, 1], None if size is None else size.height)
    if bottom <= top:
        return 0.0
    step = (bottom - top) / SCAN_LINES
    right = np.inf if size is None else float(size.width)
    left = -np.inf if size is None else 0.0
    lines = np.asarray(top + (np.arange(SCAN_LINES) + 0.5) * step, dtype=np.float64)
    spans = [_spans(one, lines, left=left, right=right) for one in (*tumour, *exclusion)]
    is_hole = np.repeat([False] * len(tumour) + [True] * len(exclusion), [len(x) for _, x in spans])
    line, x = (np.concatenate(parts) for parts in zip(*spans, strict=True))
    return float(_length(line, x, is_hole) * step * mpp.pixel_area_mm2)


def _extent(y: NDArray[np.float64], height: int | None) -> tuple[float, float]:
    top, bottom = float(y.min()), float(y.max())
    return (top, bottom) if height is None else (max(top, 0.0), min(bottom, float(height)))


def _spans(
    vertices: NDArray[np.float64], lines: NDArray[np.float64], *, left: float, right: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return where lines cross the polygon: the line and the clipped x, in order; in and out in turn."""
    start, end = vertices, np.roll(vertices, -1, axis=0)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    # Half-open edges: a line through a vertex crosses exactly one of the two edges that meet there.
    first, last = np.searchsorted(lines, low, side="left"), np.searchsorted(lines, high, side="left")
    counts = last - first
    edge = np.repeat(np.arange(len(vertices)), counts)
    offset = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    line = first[edge] + offset
    slope = (end[edge, 0] - start[edge, 0]) / (end[edge, 1] - start[edge, 1])
    x = start[edge, 0] + slope * (lines[line] - start[edge, 1])
    order = np.lexsort((x, line))
    return line[order], np.clip(x[order], left, right)


def _length(line: NDArray[np.intp], x: NDArray[np.float64], is_hole: NDArray[np.bool_]) -> float:
    """Return the length of all lines within any of some spans and none of the holes."""
    # A line crosses each polygon an even number of times: in and out take turns over all lines.
    sign = np.tile([1, -1], len(x) // 2)
    order = np.lexsort((x, line))
    # Outside of all polygons both depths are nought, and so from the end of one line to the next.
    depth = np.cumsum(np.where(is_hole, 0, sign)[order])
    hole_depth = np.cumsum(np.where(is_hole, sign, 0)[order])
    covered = (depth[:-1] > 0) & (hole_depth[:-1] == 0)
    return float(np.diff(x[order])[covered].sum())
