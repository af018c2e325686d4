"""A pyramid of JPEG tiles, built while level 0 passes by, row of tiles by row of tiles."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import simplejpeg
import tifffile
from numpy.typing import NDArray

from mitoscope.geometry import SizePx

STEP = 4
"""Each level is a quarter of the one below in width and height, as scanners write it."""
BIG_TIFF_FROM_PX = 2_000_000_000
"""From this many pixels on a file might outgrow the 4 GiB of a classic TIFF (2 bytes a pixel at worst)."""
_COMPRESSION, _SUBSAMPLING = 259, 530
_JPEG = 7


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
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by close()
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


Paint = Callable[[int, int], tuple[bytes, NDArray[np.uint8] | None]]
"""Column and row of a tile of level 0 → the encoded tile, and its pixels; None where it is empty glass."""


class JpegTiff:
    """Writes a pyramid of JPEG tiles into an open file.

    Parameters
    ----------
    stream : BinaryIO
        A real file that is open for reading and writing at the level of the system.
    size : SizePx
        Size of level 0.
    tile_px : int
    mpp : float
        µm per level-0 pixel.
    description : str
        Text of the first page.
    """

    def __init__(self, stream: BinaryIO, *, size: SizePx, tile_px: int, mpp: float, description: str) -> None:
        self._stream = stream
        self._size, self._tile_px, self._mpp, self._description = size, tile_px, mpp, description
        self._writer = tifffile.TiffWriter(
            tifffile.FileHandle(stream, name="slide.tiff", size=0),
            bigtiff=size.area >= BIG_TIFF_FROM_PX,
        )
        self._pages = 0

    def write(
        self,
        paint: Paint,
        *,
        quality: int,
        glass: NDArray[np.uint8],
        folder: Path,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Write all levels; level 0, painted tile by tile, feeds the others.

        Parameters
        ----------
        paint : callable
        quality : int
            Of JPEG, for the other levels.
        glass : ndarray of uint8, shape (3,)
            Colour of empty glass.
        folder : Path
            Where encoded tiles wait; on the file system of the slide.
        progress : callable, optional
            Called with the number of finished tiles of level 0 and their total.
        """
        levels: list[ReducedLevel] = []
        try:
            above: ReducedLevel | None = None
            for size in reversed(level_sizes(self._size, self._tile_px)[1:]):
                above = ReducedLevel(
                    size, tile_px=self._tile_px, quality=quality, glass=glass, folder=folder, above=above
                )
                levels.insert(0, above)
            self.add_level(self._level_0(paint, above, progress), self._size)
            for level in levels:
                self.add_level(level.tiles(), level.size)
            self.finish()
        finally:
            for level in levels:
                level.close()

    def _level_0(
        self, paint: Paint, above: ReducedLevel | None, progress: Callable[[int, int], None] | None
    ) -> Iterator[bytes]:
        columns, rows = tiles_across(self._size, self._tile_px)
        for row in range(rows):
            for column in range(columns):
                encoded, pixels = paint(column, row)
                if above is not None and pixels is not None:
                    above.put(reduce_tile(pixels), column, row)
                # Before the tile goes out: nobody asks for more after the last one.
                if above is not None and column == columns - 1:
                    above.end_row_below(row, last=row == rows - 1)
                if progress is not None:
                    progress(row * columns + column + 1, rows * columns)
                yield encoded

    def add_level(self, tiles: Iterator[bytes], size: SizePx) -> None:
        """Write the next level from its encoded tiles, row by row."""
        per_cm = Fraction(10_000.0 / self._mpp * size.width / self._size.width).limit_denominator(10_000)
        ratio = (per_cm.numerator, per_cm.denominator)
        # tifffile wants the codec itself before it takes JPEG, even for tiles that are encoded already. So
        # the pages are declared as Deflate and renamed in `finish`; the bytes of the tiles pass untouched.
        self._writer.write(
            tiles,
            shape=(size.height, size.width, 3),
            dtype="uint8",
            tile=(self._tile_px, self._tile_px),
            photometric="ycbcr",
            compression="zlib",
            resolution=(ratio, ratio),
            resolutionunit="CENTIMETER",
            subfiletype=1 if self._pages else 0,
            description=None if self._pages else self._description,
            software="mitoscope",
            metadata=None,
        )
        self._pages += 1

    def finish(self) -> None:
        """Complete the file."""
        self._writer.close()
        self._stream.seek(0)
        with tifffile.TiffFile(tifffile.FileHandle(self._stream, name="slide.tiff")) as tiff:
            for page in tiff.pages:
                page.tags[_COMPRESSION].overwrite(_JPEG)  # type: ignore[union-attr]
                page.tags[_SUBSAMPLING].overwrite((2, 2))  # type: ignore[union-attr]


def reopened(stream: BinaryIO) -> BinaryIO:
    """Return a second, readable and writable handle on the file of a stream."""
    return os.fdopen(os.dup(stream.fileno()), "r+b")
