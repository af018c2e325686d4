"""What of a slide was looked at: outside of it nothing is negative, and nothing found is a false positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import NotExaminedError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.region import Region

REGION_IMAGE_MM2: Final = 25.0
"""Largest image that is taken for a region image, all of which was looked at; larger ones are whole slides.
The images of MIDOG and MIDOG++ have 2 mm², ten high-power fields 2.37 mm², slides of CMC 26 to 513 mm²."""
ASSUMED_MPP: Final = 0.25
"""µm/px for that decision alone, where an image states no resolution."""


@dataclass(frozen=True, eq=False)
class ExaminedArea:
    """What of a slide was looked at.

    Parameters
    ----------
    region : Region or None
        In level-0 pixels; None for the whole image.
    source : str
        How that is known, for results: ``region image``, ``stated by the user``, ``screened fields`` ...
    """

    region: Region | None
    source: str

    @classmethod
    def whole(cls, source: str) -> ExaminedArea:
        """Return the whole image."""
        return cls(None, source)

    def within(self, searched: Region | None) -> ExaminedArea:
        """Return what of it was searched; all of it where the search was not restricted."""
        if searched is None:
            return self
        both = searched if self.region is None else self.region.intersection(searched)
        return ExaminedArea(both, f"{self.source}, within the part that was searched")

    def contains(self, points_px0: ArrayLike) -> NDArray[np.bool_]:
        """Return of each point, shape (n, 2), whether it was looked at."""
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        return np.ones(len(points), np.bool_) if self.region is None else self.region.contains(points)

    def area_mm2(self, mpp: Mpp, size: SizePx | None) -> float | None:
        """Return its area; None where the whole of an image of unknown size was looked at."""
        if self.region is not None:
            return (self.region if size is None else self.region.within(size)).area_mm2(mpp)
        return None if size is None else size.area * mpp.pixel_area_mm2


def is_region_image(*, size: SizePx | None, mpp: Mpp | None, points_px0: ArrayLike = ()) -> bool:
    """Return whether an image is small enough to be a region image.

    Parameters
    ----------
    size : SizePx, optional
        Of level 0; where it is not known, the extent of the points stands in for it.
    mpp : Mpp, optional
        Where it is not known, 0.25 µm/px.
    points_px0 : array_like, shape (n, 2)
        Centres of its cells.
    """
    scale = mpp or Mpp.square(ASSUMED_MPP)
    if size is not None:
        return bool(size.area * scale.pixel_area_mm2 <= REGION_IMAGE_MM2)
    points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
    return not len(points) or bool(np.prod(np.ptp(points, axis=0)) * scale.pixel_area_mm2 <= REGION_IMAGE_MM2)


def examined_of(
    *,
    stated: ExaminedArea | None,
    size: SizePx | None,
    mpp: Mpp | None,
    points_px0: ArrayLike = (),
    name: str,
) -> ExaminedArea:
    """Return what was looked at on a slide: what is stated, else all of a region image.

    Raises
    ------
    NotExaminedError
        If nothing is stated of a whole slide.
    """
    if stated is not None:
        return stated
    if is_region_image(size=size, mpp=mpp, points_px0=points_px0):
        return ExaminedArea.whole("a region image, taken as examined in full")
    raise NotExaminedError(
        "the examined area of this whole slide is unknown",
        where=name,
        mend="state it with --examined whole, tumour or regions",
    )
