"""Decoded tiles, kept as long as there is room."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

CACHE_BYTES = 128 << 20
"""Room for the tiles of all slides of a process: two chunks of 2,048 px with the tiles around them."""

TileKey = tuple[int, int, int, int]
"""Reader, level, index of the tile, reduction."""


class TileCache:
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


SHARED = TileCache()
"""The cache of this process. A child of a fork begins with an empty one."""
os.register_at_fork(after_in_child=SHARED.empty)
