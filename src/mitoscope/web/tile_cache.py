"""Encoded tiles in memory, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

CAPACITY_BYTES = 128 << 20
"""About 8,000 tiles of 256 px."""


class TileCache:
    """Tiles by key; the one used longest ago goes first.

    Parameters
    ----------
    capacity_bytes : int
        Of all tiles together.
    """

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
