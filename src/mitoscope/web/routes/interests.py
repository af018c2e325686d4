"""A region of interest as a TIFF: its pixels, lossless, with the resolution in the tags that viewers read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from mitoscope.errors import OutputError
from mitoscope.geometry import BoxPx, BoxPx0, SizePx
from mitoscope.slide import Slide
from mitoscope.web.deep_zoom import read_scaled

TILE_PX = 512
_UM_PER_CM = 10_000.0


def write_roi(slide: Slide, box_px0: BoxPx0, *, factor: int = 1) -> Path:
    """Write a part of a slide to a temporary TIFF and return its path; the caller removes it.

    A row of tiles is in memory at a time. What lies outside of the slide is white.

    Parameters
    ----------
    slide : Slide
        Where to read.
    box_px0 : BoxPx0
        The part.
    factor : int
        Level-0 pixels per pixel of the file.

    Raises
    ------
    OutputError
        If there is no room for it.
    """
    x, y = round(box_px0.x), round(box_px0.y)
    size = SizePx(max(1, round(box_px0.width / factor)), max(1, round(box_px0.height / factor)))
    mpp = slide.info.mpp
    with tempfile.NamedTemporaryFile(prefix="mitoscope-", suffix=".tiff", delete=False) as stream:
        path = Path(stream.name)
    try:
        tifffile.imwrite(
            path,
            _tiles(slide, x, y, size, factor),
            shape=(size.height, size.width, 3),
            dtype=np.uint8,
            tile=(TILE_PX, TILE_PX),
            photometric="rgb",
            compression="zlib",
            resolution=(_UM_PER_CM / (mpp.x * factor), _UM_PER_CM / (mpp.y * factor)),
            resolutionunit="CENTIMETER",
            description=f"{_ascii(slide.info.name)}: from x {x}, y {y} px0",
            metadata=None,
            software="mitoscope",
        )
    except OSError as error:
        path.unlink(missing_ok=True)
        mend = "free space in the folder for temporary files"
        raise OutputError(f"cannot be written ({error.strerror})", where="TIFF", mend=mend) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _ascii(name: str) -> str:
    return name.encode("ascii", "replace").decode("ascii")


def _tiles(slide: Slide, x: int, y: int, size: SizePx, factor: int) -> Iterator[NDArray[np.uint8]]:
    for top in range(0, size.height, TILE_PX):
        for left in range(0, size.width, TILE_PX):
            tile = np.full((TILE_PX, TILE_PX, 3), 255, dtype=np.uint8)
            width, height = min(TILE_PX, size.width - left), min(TILE_PX, size.height - top)
            box = BoxPx(x + left * factor, y + top * factor, width * factor, height * factor)
            tile[:height, :width] = read_scaled(slide, box, SizePx(width, height))
            yield tile
