"""A large slide in seconds: one that was painted, laid out side by side without decoding anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tifffile

from mitoscope.geometry import SizePx
from mitoscope.slide.synthetic.pyramid import JpegTiff


def repeat_slide(small: Path, large: Path, *, times: int, mpp: float) -> None:
    """Write a slide `times` as wide and as high.

    Parameters
    ----------
    small : Path
        Of `write_slide`; levels whose sides are no multiples of a tile are left out.
    large : Path
    times : int
    mpp : float
        Of level 0.
    """
    with tifffile.TiffFile(small) as source, large.open("w+b") as stream:
        side = source.pages.first.tilewidth
        pages = [p for p in source.pages if not (p.imagewidth % side or p.imagelength % side)]
        whole = [SizePx(times * page.imagewidth, times * page.imagelength) for page in pages]
        target = JpegTiff(stream, size=whole[0], tile_px=side, mpp=mpp, description=f"{times} x {times}")
        for page, size in zip(pages, whole, strict=True):
            target.add_level(_repeated(source.filehandle, page, times), size)
        target.finish()


def _repeated(file: tifffile.FileHandle, page: tifffile.TiffPage, times: int) -> Iterator[bytes]:
    across = page.imagewidth // page.tilewidth
    places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    for _ in range(times):
        for start in range(0, len(places), across):
            row = [_read(file, *place) for place in places[start : start + across]]
            yield from row * times


def _read(file: tifffile.FileHandle, offset: int, count: int) -> bytes:
    file.seek(offset)
    return bytes(file.read(count))
