"""The entry of a staged slide: its files as they came, and what is noted of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mitoscope.fsio import atomic_write
from mitoscope.remote.location import Location
from mitoscope.remote.source import Member
from mitoscope.written import cannot_be_written, sha256_file

ABOUT: Final = "about.json"
_FORMAT: Final = "mitoscope-staged/1"


@dataclass(frozen=True)
class StagedFile:
    """A file of an entry, as it came."""

    name: str
    size_bytes: int
    version: str | None
    sha256: str
    mtime_ns: int


def make_folder(path: Path) -> None:
    """Make a folder with its parents."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_be_written(path, error) from None


def _read_about(entry: Path) -> dict[str, Any]:
    try:
        values = json.loads((entry / ABOUT).read_text(encoding="utf-8"))
        return values if isinstance(values, dict) and values.get("format") == _FORMAT else {}
    except (OSError, ValueError):
        return {}


def read_files(entry: Path) -> list[StagedFile]:
    """Return the files that came whole."""
    try:
        return [StagedFile(**values) for values in _read_about(entry).get("files", [])]
    except TypeError:
        return []


def reserved_bytes(entry: Path) -> int:
    """Return the bytes that are kept for an entry, also while it is fetched."""
    reserved = _read_about(entry).get("bytes", 0)
    return reserved if isinstance(reserved, int) else 0


def used_ns(entry: Path) -> int:
    """Return when an entry was last used."""
    try:
        return (entry / ABOUT).stat().st_mtime_ns
    except OSError:
        return 0


def write_about(entry: Path, location: Location, total: int, files: Sequence[StagedFile]) -> None:
    """Note what an entry holds."""
    values = {
        "format": _FORMAT,
        "address": location.shown,
        "bytes": total,
        "files": [asdict(file) for file in files],
    }
    with atomic_write(entry / ABOUT, replace=True) as stream:
        stream.write(json.dumps(values, indent=1).encode())


def came(member: Member, target: Path) -> StagedFile:
    """Return what is to be noted of a file that came whole."""
    try:
        digest, status = sha256_file(target), target.stat()
    except OSError as error:
        raise cannot_be_written(target, error) from None
    return StagedFile(member.name, status.st_size, member.version, digest, status.st_mtime_ns)


def drop_file(path: Path) -> None:
    """Remove a file, if it is there."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_be_written(path, error) from None


def is_same(file: StagedFile | None, member: Member, target: Path) -> bool:
    """Whether a file is there as it came, and is what the source has now; without a version nobody knows."""
    if file is None or member.version is None or file.version != member.version:
        return False
    try:
        status = target.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (file.size_bytes, file.mtime_ns) and member.size_bytes in (
        None,
        file.size_bytes,
    )


def are_same(before: Sequence[Member], after: Sequence[Member]) -> bool:
    """Whether a slide is what it was."""
    return [(m.name, m.size_bytes, m.version) for m in before] == [
        (m.name, m.size_bytes, m.version) for m in after
    ]
