"""The identity of a slide's content.

``sha256:`` is the hash of the whole file, for files below 64 MiB. ``sampled-sha256:`` is the hash of the
size and of 64 blocks of 1 MiB, the first, the last and others evenly between: a whole-slide image of 10 GB
would take minutes to read. A change between the blocks goes unseen, so the prefix says which one it is.

A MIRAX slide is a file and a folder of the same name: the names and sizes of the folder's files and the
content of its ``Slidedat.ini`` are part of the hash. Of other formats of several files (VMS, DICOM) only the
file that was named is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from mitoscope.errors import SlideFormatError

WHOLE_BELOW_BYTES = 64 << 20
BLOCK_BYTES = 1 << 20
BLOCKS = 64


def fingerprint(path: Path) -> str:
    """Return the identity of a slide's content.

    Raises
    ------
    SlideFormatError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        whole = size < WHOLE_BELOW_BYTES
        if not whole:
            digest.update(f"{size}:".encode())
        with path.open("rb") as stream:
            for offset in _offsets(size, whole=whole):
                stream.seek(offset)
                digest.update(stream.read(BLOCK_BYTES))
        for line in _companions(path):
            digest.update(line)
    except OSError as error:
        raise SlideFormatError(f"cannot be read ({error.strerror})", where=path) from None
    return f"{'sha256' if whole else 'sampled-sha256'}:{digest.hexdigest()}"


def _offsets(size: int, *, whole: bool) -> Iterator[int]:
    if whole:
        return iter(range(0, size, BLOCK_BYTES))
    last = size - BLOCK_BYTES
    return (last * index // (BLOCKS - 1) for index in range(BLOCKS))


def _companions(path: Path) -> Iterator[bytes]:
    folder = path.with_suffix("")
    if path.suffix.lower() != ".mrxs" or not folder.is_dir():
        return
    for member in sorted(folder.iterdir()):
        if member.is_file():
            yield f"\n{member.name}:{member.stat().st_size}".encode("utf-8", "surrogateescape")
            if member.name.lower() == "slidedat.ini":
                yield member.read_bytes()
