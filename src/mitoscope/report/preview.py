"""A slide at a glance: three small pictures in a row, for pages that show many slides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mitoscope.figure import HOT_SPOT
from mitoscope.geometry import BoxPx
from mitoscope.report.close_up import read_window
from mitoscope.report.findings import Findings
from mitoscope.report.overview import read_overview
from mitoscope.report.pictures import encode
from mitoscope.slide import Plane, Slide

SIDE_PX = 112
"""Side of each of the pictures: the slide with its hot spot, the hot spot, its figure of highest score."""
FIGURE_UM = 48.0
"""Side of what is shown around the figure."""
_READ_PX = 2 * SIDE_PX
_QUALITY = 74


def draw_preview(findings: Findings, slide: Slide) -> bytes:
    """Return the three pictures side by side as JPEG; what does not exist is white.

    Raises
    ------
    SlideReadError
        If the slide's file goes away.
    """
    strip = Image.new("RGB", (3 * SIDE_PX, SIDE_PX), (255, 255, 255))
    rgb, frame = read_overview(slide, _READ_PX)
    overview = _fitted(rgb)
    if (window := findings.window) is not None:
        if (seen := frame.place_box(window)) is not None:
            scale = overview.width / frame.width
            corner = (seen.x * scale, seen.y * scale)
            ends = ((seen.x + seen.width) * scale - 1, (seen.y + seen.height) * scale - 1)
            ImageDraw.Draw(overview).rectangle((*corner, *ends), outline=HOT_SPOT, width=2)
        _put(strip, 1, _fitted(read_window(slide, window, _READ_PX)[0]))
        shown = findings.counted & findings.in_window
        if shown.any():
            # Candidates stand by descending score.
            x, y = findings.candidates.points_px0[int(np.argmax(shown))].tolist()
            _put(strip, 2, _fitted(_around(slide, x, y)))
    _put(strip, 0, overview)
    return encode(np.asarray(strip), quality=_QUALITY)


def _fitted(rgb: NDArray[np.uint8]) -> Image.Image:
    """Return pixels, shape (h, w, 3), as large as they fit into a square."""
    height, width = rgb.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(np.ascontiguousarray(rgb)).resize(size, Image.Resampling.LANCZOS)


def _put(strip: Image.Image, place: int, one: Image.Image) -> None:
    """Put a picture into the middle of its square."""
    x, y = (SIDE_PX - one.width) // 2, (SIDE_PX - one.height) // 2
    strip.paste(one, (place * SIDE_PX + x, y))


def _around(slide: Slide, x_px0: float, y_px0: float) -> NDArray[np.uint8]:
    plane = Plane(slide, max(FIGURE_UM / SIDE_PX, slide.info.mpp.mean))
    x, y = plane.from_px0(np.array([[x_px0, y_px0]]))[0].tolist()
    side = max(1, round(FIGURE_UM / plane.mpp[0]))
    return plane.read(BoxPx(round(x - side / 2), round(y - side / 2), side, side)).rgb
