"""The JPEG tiles of a TIFF: where they lie in the file, and each one completed and decoded.

In a TIFF the tables of quantisation and coding may be stored once for all tiles (tag 347), and the tag
PhotometricInterpretation (262), not the stream, says whether the colours are RGB or YCbCr. libjpeg-turbo
wants both in the stream. So each tile gets a new head: an Adobe marker that states the colours, then the
shared tables; markers of the stream that state colours otherwise are left out.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.coded_colours import Colours, jpeg_head, read_coded_colours
from mitoscope.slide.info import Level

if TYPE_CHECKING:
    from tifffile import TiffPage


REDUCTIONS = (2, 4, 8)
"""Factors by which libjpeg reduces while it decodes: the inverse transform of 8 × 8 coefficients is taken at
4 × 4, 2 × 2 or 1 × 1 places, which lie in the middle of what they cover."""
_START, _END = b"\xff\xd8", b"\xff\xd9"
_TRANSFORM_AT = 17  # where a head states its colours: the last byte of the Adobe marker
_APP_FIRST, _APP_LAST, _COMMENT = 0xE0, 0xEF, 0xFE
MAX_PAGES = 256
"""Most pages of a file that are looked at: levels, label, macro image."""
_JPEG, _RGB, _YCBCR, _CONTIGUOUS = 7, 2, 6, 1
_TILE_MULTIPLE_PX = 16
_TILE_HEADER_BYTES = 1 << 16
# What tifffile raises for broken files: none of it documented, all of it possible.
PARSER_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    AttributeError,
    MemoryError,
    RecursionError,
    struct.error,
)
# What tifffile has to say about a broken file ends as the reason for leaving it to OpenSlide.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class DamagedStreamError(ValueError):
    """Of a JPEG stream the decoder complains, though it makes pixels of it: some of them are invented."""


class PositionalFile:
    """A file that is read at stated places, by any number of threads and processes at once.

    There is no file position that they could move under each other: a child of a fork reads through the
    same descriptor (promise 4). The descriptor is given back when the last user lets go, never under a read
    in progress, whose bytes would then come from whatever file takes its number.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    SlideFormatError
        If it cannot be opened.
    """

    _descriptor = -1

    def __init__(self, path: Path) -> None:
        self._turn = threading.Lock()
        try:
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise SlideFormatError(f"cannot be read ({error.strerror})", where=path) from None

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from an offset; fewer where the file ends.

        Raises
        ------
        OSError
            If the disk or the network fails.
        """
        if hasattr(os, "pread"):
            content: bytes = os.pread(self._descriptor, count, offset)
            return content
        with self._turn:  # Windows: one position for all, but no forks
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, count)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def stream_head(tables: bytes | None, *, ycbcr: bool) -> bytes:
    """Return what every tile of a level begins with.

    Parameters
    ----------
    tables : bytes or None
        The value of the tag JPEGTables: a JPEG stream of tables alone.
    ycbcr : bool
        Whether the colours are YCbCr; otherwise RGB.

    Raises
    ------
    ValueError
        If the tables are no JPEG stream.
    """
    # Marker APP14, 14 bytes: name, version 100, two flags, transform (0: none, 1: YCbCr).
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([ycbcr])
    if tables is None:
        return _START + adobe
    if not (tables.startswith(_START) and tables.endswith(_END)):
        raise ValueError("the shared JPEG tables are no JPEG stream")
    return _START + adobe + _after_applications(tables)[: -len(_END)]


def decode_tile(
    stream: bytes,
    head: bytes,
    size: SizePx,
    *,
    reduction: int = 1,
    buffer: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Decode a tile.

    Parameters
    ----------
    stream : bytes
        The tile as stored.
    head : bytes
        What `stream_head` returns for the tile's level.
    size : SizePx
        Size of the tile in px; a multiple of 8 where it is reduced.
    reduction : int
        1, or one of `REDUCTIONS`.
    buffer : ndarray of uint8, optional
        Where the pixels go, of the shape that is returned; by default new memory.

    Returns
    -------
    ndarray of uint8, shape (height / reduction, width / reduction, 3)

    Raises
    ------
    DamagedStreamError
        If the stream is damaged in its coded blocks.
    ValueError
        If it is damaged in its head, none, or not of that size.
    """
    if not stream.startswith(_START):
        raise ValueError("no JPEG stream")
    shape = size.height // reduction, size.width // reduction, 3
    # A header that claims a larger picture is refused before it takes memory: the buffer is too small.
    decode = partial(
        simplejpeg.decode_jpeg,
        head + _after_applications(stream),
        min_height=shape[0],
        min_width=shape[1],
        min_factor=reduction,
        buffer=np.empty(shape, np.uint8) if buffer is None else buffer,
    )
    try:
        rgb = decode()
    except ValueError as error:
        if _makes_pixels(decode):
            raise DamagedStreamError(str(error)) from None
        raise
    if rgb.shape != shape:
        raise ValueError(f"a tile of {rgb.shape[1]} × {rgb.shape[0]} px instead of {shape[1]} × {shape[0]}")
    return np.asarray(rgb)


def _makes_pixels(decode: Callable[..., object]) -> bool:
    """Return whether the decoder reads on where it complains."""
    try:
        decode(strict=False)
    except ValueError:
        return False
    return True


def check_stream(stream: bytes, head: bytes, most: SizePx) -> None:
    """Decode a stream for the complaints alone: what another decoder makes of a damaged one is invented.

    Raises
    ------
    ValueError
        If the stream is damaged in any way, or has more pixels than `most`.
    """
    if not stream.startswith(_START):
        raise ValueError("no JPEG stream")
    buffer = np.empty((most.height, most.width, 3), np.uint8)
    simplejpeg.decode_jpeg(head + _after_applications(stream), buffer=buffer)


def _after_applications(stream: bytes) -> bytes:
    """Return a stream without its start and the markers of applications and comments that follow it.

    A JFIF marker would say YCbCr, louder than Adobe's.
    """
    place = len(_START)
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        kind = stream[place + 1]
        if not (_APP_FIRST <= kind <= _APP_LAST or kind == _COMMENT):
            break
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return stream[place:]


@dataclass(frozen=True, slots=True, eq=False)
class TileTable:
    """The tiles of one level, row by row.

    Parameters
    ----------
    size : SizePx
        Size of the level in px.
    tile : SizePx
        Size of a tile in px; those at the right and lower border reach beyond the level.
    offsets, counts : ndarray of int64, shape (tiles,)
        Place of each tile's stream in the file and its length in bytes; 0 where the tile is not stored.
    head : bytes
        What each stream is completed with, see `stream_head`.
    tables : bytes or None
        The shared JPEG tables as they are stored, with their markers.
    """

    size: SizePx
    tile: SizePx
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    head: bytes
    tables: bytes | None = None

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.size.width // self.tile.width)

    @property
    def down(self) -> int:
        """Rows of tiles."""
        return -(-self.size.height // self.tile.height)

    def box(self, index: int) -> BoxPx:
        """Return the place of a tile in px of the level; it may reach beyond it."""
        row, column = divmod(index, self.across)
        return BoxPx(column * self.tile.width, row * self.tile.height, self.tile.width, self.tile.height)

    def inside(self, index: int) -> SizePx:
        """Return how much of a tile lies within the level."""
        box = self.box(index)
        return SizePx(min(box.right, self.size.width) - box.x, min(box.bottom, self.size.height) - box.y)

    def holds(self, index: int) -> bool:
        """Return whether a tile lies within the level, to its last pixel."""
        return self.inside(index) == self.tile

    def touching(self, box: BoxPx, reduction: int = 1) -> Iterator[tuple[int, BoxPx]]:
        """Yield the tiles that a box within the level touches, with their places; in reduced px."""
        width, height = self.tile.width // reduction, self.tile.height // reduction
        for row in range(box.y // height, -(-box.bottom // height)):
            for column in range(box.x // width, -(-box.right // width)):
                yield row * self.across + column, BoxPx(column * width, row * height, width, height)

    def place(self, index: int) -> tuple[int, int]:
        """Return offset and length of a tile's stream in bytes.

        Raises
        ------
        ValueError
            If the tile is not stored, or as long as no tile can be.
        """
        offset, count = int(self.offsets[index]), int(self.counts[index])
        if not 0 < count <= 8 * self.tile.area + _TILE_HEADER_BYTES or offset <= 0:
            raise ValueError(f"{count} bytes at {offset}")
        return offset, count

    def head_of(self, stream: bytes) -> bytes:
        """Return what a JPEG stream of this level is completed with.

        That is the level's head, unless the stream says that its colours are others than the level's.
        """
        colours = _stated_colours(jpeg_head(stream), self.tables)
        if colours is None or (colours == "YCbCr") == self.head[_TRANSFORM_AT]:
            return self.head
        return self.head[:_TRANSFORM_AT] + bytes([colours == "YCbCr"]) + self.head[_TRANSFORM_AT + 1 :]

    def samples(self) -> list[int]:
        """Return a handful of tiles to be looked at: the corners and the one that takes most bytes."""
        last_row = self.across * (self.down - 1)
        corners = (0, self.across - 1, last_row, last_row + self.across - 1)
        return sorted({*corners, int(self.counts.argmax())})


@lru_cache(maxsize=64)
def _stated_colours(head: bytes, tables: bytes | None) -> Colours | None:
    """Return what a stream says; most tiles of a level begin with the same head."""
    said = read_coded_colours(head, tables)
    return None if said is None else said.colours


def read_tile_tables(path: Path, levels: Sequence[Level]) -> tuple[TileTable, ...]:
    """Find the tiles of each level in a TIFF.

    Parameters
    ----------
    path : Path
        The file. It was probed before: a parser runs here.
    levels : sequence of Level
        The levels as OpenSlide sees them.

    Raises
    ------
    SlideFormatError
        If a level is not stored as JPEG tiles of 8-bit RGB or YCbCr, saying why.
    """
    import tifffile  # takes 0.1 s to import, and plain images do without

    try:
        with tifffile.TiffFile(path) as tiff:
            count = len(tiff.pages)
            if count > MAX_PAGES:
                raise SlideFormatError(f"has {count} pages", where=path)
            every = (tiff.pages.get(index) for index in range(count))
            pages = [page for page in every if isinstance(page, tifffile.TiffPage) and page.is_tiled]
            return tuple(_table(pages, level, index, path) for index, level in enumerate(levels))
    except PARSER_ERRORS as error:
        raise SlideFormatError(f"cannot be parsed as TIFF ({error})", where=path) from None


def _table(pages: Sequence[TiffPage], level: Level, index: int, path: Path) -> TileTable:
    name = f"level {index}"
    same = [
        page for page in pages if (page.imagewidth, page.imagelength) == (level.size.width, level.size.height)
    ]
    if len(same) != 1:
        raise SlideFormatError(f"has {len(same)} tiled pages of the size of {name}", where=path)
    page = same[0]
    wrong = _unsuited(page, level)
    if wrong is not None:
        raise SlideFormatError(f"{name} {wrong}", where=path)
    tile = SizePx(page.tilewidth, page.tilelength)
    head = stream_head(page.jpegtables, ycbcr=page.photometric == _YCBCR)
    offsets, counts = (np.asarray(values, np.int64) for values in (page.dataoffsets, page.databytecounts))
    table = TileTable(level.size, tile, offsets, counts, head, page.jpegtables)
    if not len(offsets) == len(counts) == table.across * table.down:
        raise SlideFormatError(
            f"{name} lists {len(offsets)} tiles of {table.across * table.down}", where=path
        )
    return table


def _unsuited(page: TiffPage, level: Level) -> str | None:
    """Return what keeps a page from being read, or None."""
    tile = level.tile
    if page.compression != _JPEG:
        return f"is not JPEG (compression {int(page.compression)})"
    if page.photometric not in {_RGB, _YCBCR}:
        return f"has the colours {int(page.photometric)}, neither RGB nor YCbCr"
    if (page.samplesperpixel, page.bitspersample, page.planarconfig) != (3, 8, _CONTIGUOUS):
        return f"has {page.samplesperpixel} samples of {page.bitspersample} bits"
    if tile is None or (page.tilewidth, page.tilelength) != (tile.width, tile.height):
        return "has other tiles than OpenSlide sees"
    if tile.width % _TILE_MULTIPLE_PX or tile.height % _TILE_MULTIPLE_PX:
        return f"has tiles of {tile.width} × {tile.height} px, no multiple of {_TILE_MULTIPLE_PX}"
    return None
