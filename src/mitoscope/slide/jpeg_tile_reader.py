"""The fast path: a slide's own JPEG tiles, decoded by libjpeg-turbo.

OpenSlide decodes a tile and paints it onto a transparent canvas through two more colour formats. Here a tile
is decoded straight to RGB; one that a window cuts is kept while there is room, for the windows beside it. A
tile that a window takes whole is not: it would push out those that will be asked for again.

The pixels are those that OpenSlide gives; `disagreement` checks it when a slide is opened. A tile that is
missing, or that this reader cannot decode, is asked of OpenSlide, which knows what the vendor means by it, or
says that it is lost. A tile of which the decoder complains is lost: of plain TIFFs libtiff makes pixels all
the same.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.jpeg_tiles import (
    REDUCTIONS,
    DamagedStreamError,
    PositionalFile,
    TileTable,
    decode_tile,
    read_tile_tables,
)
from mitoscope.slide.openslide_reader import READER as OPENSLIDE
from mitoscope.slide.openslide_reader import OpenSlideReader
from mitoscope.slide.pixels import Pixels, block_means, reduced_size
from mitoscope.slide.seams import looks_damaged
from mitoscope.slide.slide import Slide

CACHE_BYTES = 128 << 20
"""Room for the tiles of all slides of a process: two chunks of 2,048 px with the tiles around them."""

TileKey = tuple[int, int, int, int]
"""Reader, level, index of the tile, reduction."""
READER = f"simplejpeg {simplejpeg.__version__}, {OPENSLIDE}"
VENDORS = frozenset({"aperio", "generic-tiff"})
"""OpenSlide's names of the formats whose levels are plain grids of tiles, one page of a TIFF each."""
_LEFT = "is left to OpenSlide"
_LOG = logging.getLogger(__name__)
READER_NUMBERS = itertools.count()
"""What tells readers apart in the cache."""


class DecodedTileCache:
    """Decoded tiles of several slides; the one used longest ago goes first. Safe for several threads.

    Parameters
    ----------
    max_bytes : int
        Most bytes of pixels kept; a tile larger than that is not.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self.empty()

    def empty(self) -> None:
        """Drop everything, and the lock with it: after a fork a thread that is not here may hold it."""
        self._lock = threading.Lock()
        self._tiles: OrderedDict[TileKey, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes of pixels kept."""
        return self._bytes

    def get(self, key: TileKey) -> NDArray[np.uint8] | None:
        """Return a tile, or None where it is not kept. It must not be written to."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: TileKey, tile: NDArray[np.uint8]) -> None:
        """Keep a tile."""
        tile.flags.writeable = False
        with self._lock:
            before = self._tiles.pop(key, None)
            self._bytes += tile.nbytes - (0 if before is None else before.nbytes)
            self._tiles[key] = tile
            while self._bytes > self._max_bytes:
                _, oldest = self._tiles.popitem(last=False)
                self._bytes -= oldest.nbytes

    def forget(self, reader: int) -> None:
        """Drop the tiles of one reader."""
        with self._lock:
            for key in [key for key in self._tiles if key[0] == reader]:
                self._bytes -= self._tiles.pop(key).nbytes


SHARED = DecodedTileCache()
"""The cache of this process. A child of a fork begins with an empty one."""
if hasattr(os, "register_at_fork"):  # not on Windows, where no process is forked
    os.register_at_fork(after_in_child=SHARED.empty)


@dataclass(frozen=True, slots=True)
class _StoredTile:
    """A tile of a level, row by row, and the factor by which it is reduced."""

    level: int
    index: int
    reduction: int = 1


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
    cache : DecodedTileCache, optional
        Where decoded tiles are kept; by default the process's own.

    Raises
    ------
    SlideFormatError
        If the slide is not stored in such tiles; the reference stays open and usable.
    """

    reductions = REDUCTIONS

    def __init__(self, reference: OpenSlideReader, *, cache: DecodedTileCache = SHARED) -> None:
        info = reference.info
        assert info.path is not None  # OpenSlide reads files
        if info.vendor not in VENDORS:
            raise SlideFormatError(f"is a slide of {info.vendor}, not a plain tiled TIFF", where=info.path)
        self._tables = read_tile_tables(info.path, info.levels)
        self._file: PositionalFile | None = PositionalFile(info.path)
        self._reference = reference
        self._cache = cache
        self._number = next(READER_NUMBERS)
        self._undecodable: set[tuple[int, int]] = set()
        self._damaged: set[tuple[int, int]] = set()
        self._suspected: set[tuple[int, int]] = set()
        self._looked_at: set[_StoredTile] = set()
        self._scratch = threading.local()
        largest = SizePx(
            max(table.tile.width for table in self._tables), max(table.tile.height for table in self._tables)
        )
        self._all_valid = np.ones((largest.height, largest.width), np.bool_)
        self.info = replace(info, reader=READER)

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        return self._join(box, level, 1)

    def _read_reduced_inside(self, box: BoxPx, level: int, reduction: int) -> Pixels:
        return self._join(box, level, reduction)

    def table(self, level: int) -> TileTable:
        """Return where the tiles of a level lie."""
        return self._tables[level]

    def tile(self, level: int, index: int) -> NDArray[np.uint8] | None:
        """Return a tile as stored, shape (height, width, 3), not to be written to.

        None where it is not stored, or cannot be decoded without a complaint.
        """
        return self._kept(self._live_file(), _StoredTile(level, index))

    def _live_file(self) -> PositionalFile:
        file = self._file
        if file is None:
            raise self._closed_error()
        return file

    def _join(self, box: BoxPx, level: int, reduction: int) -> Pixels:
        """Read a box, in reduced px of a level, tile by tile."""
        file = self._live_file()
        rgb = np.empty((box.height, box.width, 3), np.uint8)
        valid = np.empty((box.height, box.width), np.bool_)
        damaged: list[BoxPx] = []
        for index, place in self._tables[level].touching(box, reduction):
            part = place.intersection(box)
            assert part is not None  # it touches
            pixels = self._read_part(file, _StoredTile(level, index, reduction), place=place, part=part)
            here = box.slices_of(part)
            rgb[here], valid[here] = pixels.rgb, pixels.valid
            damaged.extend(pixels.damaged)
        return Pixels(rgb, valid, tuple(damaged))

    def _read_part(self, file: PositionalFile, tile: _StoredTile, *, place: BoxPx, part: BoxPx) -> Pixels:
        """Read a part of a tile; the colours are good until this thread reads the next one."""
        here = place.slices_of(part)
        if tile.reduction == 1 or self._tables[tile.level].holds(tile.index):
            whole = self._takes_all(part, place, tile)
            rgb = self._passing(file, tile) if whole else self._kept(file, tile)
            if rgb is not None:
                return Pixels(rgb[here], self._all_valid[: part.height, : part.width])
        if (tile.level, tile.index) in self._damaged:
            nothing = Pixels.nothing(part.width, part.height)
            return Pixels(nothing.rgb, nothing.valid, (part,))
        if tile.reduction == 1:
            return self._reference.read(part, level=tile.level)
        pixels = self._averaged(tile)
        damaged = tuple(hit for box in pixels.damaged if (hit := box.intersection(part)) is not None)
        return Pixels(pixels.rgb[here], pixels.valid[here], damaged)

    def _takes_all(self, part: BoxPx, place: BoxPx, tile: _StoredTile) -> bool:
        """Return whether a part is all of a tile that lies on the level."""
        if part == place:
            return True
        size = reduced_size(self.info.levels[tile.level].size, tile.reduction)
        return part == place.intersection(BoxPx(0, 0, size.width, size.height))

    def _averaged(self, tile: _StoredTile) -> Pixels:
        """Reduce a tile that the decoder cannot reduce: one at the border, or left to OpenSlide."""
        size = self.info.levels[tile.level].size
        stored = self._tables[tile.level].box(tile.index).intersection(BoxPx(0, 0, size.width, size.height))
        assert stored is not None  # tiles lie on the level
        return block_means(self._read_inside(stored, tile.level), tile.reduction)

    def _kept(self, file: PositionalFile, tile: _StoredTile) -> NDArray[np.uint8] | None:
        key = self._number, tile.level, tile.index, tile.reduction
        rgb = self._cache.get(key)
        if rgb is None:
            rgb = self._decode(file, tile)
            if rgb is not None:
                self._cache.put(key, rgb)
        return rgb

    def _passing(self, file: PositionalFile, tile: _StoredTile) -> NDArray[np.uint8] | None:
        """Decode into memory that this thread uses again and again: fresh memory costs as much as a copy."""
        rgb = self._cache.get((self._number, tile.level, tile.index, tile.reduction))
        if rgb is not None:
            return rgb
        size = self._tables[tile.level].tile
        shape = size.height // tile.reduction, size.width // tile.reduction, 3
        buffer: NDArray[np.uint8] | None = getattr(self._scratch, "buffer", None)
        if buffer is None or buffer.shape != shape:
            buffer = self._scratch.buffer = np.empty(shape, np.uint8)
        return self._decode(file, tile, buffer)

    def _decode(
        self, file: PositionalFile, tile: _StoredTile, buffer: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8] | None:
        if (tile.level, tile.index) in self._undecodable:
            return None
        table = self._tables[tile.level]
        try:
            stream = file.read(*table.place(tile.index))
            rgb = decode_tile(
                stream, table.head_of(stream), table.tile, reduction=tile.reduction, buffer=buffer
            )
            self._suspect(tile, stream, rgb)
        except DamagedStreamError as error:
            self._undecodable.add((tile.level, tile.index))
            self._damaged.add((tile.level, tile.index))
            self._log(tile, "is lost", error)
        except ValueError as error:
            self._undecodable.add((tile.level, tile.index))
            self._log(tile, _LEFT, error)
        except OSError as error:  # may pass: a network drive
            self._log(tile, _LEFT, error)
        else:
            return rgb
        return None

    def _suspect(self, tile: _StoredTile, stream: bytes, rgb: NDArray[np.uint8]) -> None:
        """Remember a tile in which a seam shows."""
        if tile in self._looked_at:
            return
        self._looked_at.add(tile)
        inside = self._tables[tile.level].inside(tile.index)
        inside = SizePx(inside.width // tile.reduction, inside.height // tile.reduction)
        if looks_damaged(stream, rgb, inside=inside, reduction=tile.reduction):
            self._suspected.add((tile.level, tile.index))

    def suspected(self) -> tuple[tuple[int, BoxPx], ...]:
        """See `Slide`. Tiles that are read much reduced are not looked at."""
        found = sorted(self._suspected.copy())
        return tuple((level, self._tables[level].box(index)) for level, index in found)

    def _log(self, tile: _StoredTile, outcome: str, error: Exception) -> None:
        _LOG.info("%s: tile %d of level %d %s: %s", self.info.name, tile.index, tile.level, outcome, error)

    def close(self) -> None:
        """Let go of the file; a read in progress in another thread ends first."""
        self._file = None
        self._reference.close()
        self._cache.forget(self._number)
