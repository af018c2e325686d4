"""Where the JPEG tiles of a slide lie in its TIFF file."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.info import Level
from mitoscope.slide.jpeg_stream import stream_head

if TYPE_CHECKING:
    from tifffile import TiffPage

MAX_PAGES = 256
"""Most pages of a file that are looked at: levels, label, macro image."""
_JPEG, _RGB, _YCBCR, _CONTIGUOUS = 7, 2, 6, 1
_TILE_MULTIPLE_PX = 16
_TILE_HEADER_BYTES = 1 << 16
# What tifffile raises for broken files: none of it documented, all of it possible.
_PARSER_ERRORS = (
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
    """

    size: SizePx
    tile: SizePx
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    head: bytes

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

    def holds(self, index: int) -> bool:
        """Return whether a tile lies within the level, to its last pixel."""
        box = self.box(index)
        return box.right <= self.size.width and box.bottom <= self.size.height

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

    def samples(self) -> list[int]:
        """Return a handful of tiles to be looked at: the corners and the one that takes most bytes."""
        last_row = self.across * (self.down - 1)
        corners = (0, self.across - 1, last_row, last_row + self.across - 1)
        return sorted({*corners, int(self.counts.argmax())})


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
    except _PARSER_ERRORS as error:
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
    table = TileTable(level.size, tile, offsets, counts, head)
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
