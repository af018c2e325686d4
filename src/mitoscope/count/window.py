"""The window that is counted over: its shape, its size in pixels, what lies in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import ConfigError, RegionError
from mitoscope.geometry import HPF_AREA_MM2, Aspect, BoxPx0, Mpp, SizePx
from mitoscope.region import Region

TEN_HPF_MM2 = 10 * HPF_AREA_MM2
"""Area over which mitotic figures are counted: ten high-power fields, 2.37 mm² (CCMCT and CMC papers)."""
FIELD_ASPECT = Aspect(4, 3)
"""Width to height of that area (CCMCT and CMC papers)."""
COVERED_MIN = 0.95
"""Share of the window that must be tissue for the window to be said to fit."""
AREA_MAX_MM2 = 25e3
"""A glass slide is 25 × 76 mm, the largest ones ten times that."""
_ROUNDING = 1e-9
"""Where coordinates are rounded, what touches the edge of a circle is inside."""
_QUARTER_CORNERS = 64
"""Corners of a quarter of a circle where an area inside of it is needed as a polygon."""


class WindowShape(StrEnum):
    """What a window looks like; a square is a rectangle of aspect 1:1."""

    RECTANGLE = "rectangle"
    CIRCLE = "circle"

    @classmethod
    def parse(cls, text: str) -> WindowShape:
        """Read the name of a shape.

        Raises
        ------
        ConfigError
            If there is none of that name.
        """
        try:
            return cls(text)
        except ValueError:
            known = ", ".join(cls)
            raise ConfigError(f"no shape {text!r}", where="--shape", mend=f"known shapes: {known}") from None


@dataclass(frozen=True, slots=True)
class Window:
    """A window as it lies on a slide.

    Parameters
    ----------
    box_px0 : BoxPx0
        The rectangle, or the box around the circle, in level-0 pixels. Where pixels are not square the circle
        of the slide is an ellipse of pixels, which fills the box.
    shape : WindowShape
        A rectangle spans [x, x + width) × [y, y + height); the edge of a circle belongs to it.
    """

    box_px0: BoxPx0
    shape: WindowShape = WindowShape.RECTANGLE

    def holds(self, points_px0: ArrayLike) -> NDArray[np.bool_]:
        """Say of each point, shape (n, 2), whether it lies in the window."""
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        box = self.box_px0
        if self.shape is WindowShape.CIRCLE:
            across = (points[:, 0] - (box.x + box.width / 2)) / (box.width / 2)
            down = (points[:, 1] - (box.y + box.height / 2)) / (box.height / 2)
            return np.asarray(across**2 + down**2 <= 1 + _ROUNDING)
        in_columns = (points[:, 0] >= box.x) & (points[:, 0] < box.right)
        return np.asarray(in_columns & (points[:, 1] >= box.y) & (points[:, 1] < box.bottom))

    def area_mm2(self, mpp: Mpp) -> float:
        """Return its area."""
        return self.box_px0.area_mm2(mpp) * (math.pi / 4 if self.shape is WindowShape.CIRCLE else 1)

    @property
    def region(self) -> Region:
        """The window as a region; a circle as the polygon of 256 corners that has its area."""
        box = self.box_px0
        if self.shape is WindowShape.RECTANGLE:
            return Region.of_box(box, "window")
        turn = np.arange(4 * _QUARTER_CORNERS) * (math.pi / 2 / _QUARTER_CORNERS)
        step = math.pi / 2 / _QUARTER_CORNERS
        out = math.sqrt(step / math.sin(step))
        x = box.x + box.width / 2 * (1 + out * np.cos(turn))
        y = box.y + box.height / 2 * (1 + out * np.sin(turn))
        return Region(shapely.Polygon(np.column_stack([x, y])), "window")


def window_size(
    area_mm2: float, *, aspect: Aspect, mpp: Mpp, shape: WindowShape = WindowShape.RECTANGLE
) -> SizePx:
    """Return the window's size in whole level-0 pixels; of a circle that of the box around it.

    Notes
    -----
    W = √(A · 4/3) · 1000 / mpp is cut and H = √(A · 3/4) · 1000 / mpp rounded to whole pixels. That gives
    both published windows of ten high-power fields (2.37 mm²): 7110 × 5333 px at 0.25 µm/px and 7017 × 5263
    px at 0.2533 µm/px (evaluation code of the CMC and CCMCT papers). A circle has no aspect; its diameter is
    rounded.

    Raises
    ------
    RegionError
        If the area is not positive or less than a pixel.
    """
    if not (math.isfinite(area_mm2) and area_mm2 > 0):
        raise RegionError(f"an area of {area_mm2:g} mm² is not positive", mend="give e.g. --area 2.37")
    if area_mm2 > AREA_MAX_MM2:
        raise RegionError(f"an area of {area_mm2:g} mm² is larger than a slide", mend="give e.g. --area 2.37")
    if shape is WindowShape.CIRCLE:
        diameter_um = math.sqrt(area_mm2 * 4 / math.pi) * 1000
        width, height = round(diameter_um / mpp.x), round(diameter_um / mpp.y)
    else:
        width_um, height_um = aspect.size_um(area_mm2)
        # Rounding to a millionth keeps 4000 from becoming 3999.9999999 and then 3999.
        width, height = int(round(width_um / mpp.x, 6)), round(height_um / mpp.y)
    if width < 1 or height < 1:
        raise RegionError(f"an area of {area_mm2:g} mm² is less than a pixel", mend="give e.g. --area 2.37")
    return SizePx(width, height)
