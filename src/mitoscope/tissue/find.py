"""Finding tissue: stained pixels, without ink, holes filled and specks removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.tissue.colour import find_glass, find_ink, optical_density, stained
from mitoscope.tissue.mask import TissueMask
from mitoscope.tissue.overview import Overview, read_overview
from mitoscope.tissue.stain import stain_density

if TYPE_CHECKING:
    from mitoscope.slide.slide import Slide

OVERVIEW_MPP = 8.0
"""Resolution of the mask in µm/px: about one nucleus; a mitotic figure is 8 to 15 µm."""
CLOSING_UM = 24.0
"""Gaps narrower than this (clefts, capillaries) belong to the tissue."""
HOLE_MAX_UM2 = 20_000.0
"""Holes up to this area belong to the tissue: an adipocyte of 150 µm, a gland's lumen."""
SPECK_MAX_UM2 = 10_000.0
"""Islands up to this area (100 µm square) are dust, debris or detached cells."""
SPECK_SHARE_MAX = 0.05
"""Of a small image, an island is a speck only if it is also below this share of it."""
HOLE_SHARE_MAX = 0.25
"""Of a small image, bare glass is a hole only if it is also below this share of it."""


def find_tissue(slide: Slide, *, mpp: float = OVERVIEW_MPP) -> TissueMask:
    """Find the tissue of a slide.

    Parameters
    ----------
    slide : Slide
        The pyramid level nearest to `mpp` is read; without a pyramid, level 0 block by block.
    mpp : float, default 8
        µm per pixel of the mask.

    Returns
    -------
    TissueMask
        With no tissue for a slide of bare glass.

    Notes
    -----
    A pixel is tissue where it absorbs green light more than red and blue, as haematoxylin and eosin do, by
    more than an absolute floor and by more than the slide's own glass. There is no threshold that splits
    each image in two (Otsu): a crop full of tissue is all tissue, an empty slide is all glass. Fat counts as
    tissue where its septa are seen.
    """
    overview = read_overview(slide, mpp=mpp)
    scale_x, scale_y = overview.px0_per_pixel
    pixel_um = scale_x * slide.info.mpp.x, scale_y * slide.info.mpp.y
    mask = _segment(overview, pixel_um)
    return TissueMask(
        mask,
        overview.px0_per_pixel,
        slide.info.mpp,
        slide.info.size,
        tuple(overview.unread_px0),
        stain_density(overview.rgb, mask),
    )


def _segment(overview: Overview, pixel_um: tuple[float, float]) -> NDArray[np.bool_]:
    pixel_um2 = pixel_um[0] * pixel_um[1]
    density = optical_density(overview.rgb)
    ink = _without_specks(find_ink(overview.rgb, density) & overview.valid, SPECK_MAX_UM2 / pixel_um2)
    tissue = stained(density, find_glass(density, overview.valid)) & overview.valid & ~ink
    scanned = np.count_nonzero(overview.valid)
    # Noise goes first, so that closing cannot join it to tissue.
    tissue = _without_specks(tissue, min(4.0, SPECK_SHARE_MAX * scanned))
    tissue = _closed(tissue, round(CLOSING_UM / 2 / max(pixel_um)))
    tissue = ~_without_specks(~tissue, min(HOLE_MAX_UM2 / pixel_um2, HOLE_SHARE_MAX * scanned))
    tissue &= overview.valid & ~ink
    return _without_specks(tissue, min(SPECK_MAX_UM2 / pixel_um2, SPECK_SHARE_MAX * scanned))


def _closed(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    if radius < 1:
        return mask
    offsets = np.arange(-radius, radius + 1)
    disc = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2 + 1
    padded = np.pad(mask, radius, mode="edge")
    closed = ndimage.binary_closing(padded, disc, border_value=0)
    return np.asarray(closed[radius:-radius, radius:-radius] | mask)


def _without_specks(mask: NDArray[np.bool_], smallest: float) -> NDArray[np.bool_]:
    """Remove the connected parts below an area in pixels (4-connected)."""
    labels, count = ndimage.label(mask)
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= smallest
    keep[0] = False
    return np.asarray(keep[labels])
