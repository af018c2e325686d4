"""CZI files with known pictures: pylibCZIrw writes the subblocks, and what it cannot state is edited in.

pylibCZIrw gives every subblock the dimensions C, T, Z and S, writes no pyramid, no JPEG XR and no directory
of attachments, without which OpenSlide refuses a file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

czi = pytest.importorskip("pylibCZIrw.czi")  # has no wheel for each Python
_DIRECTORY_AT, _ATTACHMENTS_AT = 84, 104
_HEAD, _BEFORE_ENTRIES, _SUBBLOCK_HEAD = 32, 160, 48
_ENTRY_ROOM = 240


@dataclass(frozen=True)
class Entry:
    """One entry of the directory: pixel type, place in the file, compression, dimensions."""

    pixel_type: int
    position: int
    part: int
    compression: int
    pyramid: int
    rest: bytes
    dimensions: dict[str, tuple[int, int, float, int]]

    @classmethod
    def read(cls, content: bytearray, at: int) -> tuple[Entry, int]:
        """Return an entry and its length."""
        _, pixel_type, position, part, compression, pyramid = struct.unpack_from("<2siqiiB", content, at)
        (count,) = struct.unpack_from("<i", content, at + 28)
        dimensions = {}
        for place in range(at + 32, at + 32 + 20 * count, 20):
            name, *extent = struct.unpack_from("<4siifi", content, place)
            dimensions[name.rstrip(b"\0").decode()] = tuple(extent)
        rest = bytes(content[at + 23 : at + 28])
        return cls(pixel_type, position, part, compression, pyramid, rest, dimensions), 32 + 20 * count

    def pack(self) -> bytes:
        """Return the entry as it is stored."""
        head = struct.pack(
            "<2siqiiB", b"DV", self.pixel_type, self.position, self.part, self.compression, self.pyramid
        )
        body = (struct.pack("<4siifi", name.encode(), *extent) for name, extent in self.dimensions.items())
        return head + self.rest + struct.pack("<i", len(self.dimensions)) + b"".join(body)

    def without(self, names: str) -> Entry:
        """Return the entry without some dimensions."""
        kept = {name: extent for name, extent in self.dimensions.items() if name not in names}
        return replace(self, dimensions=kept)

    def showing(self, x: int, y: int, factor: int) -> Entry:
        """Return the entry of a subblock that shows `factor` times as much as it stores, from x, y."""
        kept = dict(self.dimensions)
        for name, start in (("X", x), ("Y", y)):
            stored = kept[name][1]
            kept[name] = start, stored * factor, 0.0, stored
        kept.pop("M", None)
        return replace(self, dimensions=kept, pyramid=1)


Tile = tuple[NDArray[Any], tuple[int, int], dict[str, Any]]
"""RGB, x and y, and what `write` of pylibCZIrw takes: plane, scene."""


def write_czi(
    path: Path,
    tiles: Sequence[Tile],
    *,
    compression: str = "zstd1:ExplicitLevel=1",
    mpp: float | None = 0.25,
    change: Callable[[int, Entry], Entry] | None = None,
    payload: Callable[[int], bytes] | None = None,
) -> Path:
    """Write tiles as a CZI; `change` edits the entries, `payload` replaces the stored bytes."""
    with czi.create_czi(str(path), compression_options=compression) as document:
        for rgb, place, how in tiles:
            document.write(np.ascontiguousarray(rgb[..., ::-1]), location=place, **how)
        if mpp is not None:
            document.write_metadata("", scale_x=mpp * 1e-6, scale_y=mpp * 1e-6)
    content = bytearray(path.read_bytes())
    _edit(content, change or (lambda _, entry: entry), payload)
    struct.pack_into("<q", content, _ATTACHMENTS_AT, len(content))
    content += struct.pack("<16sqq", b"ZISRAWATTDIR", 256, 256) + bytes(256)
    path.write_bytes(content)
    return path


def _edit(
    content: bytearray, change: Callable[[int, Entry], Entry], payload: Callable[[int], bytes] | None
) -> None:
    (directory,) = struct.unpack_from("<q", content, _DIRECTORY_AT)
    (count,) = struct.unpack_from("<i", content, directory + _HEAD)
    at = directory + _BEFORE_ENTRIES
    entries = []
    for _ in range(count):
        entry, length = Entry.read(content, at)
        entries.append(entry)
        at += length
    written = bytearray()
    for number, old in enumerate(entries):
        packed = change(number, old).pack()
        written += packed
        place = old.position + _SUBBLOCK_HEAD
        content[place : place + len(packed)] = packed
        if payload is not None:
            stream = payload(number)
            (metadata,) = struct.unpack_from("<i", content, old.position + _HEAD)
            (room,) = struct.unpack_from("<q", content, old.position + _HEAD + 8)
            assert len(stream) <= room
            struct.pack_into("<q", content, old.position + _HEAD + 8, len(stream))
            data = place + _ENTRY_ROOM + metadata
            content[data : data + len(stream)] = stream
    struct.pack_into("<q", content, directory + 24, _BEFORE_ENTRIES - _HEAD + len(written))
    content[directory + _BEFORE_ENTRIES : at] = written.ljust(at - directory - _BEFORE_ENTRIES, b"\0")
