"""Whole-slide images through OpenSlide, in a way that survives bad tiles.

Three habits of OpenSlide are dealt with here:

* A handle is dead after its first error. A bad tile would cost the rest of the slide, so a failed read is
  repeated tile by tile on a handle of its own that is opened anew after each failure (promise 2).
* Whatever lies outside, was not scanned or does not exist comes as transparent black. It leaves here white
  and invalid (promise 3).
* A read at a level whose downsample is not a whole number begins at a fraction of a pixel, and the colours
  are interpolated by that fraction: the same pixel differs by up to 12 grey levels between two windows.
  Such levels are read tile by tile from the tiles' own corners, so that a pixel has one value.

Colours are as stored; an ICC profile is not applied, because published detectors were trained without
(`SlideInfo.has_icc_profile`).
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import openslide
from PIL import Image

from mitoscope.errors import RegionError, ScaleError, SlideFormatError, SlideReadError, UndecodableError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.coded_colours import AS_STATED, StoredColours
from mitoscope.slide.info import (
    Level,
    SlideInfo,
    StatedScale,
    downsample,
    fingerprint,
    resolve_scale,
    without_filling,
)
from mitoscope.slide.ome import find_ome_pixels
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.slide import Slide

ICC_SIZE = "openslide.icc-size"
"""Property of a slide with an ICC profile."""
READER = f"openslide {openslide.__library_version__}"
_BLOCK = SizePx(256, 256)
_DESCRIPTION = "tiff.ImageDescription"
_UNSUPPORTED = "Unsupported TIFF compression"  # as OpenSlide words it
CONVERT = "convert it to a tiled pyramidal TIFF, e.g. with vips tiffsave --tile --pyramid"
_LOG = logging.getLogger(__name__)
MAX_SIDE_PX = 1 << 22
"""Longest believable side of a slide in pixels: 1 m of glass at 0.25 µm/px."""
_MAX_TILE_SIDE_PX = 1 << 14
_PADDING_PX = 256
_ASPECT_TOLERANCE = 0.1
_DICOM = "dicom"


class OpenSlideReader(Slide):
    """A slide in one of the formats that OpenSlide knows.

    Safe for several threads. After a fork the child opens handles of its own.

    Parameters
    ----------
    path : Path
        The slide.
    mpp : float, optional
        Resolution in µm/px, if the file states none.
    mpp_override : bool
        Let it replace also what the file states.
    stored : StoredColours
        What the components are that OpenSlide returns.

    Raises
    ------
    SlideFormatError
        If OpenSlide cannot open it.
    ScaleError
        If the resolution is missing or implausible.

    Attributes
    ----------
    downsamples : tuple of float
        OpenSlide's own idea of px0 per pixel of each level: the mean ratio of the sizes.
    """

    def __init__(
        self,
        path: Path,
        *,
        mpp: float | None = None,
        mpp_override: bool = False,
        stored: StoredColours = AS_STATED,
    ) -> None:
        handle = _open(path)
        try:
            self.downsamples: tuple[float, ...] = handle.level_downsamples
            info = _describe(handle, path, mpp, override=mpp_override)
        except openslide.OpenSlideError as error:
            raise SlideFormatError(f"cannot be read ({error})", where=path) from None
        self.info = replace(info, notes=(*info.notes, stored.note)) if stored.note else info
        self._colours = stored.colours
        self._path = path
        self._closed = False
        self._damaged: set[tuple[int, BoxPx]] = set()
        self._own(handle)

    def _own(self, handle: openslide.OpenSlide | None) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._handle = handle
        self._recovery: openslide.OpenSlide | None = None

    def lose(self, level: int, tiles: Iterable[BoxPx]) -> None:
        """Count tiles as damaged that are not stored, which OpenSlide shows as never scanned.

        Parameters
        ----------
        level : int
        tiles : iterable of BoxPx
            Whole tiles, in px of the level.
        """
        self._damaged.update((level, tile) for tile in tiles)

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        self._after_fork()
        if self._damaged and self._touches_damage(box, level):
            return self._read_around(box, level)
        handle = self._live_handle()
        try:
            return self._decode(handle, box, level)
        except openslide.OpenSlideError:
            with self._lock:
                if self._handle is handle:
                    self._handle = None
            return self._read_around(box, level)

    def _touches_damage(self, box: BoxPx, level: int) -> bool:
        tiles = _tiles_touching(box, self.info.levels[level])
        return any((level, tile) in self._damaged for tile, _ in tiles)

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # Locks inside of the inherited handles may be held by threads that do not exist here, so the
            # handles are kept and never touched again, not even to close them.
            self._inherited = (self._handle, self._recovery)
            self._own(None)

    def _live_handle(self) -> openslide.OpenSlide:
        with self._lock:
            if self._closed:
                raise self._closed_error()
            if self._handle is None:
                self._handle = self._reopen()
            return self._handle

    def _reopen(self) -> openslide.OpenSlide:
        try:
            return _open(self._path)
        except SlideFormatError as error:
            raise SlideReadError(f"can no longer be opened ({error.what})", where=self._path) from None

    def _decode(self, handle: openslide.OpenSlide, box: BoxPx, level: int) -> Pixels:
        factor = self.downsamples[level]
        if factor == round(factor):
            return self._read_region(
                handle, box, level=level, x_px0=box.x * round(factor), y_px0=box.y * round(factor)
            )
        return self._join(box, level, lambda tile, part: self._read_part(handle, tile, part, level=level))

    def _read_around(self, box: BoxPx, level: int) -> Pixels:
        with self._lock:
            if self._closed:
                raise self._closed_error()
            return self._join(box, level, lambda tile, part: self._recover(tile, part, level))

    def _recover(self, tile: BoxPx, part: BoxPx, level: int) -> Pixels:
        if (level, tile) in self._damaged:
            return _lost(part)
        reason = ""
        # Twice, so that a passing fault (a full descriptor table, a network drive) is not taken for damage.
        for _ in range(2):
            handle = self._recovery = self._recovery or self._reopen()
            try:
                return self._read_part(handle, tile, part, level=level)
            except openslide.OpenSlideError as error:
                self._recovery, reason = None, str(error)
        self._damaged.add((level, tile))
        _LOG.info(
            "%s: the tile at %d, %d of level %d is lost: %s", self.info.name, tile.x, tile.y, level, reason
        )
        return _lost(part)

    def _join(self, box: BoxPx, level: int, read: Callable[[BoxPx, BoxPx], Pixels]) -> Pixels:
        whole = Pixels.nothing(box.width, box.height)
        damaged: list[BoxPx] = []
        for tile, part in _tiles_touching(box, self.info.levels[level]):
            pixels = read(tile, part)
            here = box.slices_of(part)
            whole.rgb[here], whole.valid[here] = pixels.rgb, pixels.valid
            damaged.extend(pixels.damaged)
        return Pixels(whole.rgb, whole.valid, tuple(damaged))

    def _read_region(
        self, handle: openslide.OpenSlide, box: BoxPx, *, level: int, x_px0: int, y_px0: int
    ) -> Pixels:
        image = handle.read_region((x_px0, y_px0), level, (box.width, box.height))
        if self._colours == "YCbCr":
            *components, alpha = image.split()
            image = Image.merge("YCbCr", components).convert("RGB")
            image.putalpha(alpha)
        return Pixels.from_rgba(np.asarray(image))

    def _read_part(self, handle: openslide.OpenSlide, tile: BoxPx, part: BoxPx, *, level: int) -> Pixels:
        """Read a part of a tile; where the level begins at fractions, from the tile's own corner."""
        factor = self.downsamples[level]
        if factor == round(factor):
            whole = round(factor)
            return self._read_region(handle, part, level=level, x_px0=part.x * whole, y_px0=part.y * whole)
        window = BoxPx(tile.x, tile.y, part.right - tile.x, part.bottom - tile.y)
        pixels = self._read_region(
            handle, window, level=level, x_px0=round(tile.x * factor), y_px0=round(tile.y * factor)
        )
        rows, columns = slice(part.y - tile.y, None), slice(part.x - tile.x, None)
        return Pixels(pixels.rgb[rows, columns], pixels.valid[rows, columns])

    def close(self) -> None:
        """Let go of the file; a read in progress in another thread ends first."""
        self._after_fork()
        # OpenSlide closes a handle when its last user drops it: closing it here would pull it from under a
        # read in another thread.
        with self._lock:
            self._closed = True
            self._handle = self._recovery = None


def _open(path: Path) -> openslide.OpenSlide:
    try:
        return openslide.OpenSlide(path)
    except openslide.OpenSlideUnsupportedFormatError:
        raise SlideFormatError("not a slide that OpenSlide knows", where=path) from None
    except openslide.OpenSlideError as error:
        reason = str(error).replace(f": {path}", "")
        if _UNSUPPORTED in reason:
            raise UndecodableError(f"cannot be opened ({reason})", where=path, mend=CONVERT) from None
        raise SlideFormatError(
            f"cannot be opened ({reason})",
            where=path,
            mend="the file is damaged or incomplete: copy it again",
        ) from None


def _describe(handle: openslide.OpenSlide, path: Path, mpp: float | None, *, override: bool) -> SlideInfo:
    tags = dict(handle.properties)
    levels = read_levels(handle.level_dimensions, tags, where=path)
    power = read_objective_power(tags)
    scale = resolve_scale(
        partial(read_stated_scale, tags, where=path),
        given=mpp,
        override=override,
        objective_power=power,
        tag=openslide.PROPERTY_NAME_MPP_X,
        where=path,
    )
    return SlideInfo(
        path=path,
        name=path.name,
        reader=READER,
        size=levels[0].size,
        levels=levels,
        mpp=scale.mpp,
        mpp_source=scale.source,
        objective_power=power,
        bounds=read_bounds(tags),
        vendor=tags.get(openslide.PROPERTY_NAME_VENDOR),
        fingerprint=fingerprint(path),
        notes=scale.notes,
        has_icc_profile=ICC_SIZE in tags,
    )


def _tiles_touching(box: BoxPx, level: Level) -> Iterator[tuple[BoxPx, BoxPx]]:
    """Yield each stored tile that a box touches, and the part of the box that lies in it."""
    step = level.tile or _BLOCK
    for y in range(box.y // step.height * step.height, box.bottom, step.height):
        for x in range(box.x // step.width * step.width, box.right, step.width):
            tile = BoxPx(x, y, step.width, step.height)
            part = tile.intersection(box)
            if part is not None:
                yield tile, part


def _lost(part: BoxPx) -> Pixels:
    pixels = Pixels.nothing(part.width, part.height)
    return Pixels(pixels.rgb, pixels.valid, (part,))


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
    # DICOM states how much of the whole tiles is the level; other vendors' levels may be filled up.
    same_field = _same_shape if tags.get(openslide.PROPERTY_NAME_VENDOR) == _DICOM else _same_field
    for index, size in enumerate(sizes):
        if not same_field(size0, SizePx(*size), _tile(tags, index)):
            raise SlideFormatError(
                f"has levels of {size0.width} × {size0.height} and {size[0]} × {size[1]} px,"
                " which cannot show the same field",
                where=where,
            )
    return tuple(
        Level(SizePx(*size), *downsample(size0, SizePx(*size)), _tile(tags, index))
        for index, size in enumerate(sizes)
    )


def _same_field(size0: SizePx, size: SizePx, tile: SizePx | None) -> bool:
    """Whether a level is level 0 reduced; some vendors fill levels up to whole tiles."""
    factor = size0.width / size.width
    off = abs(size.height * factor - size0.height)
    if off <= max(_ASPECT_TOLERANCE * size0.height, _PADDING_PX * factor):
        return True
    return tile is not None and without_filling(size0, size, tile) is not None


def _same_shape(size0: SizePx, size: SizePx, tile: SizePx | None) -> bool:
    """Whether a level is level 0 reduced, each side to whole pixels."""
    factor = size0.width / size.width if size0.width >= size0.height else size0.height / size.height
    off = max(abs(size.width * factor - size0.width), abs(size.height * factor - size0.height))
    return off <= 2 * factor or (tile is not None and without_filling(size0, size, tile) is not None)


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
    """Return the resolution that the file states, or None; OME-XML goes before the tags of the TIFF.

    Raises
    ------
    ScaleError
        If one axis is missing or a value is no number.
    """
    sides = [_number(tags.get(f"openslide.level[0].{side}")) for side in ("width", "height")]
    ome = find_ome_pixels(tags.get(_DESCRIPTION, ""), [int(side or 0) for side in sides])
    if ome is not None and ome.scale is not None:
        return ome.scale
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
