"""A TIFF of tiles or strips that are encoded already, in any compression and of any size."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import SizePx

JPEG, DEFLATE = 7, 8
APERIO_YCBCR, APERIO_RGB, JPEG_2000 = 33003, 33005, 34712
SVS = "Aperio Image Library v11|AppMag = 40|MPP = 0.25"
_COMPRESSION, _SUBSAMPLING, _TABLES = 259, 530, 347
_OFFSETS = {True: 324, False: 273}  # of tiles and of strips


@dataclass(frozen=True)
class Coding:
    """How the segments of a page are stored.

    Parameters
    ----------
    compression : int
        Value of the tag.
    tile : SizePx or None
        Size of a tile; None for strips.
    rows : int
        Rows of a strip.
    subsampling : tuple of int or None
        Of the chroma, where the colours are YCbCr; otherwise they are RGB.
    tables : bytes or None
        Shared JPEG tables.
    description : str or None
    bigtiff : bool
    """

    compression: int
    tile: SizePx | None = None
    rows: int = 32
    subsampling: tuple[int, int] | None = None
    tables: bytes | None = None
    description: str | None = None
    bigtiff: bool = False


def write_coded(
    path: Path, segments: Sequence[bytes], size: SizePx, *, coding: Coding, append: bool = False
) -> Path:
    """Write a page of 0.25 µm/px, as a file of its own or as a lower level behind the pages of a file."""
    tables = [] if coding.tables is None else [(_TABLES, 7, len(coding.tables), coding.tables, True)]
    tile = coding.tile
    layout: dict[str, Any] = {"tile": (tile.height, tile.width)} if tile else {"rowsperstrip": coding.rows}
    tifffile.imwrite(
        path,
        iter(segments),
        shape=(size.height, size.width, 3),
        dtype=np.uint8,
        photometric="ycbcr" if coding.subsampling else "rgb",
        compression="zlib",  # tifffile asks for the codec of any other; the segments pass untouched
        resolution=(40_000, 40_000),
        resolutionunit="CENTIMETER",
        extratags=tables,
        description=coding.description,
        subfiletype=int(append),
        metadata=None,
        bigtiff=None if append else coding.bigtiff,
        append=append,
        **layout,
    )
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tags = _last_page(tiff).tags
        tags[_COMPRESSION].overwrite(coding.compression)
        if coding.subsampling:
            tags[_SUBSAMPLING].overwrite(coding.subsampling)
    return path


def move_segment(path: Path, index: int, *, to: int) -> None:
    """Move a tile or strip of the last page to a place beyond the end; the hole takes no room on the disk."""
    with tifffile.TiffFile(path, mode="r+") as tiff:
        page, file = _last_page(tiff), tiff.filehandle
        offsets = list(page.dataoffsets)
        file.seek(offsets[index])
        data = file.read(page.databytecounts[index])
        file.seek(offsets[index])
        file.write(bytes(len(data)))
        file.seek(to)
        file.write(data)
        offsets[index] = to
        page.tags[_OFFSETS[page.is_tiled]].overwrite(offsets)


def _last_page(tiff: tifffile.TiffFile) -> tifffile.TiffPage:
    page = tiff.pages[-1]
    assert isinstance(page, tifffile.TiffPage)
    return page


def cut(rgb: NDArray[np.uint8], tile: SizePx) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a picture row by row, those at the border filled up with white."""
    height, width = rgb.shape[:2]
    for y in range(0, height, tile.height):
        for x in range(0, width, tile.width):
            whole = np.full((tile.height, tile.width, 3), 255, np.uint8)
            part = rgb[y : y + tile.height, x : x + tile.width]
            whole[: part.shape[0], : part.shape[1]] = part
            yield whole


def cut_strips(rgb: NDArray[np.uint8], rows: int) -> list[NDArray[np.uint8]]:
    """Return the strips of a picture, the last one as high as what is left."""
    return [np.ascontiguousarray(rgb[y : y + rows]) for y in range(0, rgb.shape[0], rows)]


def jpeg_2000(rgb: NDArray[np.uint8], *, ycbcr: bool = False, lossless: bool = True) -> bytes:
    """Return a JPEG 2000 codestream, of RGB or with its samples turned to YCbCr before, as Aperio does."""
    samples = np.asarray(Image.fromarray(rgb).convert("YCbCr")) if ycbcr else rgb
    stream = io.BytesIO()
    Image.fromarray(samples).save(
        stream, "JPEG2000", no_jp2=True, mct=int(not ycbcr), irreversible=not lossless
    )
    return stream.getvalue()
