"""The slide of the tests with damaged tiles, read tile by tile."""

from __future__ import annotations

from collections.abc import Callable

from mitoscope.geometry import BoxPx
from mitoscope.slide import Pixels

TILE = 64
BAD = 100  # column 4, row 6


def tile_box(tile: int) -> BoxPx:
    return BoxPx(tile % 16 * TILE, tile // 16 * TILE, TILE, TILE)


def tiles_lost(read: Callable[[BoxPx], Pixels]) -> int:
    order = [BAD, *(tile for tile in range(256) if tile != BAD)]
    return sum(bool(read(tile_box(tile)).damaged) for tile in order)
