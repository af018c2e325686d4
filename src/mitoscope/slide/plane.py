"""A slide seen at another resolution, as a detector sees it: a pixel has one value whatever the window.

Pillow's `resize(box=...)` weighs source pixels by their distance from the exact centre of the new pixel, but
keeps the box in single precision: windows cut at different places differ by a grey level here and there. All
scales are therefore multiples of 1/1024 and a window's source stays below 8192 px, so that every position is
exact in single precision and every window gives the same pixels bit for bit (promise 16 rests on it). Pillow
also chooses by the window's shape whether rows or columns go first; here rows always do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.errors import ConfigError, RegionError
from mitoscope.geometry import BoxPx, BoxPx0, Mpp, SizePx
from mitoscope.slide.pixels import WHITE, Pixels, reduced_size
from mitoscope.slide.slide import Slide

SCALE_STEPS = 1024
"""Scales are multiples of 1 / SCALE_STEPS source pixels; 0.05 % of the scale at most."""
_SOURCE_SIDE_PX = 4096
_SUPPORT_PX = 2
"""Half width of the bicubic kernel in pixels of the coarser image; that of the box is less."""
_AVERAGE_FROM_STEP = 4.0
"""From this reduction on (thumbnails) the plain mean of the pixels covered is taken."""
TOLERANCE = 0.10
"""Relative difference of the resolution below which a level is taken as it is (CCMCT to MIDOG++: scanners of
0.23 to 0.25 µm/px are mixed without resampling)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How new pixels are made from one level.

    Parameters
    ----------
    level : int
        The level read.
    step_x, step_y : float
        Pixels of that level per new pixel; multiples of 1 / `SCALE_STEPS`.
    reduction : int
        Whole factor by which the level is reduced while it is decoded; its steps then count reduced pixels.
    """

    level: int
    step_x: float
    step_y: float
    reduction: int = 1

    @property
    def native(self) -> bool:
        """Whether the new pixels are the level's own, or come reduced from the decoder."""
        return self.step_x == 1.0 and self.step_y == 1.0

    @property
    def averages(self) -> bool:
        """Whether new pixels are plain means rather than bicubic."""
        return max(self.step_x, self.step_y) >= _AVERAGE_FROM_STEP


def exact_step(step: float) -> float:
    """Return the nearest step that single precision keeps exactly; at least 1 / `SCALE_STEPS`."""
    return max(1, round(step * SCALE_STEPS)) / SCALE_STEPS


def sampled_size(slide: Slide, sampling: Sampling) -> SizePx:
    """Return the size of a whole slide in new pixels; a last pixel that is partly outside counts."""
    size = reduced_size(slide.info.level(sampling.level).size, sampling.reduction)
    return SizePx(math.ceil(size.width / sampling.step_x), math.ceil(size.height / sampling.step_y))


def read_sampled(slide: Slide, box: BoxPx, *, sampling: Sampling) -> Pixels:
    """Read a box of new pixels.

    A new pixel is valid where at least half of what it covers is. Damaged parts are given in new pixels.
    """
    if sampling.native:
        return _read_source(slide, box, sampling)
    whole = Pixels.nothing(box.width, box.height)
    size = sampled_size(slide, sampling)
    inside = box.intersection(BoxPx(0, 0, size.width, size.height))
    if inside is None:
        return whole
    damaged: list[BoxPx] = []
    across = max(1, int(_SOURCE_SIDE_PX / sampling.step_x))
    down = max(1, int(_SOURCE_SIDE_PX / sampling.step_y))
    for y in range(inside.y, inside.bottom, down):
        for x in range(inside.x, inside.right, across):
            part = BoxPx(x, y, min(across, inside.right - x), min(down, inside.bottom - y))
            pixels = _resample(slide, part, sampling)
            here = box.slices_of(part)
            whole.rgb[here], whole.valid[here] = pixels.rgb, pixels.valid
            damaged.extend(pixels.damaged)
    return Pixels(whole.rgb, whole.valid, tuple(damaged))


def _read_source(slide: Slide, box: BoxPx, sampling: Sampling) -> Pixels:
    if sampling.reduction > 1:
        return slide.read_reduced(box, reduction=sampling.reduction, level=sampling.level)
    return slide.read(box, level=sampling.level)


def _resample(slide: Slide, part: BoxPx, sampling: Sampling) -> Pixels:
    level = reduced_size(slide.info.level(sampling.level).size, sampling.reduction)
    source = _source(part, sampling, sampled_size(slide, sampling))
    inside = source.intersection(BoxPx(0, 0, level.width, level.height))
    assert inside is not None  # the part lies within the slide, and margins only add to it
    pixels = _read_source(slide, inside, sampling)
    colours, known = _continued(pixels, source.right - inside.right, source.bottom - inside.bottom)
    left, top = part.x * sampling.step_x - source.x, part.y * sampling.step_y - source.y
    right, bottom = left + part.width * sampling.step_x, top + part.height * sampling.step_y
    kernel = Image.Resampling.BOX if sampling.averages else Image.Resampling.BICUBIC
    rgb = _shrink(colours, part.size, kernel, box=(left, top, right, bottom))
    valid = _shrink_mask(known, part.size, box=(left, top, right, bottom))
    rgb[~valid] = WHITE
    damaged = tuple(_scaled_out(lost, part, sampling) for lost in pixels.damaged)
    return Pixels(rgb, valid, damaged)


def _source(part: BoxPx, sampling: Sampling, whole: SizePx) -> BoxPx:
    """Return the source pixels that a part needs, cut at the ends of the whole.

    The ends are the same for every window: there Pillow cuts the kernel and renormalises it.
    """
    support = 1 if sampling.averages else _SUPPORT_PX
    margin_x = math.ceil(support * max(1.0, sampling.step_x)) + 1
    margin_y = math.ceil(support * max(1.0, sampling.step_y)) + 1
    left = max(0, math.floor(part.x * sampling.step_x) - margin_x)
    top = max(0, math.floor(part.y * sampling.step_y) - margin_y)
    right = min(math.ceil(part.right * sampling.step_x) + margin_x, math.ceil(whole.width * sampling.step_x))
    bottom = min(
        math.ceil(part.bottom * sampling.step_y) + margin_y, math.ceil(whole.height * sampling.step_y)
    )
    return BoxPx(left, top, right - left, bottom - top)


def _continued(pixels: Pixels, beyond_x: int, beyond_y: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Continue the border colours, invalid, to the end of a last new pixel that reaches beyond the slide.

    White there would ring into the last pixels inside.
    """
    if beyond_x == beyond_y == 0:
        return pixels.rgb, pixels.valid
    around = ((0, beyond_y), (0, beyond_x))
    colours = np.pad(pixels.rgb, (*around, (0, 0)), mode="edge")
    return colours, np.pad(pixels.valid, around, constant_values=False)


def _shrink(
    array: NDArray[np.uint8],
    size: SizePx,
    kernel: Image.Resampling,
    *,
    box: tuple[float, float, float, float],
) -> NDArray[np.uint8]:
    """Resize rows, then columns: Pillow orders the two, which both round, by the window's shape."""
    left, top, right, bottom = box
    image = Image.fromarray(array)
    image = image.resize((size.width, image.height), kernel, box=(left, 0, right, image.height))
    return np.array(image.resize((size.width, size.height), kernel, box=(0, top, size.width, bottom)))


def _shrink_mask(
    valid: NDArray[np.bool_], size: SizePx, *, box: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    if valid.all():
        return np.ones((size.height, size.width), np.bool_)
    share = _shrink(valid.astype(np.uint8) * np.uint8(WHITE), size, Image.Resampling.BOX, box=box)
    covered: NDArray[np.bool_] = share >= (WHITE + 1) // 2
    return covered


def _scaled_out(lost: BoxPx, part: BoxPx, sampling: Sampling) -> BoxPx:
    left = max(part.x, math.floor(lost.x / sampling.step_x))
    top = max(part.y, math.floor(lost.y / sampling.step_y))
    right = min(part.right, math.ceil(lost.right / sampling.step_x))
    bottom = min(part.bottom, math.ceil(lost.bottom / sampling.step_y))
    return BoxPx(left, top, max(1, right - left), max(1, bottom - top))


def read_thumbnail(slide: Slide, max_side_px: int) -> Pixels:
    """Return the whole slide, reduced so that its longer side has at most `max_side_px` pixels.

    A slide that is smaller than that is returned as it is.

    Raises
    ------
    RegionError
        If there is no pixel in it.
    """
    if max_side_px < 1:
        raise RegionError(f"a thumbnail of {max_side_px} px is empty", mend="make it at least 1 px")
    longest = max(slide.info.size.width, slide.info.size.height)
    level = best_level(slide, longest / max_side_px)
    size = slide.info.level(level).size
    whole_step = max(1.0, max(size.width, size.height) / max_side_px)
    reduction = max((factor for factor in slide.reductions if factor <= whole_step), default=1)
    size = reduced_size(size, reduction)
    # Rounded up, so that the longer side does not come out a pixel too long.
    step = math.ceil(max(1.0, max(size.width, size.height) / max_side_px) * SCALE_STEPS) / SCALE_STEPS
    sampling = Sampling(level, step, step, reduction)
    whole = sampled_size(slide, sampling)
    return read_sampled(slide, BoxPx(0, 0, whole.width, whole.height), sampling=sampling)


def best_level(slide: Slide, downsample: float) -> int:
    """Return the level with the largest downsample that does not exceed the wanted one; else level 0."""
    levels = slide.info.levels
    fitting = [index for index, level in enumerate(levels) if level.downsample_x <= downsample * (1 + 1e-9)]
    return max(fitting, key=lambda index: levels[index].downsample_x, default=0)


class Plane:
    """A slide resampled to a stated resolution.

    Where a level is within the tolerance of the wanted resolution, its own pixels are used. Otherwise, where
    a level reduced by 2, 4 or 8 is and the slide can be read that way (`Slide.read_reduced`), they come
    reduced from the decoder. Otherwise they are made by bicubic resampling with antialiasing from the finest
    level needed. Windows agree bit for bit where they overlap.

    Parameters
    ----------
    slide : Slide
        The slide; it stays open and is not owned.
    mpp : Mpp or float
        The wanted resolution in µm per plane px.
    tolerance : float
        Largest relative difference that is left as it is.

    Attributes
    ----------
    size : SizePx
        Size of the whole slide in plane px.
    scale : tuple of float
        px0 per plane px in x and y, exactly.
    mpp : tuple of float
        µm per plane px in x and y, exactly.
    """

    def __init__(self, slide: Slide, mpp: Mpp | float, tolerance: float = TOLERANCE) -> None:
        if not 0 <= tolerance < 1:
            raise ConfigError(f"tolerance {tolerance:g} is not in [0, 1)")
        wanted = mpp if isinstance(mpp, Mpp) else Mpp.square(mpp)
        own = slide.info.mpp
        self._slide = slide
        self._sampling = _choose(slide, (wanted.x / own.x, wanted.y / own.y), tolerance)
        level = slide.info.level(self._sampling.level)
        self.size: SizePx = sampled_size(slide, self._sampling)
        self.scale = (
            self._sampling.step_x * self._sampling.reduction * level.downsample_x,
            self._sampling.step_y * self._sampling.reduction * level.downsample_y,
        )
        self.mpp = (self.scale[0] * own.x, self.scale[1] * own.y)

    @property
    def level(self) -> int:
        """The pyramid level that is read."""
        return self._sampling.level

    @property
    def native(self) -> bool:
        """Whether the level's own pixels are used, whole."""
        return self._sampling.native and self.reduction == 1

    @property
    def reduction(self) -> int:
        """The factor by which the decoder reduces the level; 1 where it does not."""
        return self._sampling.reduction

    def read(self, box: BoxPx) -> Pixels:
        """Read a box in plane px; it may reach beyond the slide.

        Raises
        ------
        SlideReadError
            If the slide is closed or its file can no longer be opened.
        """
        return read_sampled(self._slide, box, sampling=self._sampling)

    def suspected(self) -> tuple[BoxPx0, ...]:
        """Return the stored tiles read so far that look damaged, in level-0 px."""
        found = []
        for index, box in self._slide.suspected():
            level = self._slide.info.level(index)
            x, y = level.downsample_x, level.downsample_y
            found.append(BoxPx0(box.x * x, box.y * y, box.width * x, box.height * y))
        return tuple(found)

    def to_px0(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points (n, 2) in px0; both frames are continuous, a pixel's centre is at one half."""
        moved: NDArray[np.float64] = np.asarray(points, np.float64) * np.asarray(self.scale)
        return moved

    def from_px0(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points (n, 2) in plane px."""
        moved: NDArray[np.float64] = np.asarray(points, np.float64) / np.asarray(self.scale)
        return moved


def _choose(slide: Slide, wanted: tuple[float, float], tolerance: float) -> Sampling:
    """Choose the level and the step; `wanted` is px0 per plane px in x and y."""
    steps = [(wanted[0] / level.downsample_x, wanted[1] / level.downsample_y) for level in slide.info.levels]
    for reduction in (1, *slide.reductions):
        off = [max(abs(x / reduction - 1), abs(y / reduction - 1)) for x, y in steps]
        nearest = min(range(len(off)), key=off.__getitem__)
        if off[nearest] <= tolerance + 1e-9:
            return Sampling(nearest, 1.0, 1.0, reduction)
    level = best_level(slide, min(wanted))
    return Sampling(level, exact_step(steps[level][0]), exact_step(steps[level][1]))
