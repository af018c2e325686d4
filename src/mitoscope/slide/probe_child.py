"""The process that opens an untrusted slide first. Run by its path, never imported; see `probe.py`.

It imports no part of mitoscope, but for a CZI its reader, and as little else as it can, so that a probe takes
a fraction of a second.
Its last line on standard output is a JSON object; no such line means that it crashed.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 8
MAX_SIDE_PX = 1 << 22
TILE_PX = 32
UNSUPPORTED = "Unsupported TIFF compression"  # as OpenSlide words it
PLACES = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))


LIMITS = {
    "RLIMIT_AS": "memory",
    "RLIMIT_CPU": "processor time",
    "RLIMIT_CORE": "core dumps",
    "RLIMIT_FSIZE": "written files",
}
"""What is limited, by the system's name for it."""


def limit() -> list[str]:
    """Give up the right to more memory, time, files or a core dump; return what cannot be limited.

    Windows knows no such limits, macOS none for memory: there the parent's watch alone holds (`probe.py`).
    """
    try:
        resource = import_module("resource")
    except ImportError:
        return list(LIMITS.values())
    most_of = {
        "RLIMIT_AS": MEMORY_BYTES + _address_space_bytes(resource.getpagesize()),
        "RLIMIT_CPU": CPU_SECONDS,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 1 << 20,
    }
    unlimited = []
    for name, title in LIMITS.items():
        try:
            what = getattr(resource, name)
            _, hard = resource.getrlimit(what)
            within = most_of[name] if hard == resource.RLIM_INFINITY else min(most_of[name], hard)
            resource.setrlimit(what, (within, within))
        except (AttributeError, OSError, ValueError):
            unlimited.append(title)
    return unlimited


def _address_space_bytes(page_bytes: int) -> int:
    """Return what is mapped already: libraries reserve addresses that cost no memory."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123 (pathlib is a slow import)
            return int(stream.read().split()[0]) * page_bytes
    except OSError:
        return 1 << 30


def try_openslide(path: str) -> str | None:
    """Open a slide and read a few tiles of each level; return what is wrong, or None.

    A tile that cannot be decoded costs that tile alone; only when all tried at level 0 fail, the slide does.
    """
    import openslide

    try:
        slide = openslide.OpenSlide(path)
        sizes, downsamples = slide.level_dimensions, slide.level_downsamples
        dict(slide.properties)
    except openslide.OpenSlideError as error:
        return f"cannot be opened ({str(error).replace(': ' + path, '')})"
    for level, (width, height) in enumerate(sizes):
        if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
            return f"claims a level of {width} × {height} px (at most {MAX_SIDE_PX} a side)"
        failures = []
        for share_x, share_y in PLACES:
            x = int(share_x * max(0, width - TILE_PX) * downsamples[level])
            y = int(share_y * max(0, height - TILE_PX) * downsamples[level])
            try:
                slide.read_region((x, y), level, (min(TILE_PX, width), min(TILE_PX, height)))
            except openslide.OpenSlideError as error:
                failures.append(str(error))
                slide = openslide.OpenSlide(path)
        if level == 0 and len(failures) == len(PLACES):
            return f"has no tile that can be decoded ({failures[0]})"
    return None


def try_image(path: str, max_px: int) -> str | None:
    """Decode a plain image of believable size; errors are left to the reader, which says them better."""
    import warnings

    from PIL import Image

    warnings.simplefilter("ignore")
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height <= max_px:
                image.load()
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, Image.DecompressionBombError):
        return None
    return None


def try_tiff(path: str, max_px: int) -> str | None:
    """Decode the first page of a TIFF: all strips, or a few tiles; errors are left to the reader."""
    import struct

    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            count = len(page.dataoffsets)
            if page.is_tiled:
                indices = sorted({int(share * (count - 1)) for share in (0, 0.25, 0.5, 0.75, 1)})
            elif page.imagewidth * page.imagelength <= max_px:
                indices = list(range(count))
            else:
                return None
            for index in indices:
                tiff.filehandle.seek(page.dataoffsets[index])
                stream = tiff.filehandle.read(page.databytecounts[index])
                page.decode(stream, index, jpegtables=page.jpegtables)
    except (OSError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RuntimeError):
        return None
    except struct.error:
        return None
    return None


def is_czi(path: str) -> bool:
    """Return whether a file begins as a CZI does."""
    with open(path, "rb") as stream:  # noqa: PTH123 (pathlib is a slow import)
        return stream.read(10) == b"ZISRAWFILE"


def try_czi(path: str) -> None:
    """Decode a few tiles of a CZI; errors are left to the reader."""
    from pathlib import Path

    from mitoscope.errors import MitoscopeError
    from mitoscope.slide.czi_reader import CziReader

    try:
        CziReader(Path(path), mpp=1.0, mpp_override=True).close()
    except MitoscopeError:
        return


def is_tiff(path: str) -> bool:
    """Return whether a file begins as a TIFF does."""
    with open(path, "rb") as stream:  # noqa: PTH123 (pathlib is a slow import)
        return stream.read(4) in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


def main(path: str, max_px: int) -> None:
    """Try a file with the reader that would read it and print the outcome."""
    import openslide
    from PIL import Image  # noqa: F401 (mapped before the limit is set)

    unlimited = limit()
    try:
        wrong = None
        vendor = None if is_czi(path) else openslide.OpenSlide.detect_format(path)
        if vendor:
            wrong = try_openslide(path)
            if wrong is not None and UNSUPPORTED in wrong and is_tiff(path):
                wrong = try_tiff(path, max_px)
        elif is_tiff(path):
            wrong = try_tiff(path, max_px)
        elif is_czi(path):
            try_czi(path)
        else:
            wrong = try_image(path, max_px)
    except MemoryError:
        wrong = f"needs more than {MEMORY_BYTES >> 30} GiB of memory to open"
    sys.stdout.write(json.dumps({"wrong": wrong, "unlimited": unlimited}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
