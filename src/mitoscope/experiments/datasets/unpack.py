"""Unpacking a ZIP archive where it lies: nothing leaves the folder, nothing that is there is overwritten."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from mitoscope.errors import FormatError, OutputError
from mitoscope.fsio import atomic_write, make_directory, safe_join


def unpack(archive: Path) -> int:
    """Unpack the files of an archive beside it and return how many were new.

    Parameters
    ----------
    archive : Path
        A ZIP file.

    Raises
    ------
    InputError
        If a name leads out of the folder.
    FormatError
        If it is no ZIP archive, or a file in it is damaged.
    OutputError
        If there is no room for its files, or they cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [one for one in packed.infolist() if not one.is_dir()]
            targets = [safe_join(archive.parent, one.filename) for one in members]
            _check_room(archive, members)
            return sum(_unpack_one(packed, *one) for one in zip(members, targets, strict=True))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FormatError(
            f"is damaged ({error})", where=archive, mend="remove it and repeat the command"
        ) from None


def _check_room(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    needed, free = sum(one.file_size for one in members), shutil.disk_usage(archive.parent).free
    if needed > free:
        raise OutputError(
            f"{needed / 1e9:.1f} GB are needed to unpack it, {free / 1e9:.1f} GB are free",
            where=archive,
            mend="free space and repeat the command",
        )


def _unpack_one(packed: zipfile.ZipFile, one: zipfile.ZipInfo, target: Path) -> bool:
    if stat.S_ISLNK(one.external_attr >> 16):
        raise FormatError(f"holds a link, {one.filename!r}", where=str(packed.filename))
    if target.exists() and target.stat().st_size == one.file_size:
        return False
    make_directory(target.parent)
    with packed.open(one) as source, atomic_write(target) as stream:
        shutil.copyfileobj(source, stream)
    return True
