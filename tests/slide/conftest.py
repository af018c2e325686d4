"""A tiled pyramidal JPEG TIFF written by hand, so that a test knows the place of every byte."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from scipy import ndimage

TILE_PX = 64
SIZE_PX = 1024  # 16 × 16 = 256 tiles at level 0
_SHORT, _LONG, _RATIONAL, _ASCII = 3, 4, 5, 2
_CODES = {_SHORT: "H", _LONG: "I"}


@dataclass
class TiffMap:
    """Where things lie in a TIFF: what the byte edits of a damaged slide need."""

    path: Path
    rgb: NDArray[np.uint8]
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
) -> TiffMap:
    """Write a tiled JPEG pyramid as a classic little-endian TIFF; each level's tiles, then its IFD.

    `macro` is written as one more directory at its own size.
    """
    layout = TiffMap(path, rgb)
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
    for y in range(0, level.shape[0], TILE_PX):
        for x in range(0, level.shape[1], TILE_PX):
            tile = np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)
            part = level[y : y + TILE_PX, x : x + TILE_PX]
            tile[: part.shape[0], : part.shape[1]] = part
            data = simplejpeg.encode_jpeg(tile, quality=90, colorsubsampling="444")
            offsets.append(len(out))
            counts.append(len(data))
            out += data
    layout.tile_offset.append(offsets)
    layout.tile_bytes.append(counts)


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
        262: (_SHORT, [6]),
        277: (_SHORT, [3]),
        322: (_LONG, [TILE_PX]),
        323: (_LONG, [TILE_PX]),
        324: (_LONG, layout.tile_offset[-1]),
        325: (_LONG, layout.tile_bytes[-1]),
        530: (_SHORT, [1, 1]),
    }
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
        count = len(data) // {_SHORT: 2, _LONG: 4, _RATIONAL: 8, _ASCII: 1}[kind]
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


@pytest.fixture(scope="session")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> TiffMap:
    """Return a whole slide of 1024 × 1024 px, 256 tiles at level 0, three levels, 0.25 µm/px."""
    path = tmp_path_factory.mktemp("slide") / "pyramid.tiff"
    return write_tiff(path, tissue_like(SIZE_PX, SIZE_PX))


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


@pytest.fixture(scope="session")
def make_leica() -> Callable[..., TiffMap]:
    """Return the writer of slides that state bounds and an objective power."""
    return write_leica


@pytest.fixture(scope="session")
def make_tiff() -> Callable[..., TiffMap]:
    """Return the writer, for tests that need a slide of their own."""
    return write_tiff


@pytest.fixture(scope="session")
def make_tissue() -> Callable[..., NDArray[np.uint8]]:
    """Return the maker of textures."""
    return tissue_like


@pytest.fixture(scope="session")
def real_slides() -> Path:
    """Return the folder of real slides."""
    root = os.environ.get("MITOSCOPE_DATA")
    folder = (Path(root) if root else Path(__file__).parents[3] / "shared" / "data") / "slides"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set MITOSCOPE_DATA")
    return folder
