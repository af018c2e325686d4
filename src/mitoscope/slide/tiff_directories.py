"""The chain of directories of a TIFF, followed by its own links before a parser sees the file."""

from __future__ import annotations

import struct
from pathlib import Path

from mitoscope.errors import SlideFormatError
from mitoscope.slide.jpeg_tiles import MAX_PAGES, PositionalFile

_CLASSIC, _BIG = 42, 43
_MEND = "the file is damaged or incomplete: copy it again"


def is_tiff(path: Path) -> bool:
    """Return whether a file begins as a TIFF does."""
    return _byte_order(PositionalFile(path).read(0, 4)) is not None


def _byte_order(head: bytes) -> tuple[str, int] | None:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 4:
        return None
    version = struct.unpack(f"{order}H", head[2:4])[0]
    return (order, version) if version in {_CLASSIC, _BIG} else None


def check_directories(path: Path) -> None:
    """Follow the chain of directories.

    Raises
    ------
    SlideFormatError
        If it comes back to where it was, leads out of the file, or has more than `MAX_PAGES` pages.
    """
    file = PositionalFile(path)
    found = _byte_order(file.read(0, 4))
    if found is None:
        raise SlideFormatError("does not begin as a TIFF does", where=path)
    order, version = found
    offset_at, entries, entry, link = (4, "H", 12, "I") if version == _CLASSIC else (8, "Q", 20, "Q")

    end = path.stat().st_size

    def number(code: str, at: int) -> int:
        width = struct.calcsize(code)
        if at + width > end:
            raise SlideFormatError(
                f"a directory lies beyond its end (at byte {at} of {end})",
                where=path,
                mend="the file is damaged or incomplete: copy it again",
            )
        return int(struct.unpack(order + code, file.read(at, width))[0])

    seen: dict[int, int] = {}
    offset = number(link, offset_at)
    while offset:
        if offset in seen:
            raise SlideFormatError(
                f"its directories form a loop: after page {len(seen) - 1} follows page {seen[offset]} again",
                where=path,
                mend="convert the file again from its original",
            )
        if len(seen) >= MAX_PAGES:
            raise SlideFormatError(f"has more than {MAX_PAGES} pages", where=path)
        seen[offset] = len(seen)
        offset = number(link, offset + struct.calcsize(entries) + entry * number(entries, offset))
