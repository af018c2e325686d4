"""The JPEG stream of one tile: completed where it is abbreviated, and decoded.

In a TIFF the tables of quantisation and coding may be stored once for all tiles (tag 347), and the tag
PhotometricInterpretation (262), not the stream, says whether the colours are RGB or YCbCr. libjpeg-turbo
wants both in the stream. So each tile gets a new head: an Adobe marker that states the colours, then the
shared tables; markers of the stream that state colours otherwise are left out.
"""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from mitoscope.geometry import SizePx

REDUCTIONS = (2, 4, 8)
"""Factors by which libjpeg reduces while it decodes: the inverse transform of 8 × 8 coefficients is taken at
4 × 4, 2 × 2 or 1 × 1 places, which lie in the middle of what they cover."""
_START, _END = b"\xff\xd8", b"\xff\xd9"
_APP_FIRST, _APP_LAST, _COMMENT = 0xE0, 0xEF, 0xFE


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
    ValueError
        If the stream is damaged in any way, or not of that size.
    """
    if not stream.startswith(_START):
        raise ValueError("no JPEG stream")
    shape = size.height // reduction, size.width // reduction, 3
    # A header that claims a larger picture is refused before it takes memory: the buffer is too small.
    rgb = simplejpeg.decode_jpeg(
        head + _after_applications(stream),
        min_height=shape[0],
        min_width=shape[1],
        min_factor=reduction,
        buffer=np.empty(shape, np.uint8) if buffer is None else buffer,
    )
    if rgb.shape != shape:
        raise ValueError(f"a tile of {rgb.shape[1]} × {rgb.shape[0]} px instead of {shape[1]} × {shape[0]}")
    return np.asarray(rgb)


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
