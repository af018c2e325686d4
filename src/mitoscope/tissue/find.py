"""Finding tissue in a small picture of a slide: stained pixels, no ink, holes filled, specks removed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mitoscope.geometry import BoxPx, BoxPx0, SizePx
from mitoscope.tissue.colour import find_glass, find_ink, optical_density, stain_density, stained
from mitoscope.tissue.mask import TissueMask
from mitoscope.tissue.plausible import DETAIL_MPP, densest_place, doubt_colours, doubt_stains

if TYPE_CHECKING:
    from mitoscope.slide.info import Level
    from mitoscope.slide.pixels import Pixels
    from mitoscope.slide.slide import Slide


BLOCK_SIDE_PX = 4096
"""Longest side of what is read at once: 4096² px are 48 MiB of RGB."""
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
DETAIL_UM = 256.0
"""Side of the window in which single cells are looked at."""
HOLE_SHARE_MAX = 0.25
"""Of a small image, bare glass is a hole only if it is also below this share of it."""


@dataclass
class TissueOverview:
    """The whole slide at about a stated resolution.

    Attributes
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
        Mean colour of the pixels behind each overview pixel; white where nothing was scanned.
    valid : ndarray of bool, shape (h, w)
        False where at least half of those pixels were not scanned or cannot be read.
    px0_per_pixel : tuple of float
        Level-0 pixels per overview pixel in x and y.
    unread_px0 : list of BoxPx0
        Parts that could be read neither at the overview's level nor at level 0.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    px0_per_pixel: tuple[float, float]
    unread_px0: list[BoxPx0] = field(default_factory=list)


def read_overview(slide: Slide, *, mpp: float) -> TissueOverview:
    """Read the pyramid level nearest to a resolution and average it down to about that resolution.

    Parameters
    ----------
    slide : Slide
        Its levels, its resolution and its pixels are used.
    mpp : float
        Wanted µm per overview pixel; the result differs by the rounding to whole pixels of the level.

    Notes
    -----
    A damaged part of the level is read from level 0 instead; where that fails too, it is listed as unread.
    """
    level, factor = _choose_level(slide, mpp)
    chosen = slide.info.levels[level]
    height, width = math.ceil(chosen.size.height / factor), math.ceil(chosen.size.width / factor)
    overview = TissueOverview(
        np.full((height, width, 3), 255, np.uint8),
        np.zeros((height, width), np.bool_),
        (chosen.downsample_x * factor, chosen.downsample_y * factor),
    )
    reader = _OverviewReader(slide, level, factor, overview)
    side = _block_side(chosen, factor)
    for box in _blocks(SizePx(width, height), side):
        reader.fill(box)
    return overview


def _choose_level(slide: Slide, mpp: float) -> tuple[int, int]:
    """Return the level nearest to a resolution and the whole factor that leads from it to there."""
    wanted = mpp / slide.info.mpp.mean
    downsamples = [math.sqrt(level.downsample_x * level.downsample_y) for level in slide.info.levels]
    level = min(range(len(downsamples)), key=lambda n: abs(math.log(downsamples[n] / wanted)))
    # A level much coarser than wanted loses thin tissue: then the next finer one is averaged instead.
    while level > 0 and downsamples[level] > wanted * math.sqrt(2):
        level -= 1
    return level, max(1, round(wanted / downsamples[level]))


def _block_side(level: Level, factor: int) -> int:
    """Return the block's side in overview pixels: a whole number of the file's tiles where that fits."""
    largest = max(1, BLOCK_SIDE_PX // factor)
    if level.tile is None:
        return largest
    step = math.lcm(factor, level.tile.width, level.tile.height) // factor
    return largest // step * step or largest


def _blocks(size: SizePx, side: int) -> Iterator[BoxPx]:
    for y in range(0, size.height, side):
        for x in range(0, size.width, side):
            yield BoxPx(x, y, min(side, size.width - x), min(side, size.height - y))


@dataclass
class _OverviewReader:
    slide: Slide
    level: int
    factor: int
    overview: TissueOverview

    def fill(self, box: BoxPx) -> None:
        """Read a box of the overview; what is damaged on its level is read from level 0."""
        size, k = self.slide.info.levels[self.level].size, self.factor
        x, y = box.x * k, box.y * k
        on_level = BoxPx(x, y, min(box.right * k, size.width) - x, min(box.bottom * k, size.height) - y)
        pixels = self.slide.read(on_level, level=self.level)
        self._put(box, _reduce(pixels, k))
        for damaged in pixels.damaged:
            if self.level == 0:
                self._note_unread(damaged)
            else:
                self._mend(damaged)

    def _mend(self, damaged: BoxPx) -> None:
        k, overview = self.factor, self.overview
        x, y = damaged.x // k, damaged.y // k
        right = min(-(-damaged.right // k), overview.valid.shape[1])
        bottom = min(-(-damaged.bottom // k), overview.valid.shape[0])
        side = max(1, int(BLOCK_SIDE_PX / max(overview.px0_per_pixel)))
        for part in _blocks(SizePx(right - x, bottom - y), side):
            self._fill_from_level_0(BoxPx(x + part.x, y + part.y, part.width, part.height))

    def _fill_from_level_0(self, box: BoxPx) -> None:
        (sx, sy), size = self.overview.px0_per_pixel, self.slide.info.size
        x, y = math.floor(box.x * sx), math.floor(box.y * sy)
        right, bottom = (
            min(math.ceil(box.right * sx), size.width),
            min(math.ceil(box.bottom * sy), size.height),
        )
        if right <= x or bottom <= y:
            return
        pixels = self.slide.read(BoxPx(x, y, right - x, bottom - y), level=0)
        self._put(box, _resize(pixels, box.size))
        for damaged in pixels.damaged:
            self._note_unread(damaged)

    def _note_unread(self, box: BoxPx) -> None:
        self.overview.unread_px0.append(BoxPx0(box.x, box.y, box.width, box.height))

    def _put(self, box: BoxPx, reduced: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> None:
        rows, columns = slice(box.y, box.bottom), slice(box.x, box.right)
        self.overview.rgb[rows, columns], self.overview.valid[rows, columns] = reduced


def _reduce(pixels: Pixels, factor: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    image = Image.fromarray(pixels.rgb)
    valid = Image.fromarray(pixels.valid.astype(np.uint8) * 255)
    if factor > 1:
        image, valid = image.reduce(factor), valid.reduce(factor)
    return _without_invalid(image, valid)


def _resize(pixels: Pixels, size: SizePx) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    shape = size.width, size.height
    image = Image.fromarray(pixels.rgb).resize(shape, Image.Resampling.BOX)
    valid = Image.fromarray(pixels.valid.astype(np.uint8) * 255).resize(shape, Image.Resampling.BOX)
    return _without_invalid(image, valid)


def _without_invalid(image: Image.Image, valid: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Take the white of pixels that were not scanned out of the mean."""
    rgb, share = np.array(image), np.asarray(valid, dtype=np.float32) / 255
    mixed = (share >= 0.5) & (share < 1)
    if mixed.any():
        part = share[mixed, None]
        rgb[mixed] = np.clip((rgb[mixed] - 255 * (1 - part)) / part, 0, 255).round().astype(np.uint8)
    rgb[share < 0.5] = 255
    return rgb, share >= 0.5


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
    density = optical_density(overview.rgb)
    marked = find_ink(overview.rgb, density) & overview.valid
    ink = _without_specks(marked, SPECK_MAX_UM2 / (pixel_um[0] * pixel_um[1]))
    mask = _segment(overview, density, ink, pixel_um)
    doubt = doubt_colours(overview.rgb, overview.valid, marked) or _doubt_detail(slide, overview, marked)
    return TissueMask(
        mask,
        overview.px0_per_pixel,
        slide.info.mpp,
        slide.info.size,
        tuple(overview.unread_px0),
        stain_density(overview.rgb, mask),
        f"the colours are not those of H&E: {doubt}" if doubt else "",
        float(np.count_nonzero(ink)) * pixel_um[0] * pixel_um[1] / 1e6,
    )


def _doubt_detail(slide: Slide, overview: TissueOverview, marked: NDArray[np.bool_]) -> str:
    """Look at single cells in the window that is stained most."""
    scale, own = overview.px0_per_pixel, slide.info.mpp
    side = DETAIL_UM / own.mean
    across = round(side / max(scale))
    row, column = densest_place(overview.rgb, overview.valid & ~marked, across)
    level, factor = _choose_level(slide, DETAIL_MPP)
    chosen = slide.info.levels[level]
    x, y = (column + 0.5) * scale[0] - side / 2, (row + 0.5) * scale[1] - side / 2
    window = BoxPx(
        round(max(x, 0) / chosen.downsample_x),
        round(max(y, 0) / chosen.downsample_y),
        max(1, round(side / chosen.downsample_x)),
        max(1, round(side / chosen.downsample_y)),
    )
    return doubt_stains(*_reduce(slide.read(window, level=level), factor))


def _segment(
    overview: TissueOverview,
    density: NDArray[np.float32],
    ink: NDArray[np.bool_],
    pixel_um: tuple[float, float],
) -> NDArray[np.bool_]:
    pixel_um2 = pixel_um[0] * pixel_um[1]
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
