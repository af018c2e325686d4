"""The ways in which scanners encode a tile: subsampled, as RGB, with the tables kept elsewhere."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

TILE_PX = 64


@dataclass(frozen=True)
class JpegKind:
    """How tiles are encoded.

    Parameters
    ----------
    tile_px : int
    subsampling : str
        Of the chroma: 444, 422 or 420.
    rgb : bool
        Stores RGB, not YCbCr, and says so by the TIFF's tag alone, as Aperio does.
    shared_tables : bool
        Stores the tables of quantisation and coding once, in the tag JPEGTables.
    """

    tile_px: int = TILE_PX
    subsampling: str = "444"
    rgb: bool = False
    shared_tables: bool = False

    def encode(self, tile: NDArray[np.uint8]) -> bytes:
        """Return a tile as a complete JPEG stream."""
        if not self.rgb:
            return bytes(simplejpeg.encode_jpeg(tile, quality=90, colorsubsampling=self.subsampling))
        stream = io.BytesIO()
        Image.fromarray(tile).save(stream, "JPEG", quality=90, keep_rgb=True, subsampling=0)
        return without_colours(stream.getvalue())


def segments(stream: bytes) -> list[tuple[int, bytes]]:
    """Return the marker segments of a JPEG stream up to its scan, which comes last and whole."""
    parts, place = [], 2
    while stream[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
        parts.append((stream[place + 1], stream[place:end]))
        place = end
    return [*parts, (0xDA, stream[place:])]


def without_colours(stream: bytes) -> bytes:
    """Return an RGB stream without all that says so: the Adobe marker and the letters R, G, B."""
    parts = [(kind, data) for kind, data in segments(stream) if not 0xE0 <= kind <= 0xEF]
    for name, number in ((b"R", 0), (b"G", 1), (b"B", 2)):
        parts = [
            (kind, _renamed(kind, data, name, number) if kind in {0xC0, 0xDA} else data)
            for kind, data in parts
        ]
    return b"\xff\xd8" + b"".join(data for _, data in parts)


def _renamed(kind: int, data: bytes, name: bytes, number: int) -> bytes:
    first, step = (10, 3) if kind == 0xC0 else (5, 2)  # where frame and scan name their components
    place = first + step * number
    assert data[place : place + 1] == name
    return data[:place] + bytes([number]) + data[place + 1 :]


def split_tables(stream: bytes) -> tuple[bytes, bytes]:
    """Return a stream's tables, as a stream of their own, and the stream without them."""
    parts = segments(stream)
    tables = b"".join(data for kind, data in parts if kind in {0xDB, 0xC4})
    rest = b"".join(data for kind, data in parts if kind not in {0xDB, 0xC4})
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest
