"""Checksums as they are published: ``md5:`` or ``sha256:`` and hexadecimal digits."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

CHECKSUM: Final = r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$"
"""Pattern of a checksum."""
_BLOCK_BYTES = 1 << 20


def compute(path: Path, kind: str) -> str:
    """Return the checksum of a file's content.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        ``md5`` or ``sha256``. MD5 tells a damaged file, not a forged one.
    """
    digest = hashlib.md5(usedforsecurity=False) if kind == "md5" else hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return f"{kind}:{digest.hexdigest()}"


def holds(path: Path, checksum: str) -> bool:
    """Whether a file's content has a checksum."""
    return compute(path, checksum.partition(":")[0]) == checksum
