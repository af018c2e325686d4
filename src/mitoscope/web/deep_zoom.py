"""A slide as a deep-zoom pyramid: each level half of the next, in tiles of 256 px, kept when encoded.

The file's own pyramid seldom has a level for each power of two: a tile between two levels is made from the
finer one.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from mitoscope.errors import LevelError, RegionError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import Pixels, Slide
from mitoscope.slide.plane import best_level

TILE_PX = 256
QUALITY = 85
_STRIP_PX = 4096
"""Source pixels in a row that are read at once for a tile of a coarse level of a slide without a pyramid."""
CAPACITY_BYTES = 128 << 20
"""About 8,000 tiles of 256 px."""


def max_level(size: SizePx) -> int:
    """Return the level of full size; level 0 is one pixel."""
    return math.ceil(math.log2(max(size.width, size.height))) if max(size.width, size.height) > 1 else 0


def level_size(size: SizePx, level: int) -> SizePx:
    """Return the size of a level.

    Raises
    ------
    LevelError
        If there is no such level.
    """
    top = max_level(size)
    if not 0 <= level <= top:
        raise LevelError(f"there is no level {level}", mend=f"levels are 0 to {top}")
    factor = 1 << (top - level)
    return SizePx(-(-size.width // factor), -(-size.height // factor))


def read_tile(slide: Slide, level: int, column: int, row: int) -> NDArray[np.uint8]:
    """Return a tile, shape (h, w, 3); those at the right and lower edge are smaller.

    Raises
    ------
    LevelError
        If there is no such level.
    RegionError
        If there is no such tile.
    """
    size = level_size(slide.info.size, level)
    if not (0 <= column * TILE_PX < size.width and 0 <= row * TILE_PX < size.height):
        raise RegionError(f"there is no tile {column}, {row} at level {level}")
    width = min(TILE_PX, size.width - column * TILE_PX)
    height = min(TILE_PX, size.height - row * TILE_PX)
    factor = 1 << (max_level(slide.info.size) - level)
    box = BoxPx(column * TILE_PX * factor, row * TILE_PX * factor, width * factor, height * factor)
    return read_scaled(slide, box, SizePx(width, height))


def read_scaled(slide: Slide, box: BoxPx, size: SizePx) -> NDArray[np.uint8]:
    """Return a box in level-0 px at a size, shape (h, w, 3); what reaches beyond the slide is white."""
    index = best_level(slide, min(box.width / size.width, box.height / size.height))
    level = slide.info.level(index)
    left, top = box.x / level.downsample_x, box.y / level.downsample_y
    right, bottom = box.right / level.downsample_x, box.bottom / level.downsample_y
    x, y = math.floor(left), math.floor(top)
    source = BoxPx(x, y, max(1, math.ceil(right) - x), max(1, math.ceil(bottom) - y))
    if (source.width, source.height) == (size.width, size.height):
        return slide.read(source, level=index).rgb
    is_whole = (left, top, right, bottom) == (x, y, source.right, source.bottom)
    if is_whole and (factor := _factor(slide, source, size)):
        box = BoxPx(x // factor, y // factor, size.width, size.height)
        return slide.read_reduced(box, reduction=factor, level=index).rgb
    rgb = _read_in_strips(slide, source, index, size)
    if is_whole and rgb.shape == (size.height * 2, size.width * 2, 3):
        # Most tiles between two levels: the mean of four pixels, in a quarter of the time.
        return np.asarray(Image.fromarray(rgb).reduce(2))
    scale_x, scale_y = rgb.shape[1] / source.width, rgb.shape[0] / source.height
    part = ((left - x) * scale_x, (top - y) * scale_y, (right - x) * scale_x, (bottom - y) * scale_y)
    image = Image.fromarray(rgb).resize((size.width, size.height), Image.Resampling.BILINEAR, box=part)
    return np.asarray(image)


def _factor(slide: Slide, source: BoxPx, size: SizePx) -> int:
    """Return the factor by which a slide can be reduced while it is decoded, to just this size; else 0."""
    for factor in slide.reductions:
        is_exact = (source.width, source.height) == (size.width * factor, size.height * factor)
        if is_exact and not (source.x % factor or source.y % factor):
            return factor
    return 0


def _read_in_strips(slide: Slide, source: BoxPx, level: int, size: SizePx) -> NDArray[np.uint8]:
    """Return the source pixels; where they are far more than are needed, block means of them."""
    block = max(1, min(source.width // (2 * size.width), source.height // (2 * size.height)))
    if source.width <= _STRIP_PX and source.height <= _STRIP_PX:
        return _reduced(slide.read(source, level=level), block)
    height = max(block, _STRIP_PX // 4 // block * block)
    rows = []
    for y in range(source.y, source.bottom, height):
        strip = BoxPx(source.x, y, source.width, min(height, source.bottom - y))
        rows.append(_reduced(slide.read(strip, level=level), block))
    return np.concatenate(rows)


def _reduced(pixels: Pixels, block: int) -> NDArray[np.uint8]:
    if block == 1:
        return pixels.rgb
    return np.asarray(Image.fromarray(pixels.rgb).reduce(block))


def encode_jpeg(rgb: NDArray[np.uint8], *, quality: int = QUALITY) -> bytes:
    """Return an image as JPEG."""
    if min(rgb.shape[:2]) < 1:
        raise RegionError("an empty image")
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality=quality, colorsubsampling="420"))


class TileCache:
    """Tiles by key, up to a capacity of all together; the one used longest ago goes first."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity = capacity_bytes
        self._lock = threading.Lock()
        self._tiles: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return a tile, making it if it is not there; two who ask at once may both make it."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
                return tile
        tile = make()
        with self._lock:
            self._put(key, tile)
        return tile

    def _put(self, key: Hashable, tile: bytes) -> None:
        self._bytes += len(tile) - len(self._tiles.pop(key, b""))
        self._tiles[key] = tile
        while self._bytes > self._capacity:
            _, gone = self._tiles.popitem(last=False)
            self._bytes -= len(gone)

    @property
    def size_bytes(self) -> int:
        """Of all tiles together."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._tiles)
