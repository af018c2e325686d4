"""Pictures of a slide inside the page, and the way from level-0 pixels into them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.tissue import TissueMask

_OUTLINE_SIDE_MAX = 420
"""Longest side of the mask whose outline is drawn: finer would not be seen."""
_BAR_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A picture ready for the page: ``data:image/...;base64,...``, and its size in picture px."""

    uri: str
    width: int
    height: int


def encode(rgb: NDArray[np.uint8], *, quality: int = 82) -> bytes:
    """Return pixels, uint8, shape (h, w, 3), as JPEG; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    # WebP takes ten times as long for a fifth less bytes.
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def picture(rgb: NDArray[np.uint8], *, quality: int = 82) -> PagePicture:
    """Return pixels, uint8, shape (h, w, 3), as a picture for the page."""
    return PagePicture(data_uri(encode(rgb, quality=quality), "jpeg"), rgb.shape[1], rgb.shape[0])


def data_uri(content: bytes, kind: Literal["jpeg", "png", "svg+xml"]) -> str:
    """Return an encoded picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle in picture pixels, or the circle in it."""

    x: float
    y: float
    width: float
    height: float
    is_round: bool = False


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A scale bar at its place: left end, top edge and length in picture pixels."""

    label: str
    x: float
    y: float
    length: float
    unit: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a part of a slide, and the way from level-0 px into it.

    Width and height are in picture px. The page shows it `shown_px` CSS px wide; line widths and type are
    measured in these.
    """

    box: BoxPx0
    width: float
    height: float
    mpp: Mpp
    shown_px: float

    @property
    def unit(self) -> float:
        """Picture pixels per CSS pixel at the shown width."""
        return self.width / self.shown_px

    @property
    def px_per_px0_x(self) -> float:
        """Picture pixels per level-0 pixel along the row."""
        return self.width / self.box.width

    @property
    def px_per_px0_y(self) -> float:
        """Picture pixels per level-0 pixel along the column."""
        return self.height / self.box.height

    def place_points(self, points_px0: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points, shape (n, 2), in picture pixels."""
        scale = np.array([self.px_per_px0_x, self.px_per_px0_y])
        return np.asarray((points_px0 - np.array([self.box.x, self.box.y])) * scale)

    def place_box(self, box: BoxPx0) -> Rectangle | None:
        """Return the visible part of a box in picture pixels, None where nothing of it is visible."""
        seen = self.box.intersection(box)
        if seen is None:
            return None
        return Rectangle(
            (seen.x - self.box.x) * self.px_per_px0_x,
            (seen.y - self.box.y) * self.px_per_px0_y,
            seen.width * self.px_per_px0_x,
            seen.height * self.px_per_px0_y,
        )

    def place_boxes(self, boxes: tuple[BoxPx0, ...]) -> tuple[Rectangle, ...]:
        """Return the visible parts of boxes in picture pixels."""
        return tuple(seen for box in boxes if (seen := self.place_box(box)) is not None)

    def outline_path(self, outlines_px0: Iterable[NDArray[np.float64]]) -> str:
        """Return polygons, each of shape (n, 2), as the ``d`` of one SVG path in picture pixels."""
        placed = (self.place_points(outline) for outline in outlines_px0)
        return "".join(f"M{' '.join(f'{x:.1f},{y:.1f}' for x, y in outline.tolist())}Z" for outline in placed)

    def scale_bar(self, within: Rectangle | None = None) -> ScaleBar:
        """Return a scale bar for the lower left corner of the picture, or of a rectangle in it."""
        room = within or Rectangle(0.0, 0.0, self.width, self.height)
        length_um = round_length_um(room.width / self.px_per_px0_x * self.mpp.x)
        margin = 16 * self.unit
        return ScaleBar(
            f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm",
            room.x + margin,
            room.y + room.height - margin,
            length_um / self.mpp.x * self.px_per_px0_x,
            self.unit,
        )


def fit_frame(box: BoxPx0, mpp: Mpp, *, picture_px: tuple[int, int], shown_max: tuple[float, float]) -> Frame:
    """Return the frame of a picture that the page shows as large as fits into a space in CSS px."""
    width, height = picture_px
    shown = min(shown_max[0], shown_max[1] * width / height)
    return Frame(box, float(width), float(height), mpp, shown)


def round_length_um(width_um: float, *, share: float = 0.25) -> float:
    """Return the longest of 1, 2 or 5 times a power of ten within a share of the width: a scale bar."""
    longest_um = width_um * share
    power = 10.0 ** math.floor(math.log10(longest_um))
    step = max(step for step in _BAR_STEPS if step * power <= longest_um * (1 + 1e-9))
    return float(f"{step * power:.6g}")


def thin_out(points: NDArray[np.float64], spacing: float) -> NDArray[np.intp]:
    """Return the rows of points, shape (n, 2), to draw: of those in one cell of a grid the first, in order.

    Points and spacing, the side of a cell, are in picture px.
    """
    cells = np.floor(points / spacing).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return np.sort(first)


def trace_outlines(share: NDArray[np.floating] | NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the borders of what is more than half covered, as polygons.

    Parameters
    ----------
    share : ndarray of float or bool, shape (h, w)
        How much of each pixel is covered; nothing is beyond the edge.

    Returns
    -------
    list of ndarray of float64, shape (n, 2)
        x and y in pixels, pixel 0 spanning [0, 1); holes are polygons of their own, so that the even-odd
        rule fills what is covered.
    """
    from contourpy import contour_generator

    # Values stand at the centres of pixels: beyond the edge one more row and column of nothing.
    contours = contour_generator(z=np.pad(share.astype(np.float64), 1)).lines(0.5)
    return [np.asarray(contour[:-1], dtype=np.float64) - 0.5 for contour in contours]


def tissue_outlines(tissue: TissueMask) -> list[NDArray[np.float64]]:
    """Return the borders of the tissue in level-0 pixels, polygons of shape (n, 2)."""
    share, factor = _block_shares(tissue.mask)
    scale = factor * np.array(tissue.px0_per_pixel)
    # The last mask pixel may reach over the slide's edge.
    size = np.array([tissue.slide_size.width, tissue.slide_size.height], dtype=np.float64)
    return [np.minimum(outline * scale, size) for outline in trace_outlines(share)]


def _block_shares(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], int]:
    """Return how much of each block of a mask is true, and the side of the blocks."""
    factor = -(-max(mask.shape) // _OUTLINE_SIDE_MAX)
    # Blocks that reach over the border repeat its last pixels: a slide full of tissue stays full.
    padded = np.pad(mask, [(0, -side % factor) for side in mask.shape], mode="edge")
    rows, columns = (side // factor for side in padded.shape)
    return padded.reshape(rows, factor, columns, factor).mean(axis=(1, 3)), factor
