"""OpenSlide's properties, read with distrust: text from the file that may say anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import openslide

from mitoscope.errors import RegionError, ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.info import Level, StatedScale, downsample

MAX_SIDE_PX = 1 << 22
"""Longest believable side of a slide in pixels: 1 m of glass at 0.25 µm/px."""
_MAX_TILE_SIDE_PX = 1 << 14
_PADDING_PX = 256
_ASPECT_TOLERANCE = 0.1


def read_levels(
    sizes: Sequence[tuple[int, int]], tags: Mapping[str, str], *, where: Path
) -> tuple[Level, ...]:
    """Return the levels of the pyramid.

    Raises
    ------
    SlideFormatError
        If there is none, a size is empty or beyond belief, or the levels show different fields.
    """
    if not sizes:
        raise SlideFormatError("has no pyramid level", where=where)
    for width, height in sizes:
        if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
            raise SlideFormatError(
                f"claims a level of {width} × {height} px (at most {MAX_SIDE_PX} a side)", where=where
            )
    size0 = SizePx(*sizes[0])
    for size in sizes[1:]:
        if not _same_field(sizes[0], size):
            raise SlideFormatError(
                f"has levels of {size0.width} × {size0.height} and {size[0]} × {size[1]} px,"
                " which cannot show the same field",
                where=where,
            )
    return tuple(
        Level(SizePx(*size), *downsample(size0, SizePx(*size)), _tile(tags, index))
        for index, size in enumerate(sizes)
    )


def _same_field(size0: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a level is level 0 reduced; some vendors fill levels up to whole tiles."""
    factor = size0[0] / size[0]
    off = abs(size[1] * factor - size0[1])
    return off <= max(_ASPECT_TOLERANCE * size0[1], _PADDING_PX * factor)


def _tile(tags: Mapping[str, str], index: int) -> SizePx | None:
    width = _number(tags.get(f"openslide.level[{index}].tile-width"))
    height = _number(tags.get(f"openslide.level[{index}].tile-height"))
    if width is None or height is None:
        return None
    within = 1 <= width <= _MAX_TILE_SIDE_PX and 1 <= height <= _MAX_TILE_SIDE_PX
    return SizePx(int(width), int(height)) if within else None


def read_objective_power(tags: Mapping[str, str]) -> float | None:
    """Return the magnification of the objective, or None where the file states none that is a number."""
    power = _number(tags.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER))
    return power if power is not None and power > 0 else None


def read_stated_scale(tags: Mapping[str, str], *, where: Path) -> StatedScale | None:
    """Return the resolution that the file states, or None.

    Raises
    ------
    ScaleError
        If one axis is missing or a value is no number.
    """
    names = (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)
    if not any(name in tags for name in names):
        return None
    values = [_number(tags.get(name)) for name in names]
    for name, value in zip(names, values, strict=True):
        if value is None:
            text = repr(tags[name]) if name in tags else "missing"
            raise ScaleError(
                f"{name}: {text} is no resolution",
                where=where,
                mend="give the true value in µm per pixel with --mpp, e.g. --mpp 0.25",
            )
    x, y = values
    assert x is not None
    assert y is not None
    return StatedScale(names[0], x, y)


def read_bounds(tags: Mapping[str, str]) -> BoxPx | None:
    """Return the part that the vendor calls scanned in px0, or None where the file does not say."""
    names = (
        openslide.PROPERTY_NAME_BOUNDS_X,
        openslide.PROPERTY_NAME_BOUNDS_Y,
        openslide.PROPERTY_NAME_BOUNDS_WIDTH,
        openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
    )
    values = [_number(tags.get(name)) for name in names]
    if any(value is None for value in values):
        return None
    try:
        return BoxPx(*(int(value) for value in values if value is not None))
    except RegionError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
