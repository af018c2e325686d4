"""Training windows: where they are cut, before anything random happens to their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.picture import Picture, cut

PATCH_PX: Final = 192
"""Side of the patch that is cut for a window: room for rotation and scale."""
CROP_PX: Final = 128
"""Side of the published crops, which background windows imitate."""


@dataclass(frozen=True, slots=True)
class Window:
    """One training window.

    Parameters
    ----------
    picture : int
        Index into the training pictures.
    x, y : float
        Where the centre of the window falls, px of the picture.
    like_crop : bool
        Cut a 128 px crop first and mirror it outwards, so that mirrored borders say nothing about the class.
    paste_on : tuple of (int, float, float), optional
        Picture and place (centre) of a background to which the figure is transplanted.
    paste_radius_px : float
        Radius of the transplanted disc.
    """

    picture: int
    x: float
    y: float
    like_crop: bool = False
    paste_on: tuple[int, float, float] | None = None
    paste_radius_px: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The pixels for one window with its labels, in px of the patch.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (192, 192, 3)
    centre : tuple of float
        Centre of the window.
    figures : ndarray of float64, shape (n, 2)
        Mitotic figures.
    valid : tuple of float
        Left, top, right, bottom of the part whose labels are trusted.
    transplant : tuple, optional
        Background patch, centre x, centre y and radius of the disc that is kept of `rgb`.
    """

    rgb: NDArray[np.uint8]
    centre: tuple[float, float]
    figures: NDArray[np.float64]
    valid: tuple[float, float, float, float]
    transplant: tuple[NDArray[np.uint8], float, float, float] | None = None


def cut_patch(window: Window, pictures: tuple[Picture, ...]) -> Patch:
    """Cut the patch of a window."""
    picture = pictures[window.picture]
    left, top = round(window.x) - PATCH_PX // 2, round(window.y) - PATCH_PX // 2
    centre = (window.x - left, window.y - top)
    rgb = cut(picture.rgb, left=left, top=top, side=PATCH_PX)
    figures = picture.figures - (left, top)
    if window.like_crop:
        border = (PATCH_PX - CROP_PX) // 2
        inner = rgb[border:-border, border:-border]
        rgb = cut(np.ascontiguousarray(inner), left=-border, top=-border, side=PATCH_PX)
    margin = picture.mirror_px
    valid = (
        max(-margin - left, 0.0),
        max(-margin - top, 0.0),
        min(picture.width + margin - left, float(PATCH_PX)),
        min(picture.height + margin - top, float(PATCH_PX)),
    )
    if window.paste_on is None:
        return Patch(rgb, centre, figures, valid)
    index, x, y = window.paste_on
    other = pictures[index]
    background = cut(other.rgb, left=round(x) - PATCH_PX // 2, top=round(y) - PATCH_PX // 2, side=PATCH_PX)
    figure = figures[0]  # only crops are transplanted; their own figure comes first
    near = figures[np.hypot(*(figures - figure).T) < window.paste_radius_px]
    whole = (0.0, 0.0, float(PATCH_PX), float(PATCH_PX))
    disc = (background, float(figure[0]), float(figure[1]), window.paste_radius_px)
    return Patch(rgb, centre, near, whole, disc)
