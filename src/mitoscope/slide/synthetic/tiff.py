"""The TIFF file: pages of ready-made JPEG tiles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import tifffile

from mitoscope.geometry import SizePx

BIG_TIFF_FROM_PX = 2_000_000_000
"""From this many pixels on a file might outgrow the 4 GiB of a classic TIFF (2 bytes a pixel at worst)."""
_COMPRESSION, _SUBSAMPLING = 259, 530
_JPEG = 7


class JpegTiff:
    """Writes levels of JPEG tiles into an open file.

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
