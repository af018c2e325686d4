"""A tiled pyramidal JPEG TIFF written by hand, so that a test knows the place of every byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .jpeg_kinds import JpegKind, split_tables

SIZE_PX = 1024  # 16 × 16 = 256 tiles at level 0
_SHORT, _LONG, _RATIONAL, _ASCII, _UNDEFINED = 3, 4, 5, 2, 7
_CODES = {_SHORT: "H", _LONG: "I"}
PLAIN = JpegKind()


@dataclass
class TiffMap:
    """Where things lie in a TIFF: what the byte edits of a damaged slide need."""

    path: Path
    rgb: NDArray[np.uint8]
    kind: JpegKind
    tables: bytes | None = None
    ifd: list[int] = field(default_factory=list)
    next_ifd: list[int] = field(default_factory=list)
    entry: dict[tuple[int, int], int] = field(default_factory=dict)  # (level, tag): its 12 bytes
    value: dict[tuple[int, int], int] = field(default_factory=dict)  # (level, tag): its first value
    tile_offset: list[list[int]] = field(default_factory=list)
    tile_bytes: list[list[int]] = field(default_factory=list)


def tissue_like(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return smooth pink texture in which no two places are alike."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (4, 4, 0))
    colours = np.array([200, 140, 185]) + 30 * smooth / smooth.std()
    return np.asarray(np.clip(colours, 0, 250), np.uint8)


def write_tiff(
    path: Path,
    rgb: NDArray[np.uint8],
    *,
    reductions: tuple[int, ...] = (1, 2, 4),
    px_per_cm: float | None = 40_000,
    description: str | None = None,
    macro: NDArray[np.uint8] | None = None,
    kind: JpegKind = PLAIN,
) -> TiffMap:
    """Write a tiled JPEG pyramid as a classic little-endian TIFF; each level's tiles, then its IFD.

    `macro` is written as one more directory at its own size.
    """
    layout = TiffMap(path, rgb, kind)
    out = bytearray(b"II*\0\0\0\0\0")
    pointer = 4
    levels = [(rgb[::reduction, ::reduction], reduction) for reduction in reductions]
    if macro is not None:
        levels.append((macro, 1))
    for index, (pixels, reduction) in enumerate(levels):
        level = np.ascontiguousarray(pixels)
        _write_tiles(out, level, layout)
        resolution = None if px_per_cm is None else px_per_cm / reduction
        tags = _tags(level, layout, resolution=resolution, description=description, reduced=index > 0)
        pointer = _write_ifd(out, tags, layout, pointer=pointer, level=index)
    path.write_bytes(out)
    return layout


def _write_tiles(out: bytearray, level: NDArray[np.uint8], layout: TiffMap) -> None:
    offsets, counts = [], []
    for tile in cut_tiles(level, layout.kind.tile_px):
        data = layout.kind.encode(tile)
        if layout.kind.shared_tables:
            layout.tables, data = split_tables(data)
        offsets.append(len(out))
        counts.append(len(data))
        out += data
    layout.tile_offset.append(offsets)
    layout.tile_bytes.append(counts)


def cut_tiles(level: NDArray[np.uint8], side: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a level row by row, those at the border filled up with white."""
    for y in range(0, level.shape[0], side):
        for x in range(0, level.shape[1], side):
            tile = np.full((side, side, 3), 255, np.uint8)
            part = level[y : y + side, x : x + side]
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _tags(
    level: NDArray[np.uint8],
    layout: TiffMap,
    *,
    resolution: float | None,
    description: str | None,
    reduced: bool,
) -> dict[int, tuple[int, list[int] | bytes]]:
    tags: dict[int, tuple[int, list[int] | bytes]] = {
        254: (_LONG, [int(reduced)]),
        256: (_LONG, [level.shape[1]]),
        257: (_LONG, [level.shape[0]]),
        258: (_SHORT, [8, 8, 8]),
        259: (_SHORT, [7]),
        262: (_SHORT, [2 if layout.kind.rgb else 6]),
        277: (_SHORT, [3]),
        322: (_LONG, [layout.kind.tile_px]),
        323: (_LONG, [layout.kind.tile_px]),
        324: (_LONG, layout.tile_offset[-1]),
        325: (_LONG, layout.tile_bytes[-1]),
        530: (_SHORT, {"444": [1, 1], "422": [2, 1], "420": [2, 2]}[layout.kind.subsampling]),
    }
    if layout.tables is not None:
        tags[347] = (_UNDEFINED, layout.tables)
    if description is not None:
        tags[270] = (_ASCII, description.encode() + b"\0")
    if resolution is not None:
        rational = struct.pack("<II", round(resolution * 1000), 1000)
        tags |= {282: (_RATIONAL, rational), 283: (_RATIONAL, rational), 296: (_SHORT, [3])}
    return tags


def _write_ifd(
    out: bytearray,
    tags: dict[int, tuple[int, list[int] | bytes]],
    layout: TiffMap,
    *,
    pointer: int,
    level: int,
) -> int:
    """Write values and an IFD, point to it from `pointer`, and return where the next pointer lies."""
    entries = []
    for tag, (kind, values) in sorted(tags.items()):
        data = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{_CODES[kind]}", *values)
        count = len(data) // {_SHORT: 2, _LONG: 4, _RATIONAL: 8, _ASCII: 1, _UNDEFINED: 1}[kind]
        if len(data) > 4:
            out += b"\0" * (len(out) % 2)
            layout.value[level, tag] = len(out)
            entries.append((tag, kind, count, struct.pack("<I", len(out))))
            out += data
        else:
            entries.append((tag, kind, count, data.ljust(4, b"\0")))
    out += b"\0" * (len(out) % 2)
    layout.ifd.append(len(out))
    out[pointer : pointer + 4] = struct.pack("<I", len(out))
    out += struct.pack("<H", len(entries))
    for tag, kind, count, field_bytes in entries:
        layout.entry[level, tag] = len(out)
        layout.value.setdefault((level, tag), len(out) + 8)
        out += struct.pack("<HHI", tag, kind, count) + field_bytes
    layout.next_ifd.append(len(out))
    out += b"\0\0\0\0"
    return layout.next_ifd[-1]


_SCN = """<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">
<collection name="c" sizeX="512000" sizeY="768000"><barcode/>
<image name="macro"><creationDate>2012</creationDate><device model="Leica SCN400" version="1"/>
<pixels sizeX="512" sizeY="768"><dimension sizeX="512" sizeY="768" r="0" ifd="1"/></pixels>
<view sizeX="512000" sizeY="768000" offsetX="0" offsetY="0" spacingZ="0"/><scanSettings><objectiveSettings>
<objective>0.6</objective></objectiveSettings><illuminationSettings>
<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>
<image name="main"><creationDate>2012</creationDate><device model="Leica SCN400" version="1"/>
<pixels sizeX="1024" sizeY="1024"><dimension sizeX="1024" sizeY="1024" r="0" ifd="0"/></pixels>
<view sizeX="256000" sizeY="256000" offsetX="64000" offsetY="128000" spacingZ="0"/><scanSettings>
<objectiveSettings><objective>{power}</objective></objectiveSettings><illuminationSettings>
<numericalAperture>0.65</numericalAperture><illuminationSource>brightfield</illuminationSource>
</illuminationSettings></scanSettings></image></collection></scn>"""


def write_leica(path: Path, *, power: str = "40") -> TiffMap:
    """Write a Leica SCN of 2048 × 3072 px of which 1024 × 1024 px at (256, 512) were scanned."""
    texture = tissue_like(SIZE_PX, SIZE_PX)
    description = _SCN.format(power=power).replace("\n", "")
    return write_tiff(path, texture, reductions=(1,), description=description, macro=texture[:768, :512])
