"""The close-up: the hot spot with its mitotic figures, ringed and numbered."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import MPP_MAX, BoxPx, BoxPx0
from mitoscope.report.pictures import Frame, PagePicture, Rectangle, ScaleBar, fit_frame, picture, thin_out
from mitoscope.slide import Plane, Slide

_PICTURE_WIDTH_PX = 1560
_SHOWN_MAX_PX = (780.0, 640.0)
_MARGIN_SHARE = 0.03
_RING_RADIUS_UM = 15.0
_RING_RADIUS_MIN_PX = 7.0
_RING_RADIUS_MAX_PX = 26.0
_NUMBERED_MAX = 120
_DRAWN_MAX = 1000
_FONT_PX = 12.0
_DIGIT_PX = 7.6
_GAP_PX = 3.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A ring around a figure and its number, in picture pixels; the text begins at its lower left corner."""

    x: float
    y: float
    rank: int
    text_x: float
    text_y: float


@dataclass(frozen=True, slots=True)
class CloseUp:
    """The close-up in picture pixels."""

    picture: PagePicture
    width: float
    height: float
    unit: float
    gaps: tuple[Rectangle, ...]
    marks: tuple[Mark, ...]
    numbered: bool
    radius: float
    hot_spot: Rectangle | None
    scale_bar: ScaleBar
    caption: str


def draw_close_up(
    slide: Slide,
    box: BoxPx0,
    *,
    points_px0: NDArray[np.float64],
    ranks: NDArray[np.int64],
    gaps: tuple[BoxPx0, ...],
    caption: str,
) -> CloseUp:
    """Read the hot spot and mark its mitotic figures, points of shape (n, 2) in level-0 px.

    Ranks, shape (n,), are their places among all candidates by score, from 1. Gaps are hatched.
    """
    rgb, frame = read_window(slide, box)
    radius = float(
        np.clip(
            _RING_RADIUS_UM / frame.mpp.x * frame.px_per_px0_x,
            _RING_RADIUS_MIN_PX * frame.unit,
            _RING_RADIUS_MAX_PX * frame.unit,
        )
    )
    placed = frame.place_points(points_px0)
    rows = thin_out(placed, radius / 2) if len(placed) > _DRAWN_MAX else slice(None)
    return CloseUp(
        picture=picture(rgb, quality=80),
        width=frame.width,
        height=frame.height,
        unit=frame.unit,
        gaps=frame.place_boxes(gaps),
        marks=place_marks(placed[rows], ranks[rows], radius=radius, frame=frame),
        numbered=len(points_px0) <= _NUMBERED_MAX,
        radius=radius,
        hot_spot=frame.place_box(box),
        scale_bar=frame.scale_bar(frame.place_box(box)),
        caption=caption,
    )


def read_window(
    slide: Slide, box: BoxPx0, width_px: int = _PICTURE_WIDTH_PX
) -> tuple[NDArray[np.uint8], Frame]:
    """Read the box with a margin, within the slide, at the resolution that fills a picture of a width."""
    size = slide.info.size
    margin = _MARGIN_SHARE * max(box.width, box.height)
    wide = BoxPx0(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
    seen = wide.intersection(BoxPx0(0, 0, size.width, size.height)) or wide
    native = slide.info.mpp.x
    plane = Plane(slide, min(max(native, seen.width * native / width_px), MPP_MAX))
    (left, top), (right, bottom) = plane.from_px0(
        np.array([[seen.x, seen.y], [seen.right, seen.bottom]])
    ).tolist()
    wanted = BoxPx(
        math.floor(left),
        math.floor(top),
        max(1, math.ceil(right) - math.floor(left)),
        max(1, math.ceil(bottom) - math.floor(top)),
    )
    rgb = _narrowed(plane.read(wanted).rgb, width_px)
    scale_x, scale_y = plane.scale
    shown = BoxPx0(wanted.x * scale_x, wanted.y * scale_y, wanted.width * scale_x, wanted.height * scale_y)
    frame = fit_frame(shown, slide.info.mpp, picture_px=(rgb.shape[1], rgb.shape[0]), shown_max=_SHOWN_MAX_PX)
    return rgb, frame


def _narrowed(rgb: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    """Reduce a picture that is still too wide: of a window so large that no plane is coarse enough."""
    height, width = rgb.shape[:2]
    if width <= 1.25 * width_px:
        return rgb
    size = (width_px, max(1, round(height * width_px / width)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))


def place_marks(
    points: NDArray[np.float64], ranks: NDArray[np.int64], *, radius: float, frame: Frame
) -> tuple[Mark, ...]:
    """Place the number of each figure right, left, above or below of it, where it covers least.

    Points, shape (n, 2), and the radius of the rings are in picture px.
    """
    # Boxes (left, top, right, bottom) of what must not be covered: first all rings, then the texts placed.
    taken = np.column_stack([points - radius, points + radius])
    marks = []
    for (x, y), rank in zip(points.tolist(), ranks.tolist(), strict=True):
        options = _options(x, y, rank, radius=radius, unit=frame.unit)
        costs = [_cost(option, taken, frame) for option in options]
        left, top, right, bottom = options[int(np.argmin(costs))]
        taken = np.vstack([taken, (left, top, right, bottom)])
        marks.append(Mark(x, y, rank, left, bottom - 0.15 * _FONT_PX * frame.unit))
    return tuple(marks)


def _options(
    x: float, y: float, rank: int, *, radius: float, unit: float
) -> list[tuple[float, float, float, float]]:
    width, height = _DIGIT_PX * unit * len(str(rank)), _FONT_PX * unit
    far = radius + _GAP_PX * unit
    corners = (
        (x + far, y - height / 2),
        (x - far - width, y - height / 2),
        (x - width / 2, y - far - height),
        (x - width / 2, y + far),
    )
    return [(left, top, left + width, top + height) for left, top in corners]


def _cost(option: tuple[float, float, float, float], taken: NDArray[np.float64], frame: Frame) -> float:
    """Return the area that a text would cover, or would lose beyond the picture, which is worse."""
    left, top, right, bottom = option
    width = np.minimum(taken[:, 2], right) - np.maximum(taken[:, 0], left)
    height = np.minimum(taken[:, 3], bottom) - np.maximum(taken[:, 1], top)
    covered = float((np.clip(width, 0, None) * np.clip(height, 0, None)).sum())
    lost = max(0.0, -left, -top, right - frame.width, bottom - frame.height)
    return covered + 1e6 * lost
