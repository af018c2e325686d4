"""The overview: the whole slide with its tissue, its mitotic figures and the hot spot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx0
from mitoscope.region import Region
from mitoscope.report.pictures import (
    Frame,
    PagePicture,
    Rectangle,
    ScaleBar,
    fit_frame,
    picture,
    thin_out,
    tissue_outlines,
)
from mitoscope.slide import Slide, SlideInfo, read_thumbnail
from mitoscope.tissue import TissueMask

_PICTURE_SIDE_PX = 1400
_READ_SIDE_MAX_PX = 4200
_DRAWN_MAX = 2000
_RING_RADIUS_UM = 12.0
_RING_RADIUS_MIN_PX = 10.0
_SHOWN_MAX_PX = (760.0, 520.0)


@dataclass(frozen=True, slots=True)
class Dots:
    """Marks as one SVG path, drawn twice: a dark casing of one width, the colour of the other on it."""

    path: str
    casing_width: float
    width: float
    rings: bool


@dataclass(frozen=True, slots=True)
class SlideOverview:
    """The overview in picture pixels."""

    picture: PagePicture
    width: float
    height: float
    unit: float
    tissue_path: str
    counted_path: str
    gaps: tuple[Rectangle, ...]
    region: Rectangle | None
    figures: Dots
    hot_spot: Rectangle | None
    hot_spot_key: str
    scale_bar: ScaleBar


def draw_overview(
    slide: Slide,
    *,
    points_px0: NDArray[np.float64],
    hot_spot: BoxPx0 | None,
    hot_spot_key: str,
    tissue: TissueMask,
    gaps: tuple[BoxPx0, ...],
    region: BoxPx0 | None,
    counted_on: Region | None = None,
) -> SlideOverview:
    """Read and lay out the overview: figures, shape (n, 2), hot spot, gaps and region are in level-0 px.

    The tissue and `counted_on`, where figures are counted if not on all tissue, are outlines; gaps are
    hatched; the region is the part that was searched, where it is not the whole slide.
    """
    rgb, frame = read_overview(slide)
    return SlideOverview(
        picture=picture(rgb, quality=80),
        width=frame.width,
        height=frame.height,
        unit=frame.unit,
        tissue_path=frame.outline_path(tissue_outlines(tissue)),
        counted_path="" if counted_on is None else frame.outline_path(counted_on.rings),
        gaps=frame.place_boxes(gaps),
        region=None if region is None else frame.place_box(region),
        figures=_dots(points_px0, frame),
        hot_spot=None if hot_spot is None else frame.place_box(hot_spot),
        hot_spot_key=hot_spot_key,
        scale_bar=frame.scale_bar(),
    )


def scanned_box(info: SlideInfo) -> BoxPx0:
    """Return the part of the slide that the vendor calls scanned, else the whole slide."""
    if info.bounds is None:
        return BoxPx0(0, 0, info.size.width, info.size.height)
    bounds = info.bounds
    return BoxPx0(bounds.x, bounds.y, bounds.width, bounds.height)


def read_overview(slide: Slide, side_px: int = _PICTURE_SIDE_PX) -> tuple[NDArray[np.uint8], Frame]:
    """Read what was scanned, its longer side at about a number of pixels."""
    size, box = slide.info.size, scanned_box(slide.info)
    enlarged = max(size.width, size.height) / max(box.width, box.height)
    rgb = read_thumbnail(slide, min(math.ceil(side_px * enlarged), _READ_SIDE_MAX_PX)).rgb
    scale_x, scale_y = rgb.shape[1] / size.width, rgb.shape[0] / size.height
    left, top = math.floor(box.x * scale_x), math.floor(box.y * scale_y)
    right, bottom = math.ceil(box.right * scale_x), math.ceil(box.bottom * scale_y)
    cut = rgb[top:bottom, left:right]
    seen = BoxPx0(left / scale_x, top / scale_y, cut.shape[1] / scale_x, cut.shape[0] / scale_y)
    frame = fit_frame(seen, slide.info.mpp, picture_px=(cut.shape[1], cut.shape[0]), shown_max=_SHOWN_MAX_PX)
    return cut, frame


def _dots(points_px0: NDArray[np.float64], frame: Frame) -> Dots:
    """Return marks for points: dots, or rings where the overview is near enough to show figures."""
    points, unit = frame.place_points(points_px0), frame.unit
    ring = _RING_RADIUS_UM / frame.mpp.x * frame.px_per_px0_x
    if ring > _RING_RADIUS_MIN_PX * unit:
        turn = f"a{ring:.1f},{ring:.1f} 0 1,0 "
        rings = (
            f"M{x - ring:.1f},{y:.1f}{turn}{2 * ring:.1f},0{turn}{-2 * ring:.1f},0"
            for x, y in points.tolist()
        )
        return Dots("".join(rings), 4.2 * unit, 2.2 * unit, rings=True)
    radius = _dot_radius(len(points))
    rows = thin_out(points, radius * unit) if len(points) > _DRAWN_MAX else slice(None)
    # A stroke of no length with round ends is a dot.
    dots = "".join(f"M{x:.1f},{y:.1f}h0" for x, y in points[rows].tolist())
    return Dots(dots, 2 * (radius + 1) * unit, 2 * radius * unit, rings=False)


def _dot_radius(n: int) -> float:
    """Return the radius of a dot in CSS pixels: many dots are drawn smaller."""
    return 3.4 if n <= 200 else 2.6 if n <= 2000 else 1.8
