"""Points, boxes and sizes that know their frame and unit.

Two frames of pixels and one of length:

* **px0**: level-0 pixels of the full slide, origin at the upper left corner of the slide (not of the
  vendor's bounds); the frame of every coordinate that leaves mitoscope.
* **level n**: pixels of pyramid level n, same origin.
* **µm**: micrometres from the same origin.

Pixel coordinates are continuous: the pixel in column 0 spans [0, 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from mitoscope.errors import RegionError, ScaleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MPP_MIN = 0.05
"""Smallest plausible resolution in µm/px (promise 6)."""
MPP_MAX = 5.0
"""Largest plausible resolution in µm/px (promise 6)."""
MPP_ANISOTROPY_MAX = 0.05
"""Largest relative difference of the resolutions in x and y (promise 6)."""
SCALE_TOLERANCE = 0.02
"""Statements of one slide that differ by more state two resolutions."""

TREE_SLACK = 1 + 1e-9
"""A tree is asked for pairs a little farther apart, so that its rounding loses none."""
ASPECT_MAX = 1000.0
"""Most that a window is wider than high, or higher than wide."""
HPF_AREA_MM2 = 0.237
"""Area of one high-power field in mm² (ocular field number 22, 40x; CCMCT and CMC papers)."""


@dataclass(frozen=True, slots=True)
class Mpp:
    """Resolution in µm per level-0 pixel.

    Parameters
    ----------
    x, y : float
        µm per pixel along the row and along the column.

    Raises
    ------
    ScaleError
        If a value lies outside [0.05, 5] or x and y differ by more than 5 %.
    """

    x: float
    y: float

    def __post_init__(self) -> None:
        for axis, value in (("x", self.x), ("y", self.y)):
            if not (math.isfinite(value) and MPP_MIN <= value <= MPP_MAX):
                raise ScaleError(
                    f"resolution {value:g} µm/px in {axis} is not in [{MPP_MIN:g}, {MPP_MAX:g}]",
                    mend="give the true value with --mpp",
                )
        if abs(self.x - self.y) > MPP_ANISOTROPY_MAX * max(self.x, self.y):
            raise ScaleError(
                f"resolutions in x and y differ by more than 5 % ({self.x:g} and {self.y:g} µm/px)",
                mend="give the true value with --mpp",
            )

    def differs_from(self, other: Mpp) -> bool:
        """Whether two statements of a slide's resolution contradict each other: by more than 2 %."""
        return abs(self.mean / other.mean - 1) > SCALE_TOLERANCE

    @classmethod
    @overload
    def of(cls, value: Mpp | float) -> Mpp: ...
    @classmethod
    @overload
    def of(cls, value: Mpp | float | None) -> Mpp | None: ...
    @classmethod
    def of(cls, value: Mpp | float | None) -> Mpp | None:
        """Return the resolution that is given as such, or as µm/px of square pixels; None for None."""
        return value if value is None or isinstance(value, Mpp) else cls.square(value)

    @classmethod
    def square(cls, value: float) -> Mpp:
        """Return the resolution of square pixels."""
        return cls(value, value)

    @property
    def mean(self) -> float:
        """Geometric mean of both axes in µm/px."""
        return math.sqrt(self.x * self.y)

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one level-0 pixel in mm²."""
        return self.x * self.y * 1e-6


@dataclass(frozen=True, slots=True)
class PointPx0:
    """A point in level-0 pixels."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class SizePx:
    """Width and height in whole pixels of a stated frame; both at least 1."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise RegionError(f"a size of {self.width} × {self.height} px is empty")

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class BoxPx:
    """An axis-parallel box in whole pixels of one pyramid level or plane.

    Spans [x, x + width) × [y, y + height). The origin may be negative or outside of the slide: reading
    there gives white, invalid pixels (promise 3).
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise RegionError(
                f"a region of {self.width} × {self.height} px is empty", mend="make it at least 1 × 1"
            )

    @property
    def right(self) -> int:
        """First column beyond the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row beyond the box."""
        return self.y + self.height

    @property
    def size(self) -> SizePx:
        """Width and height."""
        return SizePx(self.width, self.height)

    def intersection(self, other: BoxPx) -> BoxPx | None:
        """Return the common part, or None where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return BoxPx(x, y, right - x, bottom - y) if right > x and bottom > y else None

    def slices_of(self, part: BoxPx) -> tuple[slice, slice]:
        """Return the rows and columns that a part takes in an array of the pixels of this box."""
        return slice(part.y - self.y, part.bottom - self.y), slice(part.x - self.x, part.right - self.x)

    def padded(self, margin: int) -> BoxPx:
        """Return the box grown by a margin on all four sides."""
        return BoxPx(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)


@dataclass(frozen=True, slots=True)
class BoxPx0:
    """An axis-parallel box in continuous level-0 pixels, spanning [x, x + width) × [y, y + height)."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.x, self.y, self.width, self.height))):
            raise RegionError("a region with NaN or infinite coordinates")
        if self.width <= 0 or self.height <= 0:
            raise RegionError(f"a region of {self.width:g} × {self.height:g} px is empty")

    @property
    def right(self) -> float:
        """Coordinate of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Coordinate of the lower edge."""
        return self.y + self.height

    def area_mm2(self, mpp: Mpp) -> float:
        """Area in mm²."""
        return self.width * self.height * mpp.pixel_area_mm2

    def intersection(self, other: BoxPx0) -> BoxPx0 | None:
        """Return the common part, or None where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return BoxPx0(x, y, right - x, bottom - y) if right > x and bottom > y else None


@dataclass(frozen=True, slots=True)
class Aspect:
    """Ratio of width to height, for example 4:3."""

    width: float
    height: float

    def __post_init__(self) -> None:
        if not (
            min(self.width, self.height) > 0 and 1 / ASPECT_MAX <= self.width / self.height <= ASPECT_MAX
        ):
            raise RegionError(
                f"an aspect of {self.width:g}:{self.height:g} is not one of a window", mend="write e.g. 4:3"
            )

    @classmethod
    def of(cls, value: Aspect | str) -> Aspect:
        """Return the aspect that is given as such, or as text; errors as `parse`."""
        return value if isinstance(value, Aspect) else cls.parse(value)

    @classmethod
    def parse(cls, text: str) -> Aspect:
        """Read ``W:H``.

        Raises
        ------
        RegionError
            If the text is not two positive numbers joined by a colon.
        """
        try:
            width, height = (float(part) for part in text.split(":"))
        except ValueError:
            raise RegionError(f"aspect {text!r} is not of the form W:H", mend="write e.g. 4:3") from None
        return cls(width, height)

    def size_um(self, area_mm2: float) -> tuple[float, float]:
        """Return width and height in µm of a rectangle of this aspect with the given area in mm²."""
        ratio = self.width / self.height
        return math.sqrt(area_mm2 * ratio) * 1000.0, math.sqrt(area_mm2 / ratio) * 1000.0


def near_pairs(
    points: NDArray[np.float64], others: NDArray[np.float64], *, radius: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return all pairs within a radius, inclusive, as index of the point, index of the other, distance.

    Parameters
    ----------
    points, others : ndarray, shape (n, 2) and (m, 2)
        In one unit.
    radius : float
        In the unit of the points.
    """
    import numpy as np
    from scipy.spatial import KDTree  # slow to load, and not for who only states a box

    if not len(points) or not len(others):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    tree, reach = KDTree(points), radius * TREE_SLACK
    found = tree.sparse_distance_matrix(KDTree(others), reach, output_type="ndarray")
    first, second = np.asarray(found["i"], np.intp), np.asarray(found["j"], np.intp)
    offsets = points[first] - others[second]
    distance = np.hypot(offsets[:, 0], offsets[:, 1])
    near = distance <= radius
    return first[near], second[near], distance[near]
