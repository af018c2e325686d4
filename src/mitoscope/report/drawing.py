"""Shapes in picture pixels: what the overview, the close-up and the density map have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.report.scale_bar import ScaleBar, fit_scale_bar


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a part of a slide, and the way from level-0 pixels into it.

    Parameters
    ----------
    box : BoxPx0
        The part of the slide.
    width, height : float
        Size of the picture in picture pixels.
    mpp : Mpp
        Resolution of level 0.
    shown_px : float
        Width in CSS pixels at which the page shows the picture; line widths and type are measured in these.
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

    def scale_bar(self, within: Rectangle | None = None) -> PlacedBar:
        """Return a scale bar for the lower left corner of the picture, or of a rectangle in it."""
        room = within or Rectangle(0.0, 0.0, self.width, self.height)
        bar = fit_scale_bar(room.width / self.px_per_px0_x * self.mpp.x)
        margin = 16 * self.unit
        return PlacedBar(
            bar,
            room.x + margin,
            room.y + room.height - margin,
            bar.length_um / self.mpp.x * self.px_per_px0_x,
            self.unit,
        )


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle in picture pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PlacedBar:
    """A scale bar at its place: left end, top edge and length in picture pixels."""

    bar: ScaleBar
    x: float
    y: float
    length: float
    unit: float

    @property
    def label(self) -> str:
        """Length with its unit."""
        return self.bar.label


def thin_out(points: NDArray[np.float64], spacing: float) -> NDArray[np.intp]:
    """Return the rows of points to draw: of those in one cell of a grid only the first, in order.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Points in picture pixels.
    spacing : float
        Side of a cell in picture pixels.
    """
    cells = np.floor(points / spacing).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return np.sort(first)


def fit_frame(box: BoxPx0, mpp: Mpp, *, picture_px: tuple[int, int], shown_max: tuple[float, float]) -> Frame:
    """Return the frame of a picture that the page shows as large as fits into a space.

    Parameters
    ----------
    box : BoxPx0
        The part of the slide that the picture shows.
    mpp : Mpp
        Resolution of level 0.
    picture_px : tuple of int
        Width and height of the picture.
    shown_max : tuple of float
        Largest width and height on the page in CSS pixels.
    """
    width, height = picture_px
    shown = min(shown_max[0], shown_max[1] * width / height)
    return Frame(box, float(width), float(height), mpp, shown)
