"""The fast path: a slide's own JPEG tiles, decoded by libjpeg-turbo.

OpenSlide decodes a tile, paints it onto a transparent canvas through two more colour formats, and does so for
every window that touches it. Here a tile is decoded once, straight to RGB, kept while there is room, and
windows are cut from it in memory: six to eight times the pixels a second.

The pixels are those that OpenSlide gives; `disagreement` checks it when a slide is opened. What this reader
cannot decode without a complaint, a tile that is missing or damaged, is asked of OpenSlide, which knows what
the vendor means by it, or says that it is lost.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import replace

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx
from mitoscope.slide.jpeg_stream import REDUCTIONS, decode_tile
from mitoscope.slide.openslide_reader import READER as OPENSLIDE
from mitoscope.slide.openslide_reader import OpenSlideReader
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.positional_file import PositionalFile
from mitoscope.slide.reduction import block_means
from mitoscope.slide.slide import Slide
from mitoscope.slide.tile_cache import SHARED, TileCache
from mitoscope.slide.tile_table import TileTable, read_tile_tables

READER = f"simplejpeg {simplejpeg.__version__}, {OPENSLIDE}"
VENDORS = frozenset({"aperio", "generic-tiff"})
"""OpenSlide's names of the formats whose levels are plain grids of tiles, one page of a TIFF each."""
_LOG = logging.getLogger(__name__)
_NUMBERS = itertools.count()


class JpegTileReader(Slide):
    """A slide whose levels are JPEG tiles in a TIFF: SVS, tiled pyramids of vips, QuPath and mitoscope.

    Safe for several threads and across forks.

    Read reduced, a tile within the level is decoded at the smaller size; a tile that reaches beyond the level
    is decoded whole and averaged, so that what lies beyond never shows. Either way a pixel depends on its
    tile alone: windows agree bit for bit where they overlap.

    Parameters
    ----------
    reference : OpenSlideReader
        The same slide, open; this reader describes it in the same words, and closes it at the end.
    cache : TileCache, optional
        Where decoded tiles are kept; by default the process's own.

    Raises
    ------
    SlideFormatError
        If the slide is not stored in such tiles; the reference stays open and usable.
    """

    reductions = REDUCTIONS

    def __init__(self, reference: OpenSlideReader, *, cache: TileCache = SHARED) -> None:
        info = reference.info
        assert info.path is not None  # OpenSlide reads files
        if info.vendor not in VENDORS:
            raise SlideFormatError(f"is a slide of {info.vendor}, not a plain tiled TIFF", where=info.path)
        self._tables = read_tile_tables(info.path, info.levels)
        self._file: PositionalFile | None = PositionalFile(info.path)
        self._reference = reference
        self._cache = cache
        self._number = next(_NUMBERS)
        self._undecodable: set[tuple[int, int]] = set()
        self.info = replace(info, reader=READER)

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        return self._join(box, level, 1)

    def _read_reduced_inside(self, box: BoxPx, level: int, reduction: int) -> Pixels:
        return self._join(box, level, reduction)

    def table(self, level: int) -> TileTable:
        """Return where the tiles of a level lie."""
        return self._tables[level]

    def tile(self, level: int, index: int, *, reduction: int = 1) -> NDArray[np.uint8] | None:
        """Return a whole tile as stored; not to be written to.

        Parameters
        ----------
        level, index : int
            Level and number of the tile, row by row.
        reduction : int
            1, or one of `reductions`.

        Returns
        -------
        ndarray of uint8, shape (height / reduction, width / reduction, 3), or None
            None where it is not stored or cannot be decoded without a complaint.
        """
        file = self._file
        if file is None:
            raise self._closed_error()
        key = self._number, level, index, reduction
        rgb = self._cache.get(key)
        if rgb is None and (level, index) not in self._undecodable:
            rgb = self._decode(file, level, index, reduction)
            if rgb is not None:
                self._cache.put(key, rgb)
        return rgb

    def _decode(
        self, file: PositionalFile, level: int, index: int, reduction: int
    ) -> NDArray[np.uint8] | None:
        table = self._tables[level]
        try:
            stream = file.read(*table.place(index))
            return decode_tile(stream, table.head, table.tile, reduction=reduction)
        except ValueError as error:
            self._undecodable.add((level, index))
            self._log_undecodable(level, index, error)
        except OSError as error:  # may pass: a network drive
            self._log_undecodable(level, index, error)
        return None

    def _log_undecodable(self, level: int, index: int, error: Exception) -> None:
        _LOG.info("%s: tile %d of level %d is left to OpenSlide: %s", self.info.name, index, level, error)

    def _join(self, box: BoxPx, level: int, reduction: int) -> Pixels:
        """Read a box, in reduced px of a level, tile by tile."""
        rgb = np.empty((box.height, box.width, 3), np.uint8)
        valid = np.empty((box.height, box.width), np.bool_)
        damaged: list[BoxPx] = []
        for index, tile in self._tables[level].touching(box, reduction):
            part = tile.intersection(box)
            assert part is not None  # it touches
            pixels = self._read_part(tile, part, level=level, index=index, reduction=reduction)
            rows, columns = _place(part, box)
            rgb[rows, columns], valid[rows, columns] = pixels.rgb, pixels.valid
            damaged.extend(pixels.damaged)
        return Pixels(rgb, valid, tuple(damaged))

    def _read_part(self, tile: BoxPx, part: BoxPx, *, level: int, index: int, reduction: int) -> Pixels:
        if reduction > 1 and not self._tables[level].holds(index):
            return self._average_part(tile, part, level=level, index=index, reduction=reduction)
        rgb = self.tile(level, index, reduction=reduction)
        if rgb is not None:
            return Pixels(rgb[_place(part, tile)], np.broadcast_to(np.True_, (part.height, part.width)))
        if reduction == 1:
            return self._reference.read(part, level=level)
        return self._average_part(tile, part, level=level, index=index, reduction=reduction)

    def _average_part(self, tile: BoxPx, part: BoxPx, *, level: int, index: int, reduction: int) -> Pixels:
        """Reduce a tile that cannot be reduced while it is decoded: at the border, or left to OpenSlide."""
        size = self.info.levels[level].size
        stored = self._tables[level].box(index).intersection(BoxPx(0, 0, size.width, size.height))
        assert stored is not None  # tiles lie on the level
        pixels = block_means(self._read_inside(stored, level), reduction)
        damaged = tuple(hit for box in pixels.damaged if (hit := box.intersection(part)) is not None)
        place = _place(part, tile)
        return Pixels(pixels.rgb[place], pixels.valid[place], damaged)

    def close(self) -> None:
        """Let go of the file; a read in progress in another thread ends first."""
        self._file = None
        self._reference.close()
        self._cache.forget(self._number)


def _place(part: BoxPx, box: BoxPx) -> tuple[slice, slice]:
    """Return the rows and columns that a part takes in the array of a box."""
    return slice(part.y - box.y, part.bottom - box.y), slice(part.x - box.x, part.right - box.x)
