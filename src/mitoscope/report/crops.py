"""Crops of candidates for the contact sheets, read from the slide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx
from mitoscope.report.images import Picture, picture
from mitoscope.slide import Plane, Slide

CROP_SIDE_PX = 128
"""Side of a crop in plane px."""
CROP_MPP = 0.25
"""Resolution of a crop in µm/px: that of a 40x scan."""
_READABLE_SHARE_MIN = 0.25


@dataclass(frozen=True, slots=True)
class Crop:
    """One candidate on a contact sheet.

    Parameters
    ----------
    rank : int
        Place among all candidates by score, from 1; the row of the CSV.
    score, x, y : str
        As shown.
    in_hot_spot : bool
        Whether it is one of the figures that the mitotic count counts.
    picture : Picture or None
        None where the slide could not be read.
    """

    rank: int
    score: str
    x: str
    y: str
    in_hot_spot: bool
    picture: Picture | None


def read_crop(slide: Slide, point_px0: NDArray[np.float64]) -> Picture | None:
    """Return the surroundings of a point as a picture.

    Parameters
    ----------
    slide : Slide
        The slide.
    point_px0 : ndarray of float64, shape (2,)
        Centre in level-0 pixels.

    Returns
    -------
    Picture or None
        `CROP_SIDE_PX` pixels square at `CROP_MPP`, white outside of the slide; None where damage to the file
        leaves less than a quarter of it.
    """
    plane = Plane(slide, CROP_MPP)
    x, y = plane.from_px0(point_px0.reshape(1, 2))[0].tolist()
    corner = (math.floor(x + 0.5) - CROP_SIDE_PX // 2, math.floor(y + 0.5) - CROP_SIDE_PX // 2)
    pixels = plane.read(BoxPx(*corner, CROP_SIDE_PX, CROP_SIDE_PX))
    if pixels.damaged and float(pixels.valid.mean()) < _READABLE_SHARE_MIN:
        return None
    return picture(pixels.rgb, quality=88)


def crop_side_um(slide: Slide) -> float:
    """Return the side of a crop in µm: a scan near `CROP_MPP` is not resampled."""
    return CROP_SIDE_PX * Plane(slide, CROP_MPP).mpp[0]
