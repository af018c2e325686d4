"""A pyramid of JPEG tiles, built while level 0 passes by, row of tiles by row of tiles."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from mitoscope.geometry import SizePx

STEP = 4
"""Each level is a quarter of the one below in width and height, as scanners write it."""


def level_sizes(size: SizePx, tile_px: int) -> tuple[SizePx, ...]:
    """Return the sizes of all levels, level 0 first; the last fits into one tile."""
    sizes = [size]
    while max(sizes[-1].width, sizes[-1].height) > tile_px:
        last = sizes[-1]
        sizes.append(SizePx(-(-last.width // STEP), -(-last.height // STEP)))
    return tuple(sizes)


def tiles_across(size: SizePx, tile_px: int) -> tuple[int, int]:
    """Return the number of columns and rows of tiles."""
    return -(-size.width // tile_px), -(-size.height // tile_px)


def encode_tile(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """Return a tile as a complete JPEG stream, YCbCr 4:2:0."""
    stream = simplejpeg.encode_jpeg(
        np.ascontiguousarray(rgb), quality=quality, colorspace="RGB", colorsubsampling="420"
    )
    return bytes(stream)


def reduce_tile(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the means of 4 × 4 blocks of pixels."""
    wide = rgb.astype(np.uint16)
    rows = wide[0::4] + wide[1::4] + wide[2::4] + wide[3::4]
    total = rows[:, 0::4] + rows[:, 1::4] + rows[:, 2::4] + rows[:, 3::4]
    return np.asarray((total + 8) >> 4, dtype=np.uint8)


class ReducedLevel:
    """One level above level 0: takes reduced tiles, encodes its own, passes them on upwards.

    Holds one row of tiles in memory; encoded tiles wait in a file, empty ones as one shared tile.

    Parameters
    ----------
    size : SizePx
    tile_px, quality : int
    glass : ndarray of uint8, shape (3,)
        Colour of empty glass.
    folder : Path
        Where the encoded tiles wait; on the file system of the slide, under no name.
    above : ReducedLevel, optional
        The next smaller level.
    """

    def __init__(
        self,
        size: SizePx,
        *,
        tile_px: int,
        quality: int,
        glass: NDArray[np.uint8],
        folder: Path,
        above: ReducedLevel | None,
    ) -> None:
        self.size = size
        self._tile_px, self._quality, self._glass, self._above = tile_px, quality, glass, above
        self._columns, self._rows = tiles_across(size, tile_px)
        self._row = np.empty((tile_px, self._columns * tile_px, 3), dtype=np.uint8)
        self._row[:] = glass
        self._painted = np.zeros(self._columns, dtype=bool)
        self._empty = encode_tile(np.broadcast_to(glass, (tile_px, tile_px, 3)), quality)
        self._file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by close()
        self._lengths: list[int] = []

    def put(self, reduced: NDArray[np.uint8], column: int, row: int) -> None:
        """Take the reduced pixels of the tile below at a column and row of the level below."""
        side = self._tile_px // STEP
        y, x = (row % STEP) * side, column * side
        self._row[y : y + side, x : x + side] = reduced
        self._painted[column // STEP] = True

    def end_row_below(self, row: int, *, last: bool) -> None:
        """Note that a row of tiles below is complete; encode the own row when it is full."""
        if row % STEP < STEP - 1 and not last:
            return
        own = row // STEP
        for column in range(self._columns):
            self._store(column, own)
        self._row[:] = self._glass
        self._painted[:] = False
        if self._above is not None:
            self._above.end_row_below(own, last=last)

    def _store(self, column: int, row: int) -> None:
        if not self._painted[column]:
            self._lengths.append(0)
            return
        tile = self._row[:, column * self._tile_px : (column + 1) * self._tile_px]
        encoded = encode_tile(tile, self._quality)
        self._file.write(encoded)
        self._lengths.append(len(encoded))
        if self._above is not None:
            self._above.put(reduce_tile(tile), column, row)

    def tiles(self) -> Iterator[bytes]:
        """Yield the encoded tiles row by row, after the last row has come."""
        self._file.seek(0)
        for length in self._lengths:
            yield self._file.read(length) if length else self._empty

    def close(self) -> None:
        """Let go of the waiting tiles."""
        self._file.close()
