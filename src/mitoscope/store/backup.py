"""A copy of a store while others write: under its name only when it is whole and checked (promise 13)."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from mitoscope.errors import MitoscopeError, OutputError, StoreError
from mitoscope.fsio import sync_directory
from mitoscope.store.connection import open_file, translated
from mitoscope.store.verify import check


def backup(path: Path, target: Path) -> Path:
    """Copy a store with SQLite's backup interface and return the copy's path.

    The copy holds every action that was acknowledged before the call. Writers wait while the pages are
    copied; they are not refused.

    Parameters
    ----------
    path : Path
        Of the store.
    target : Path
        Of the copy; must not exist.

    Raises
    ------
    StoreError
        If the target exists, or the copy does not pass its checks.
    OutputError
        If it cannot be written; nothing is left behind.
    """
    if target.exists():
        raise StoreError("exists already", where=target, mend="choose another name or remove it first")
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=target) from None
    os.close(descriptor)
    part = Path(name)
    try:
        _copy(path, part, target)
        part.chmod(path.stat().st_mode & 0o777)
        os.link(part, target)  # unlike a rename, never over a file that came meanwhile
        sync_directory(target.parent)
    except FileExistsError:
        raise StoreError("exists already", where=target, mend="choose another name") from None
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=target) from None
    finally:
        part.unlink(missing_ok=True)
        Path(f"{name}-journal").unlink(missing_ok=True)
    return target


def _copy(path: Path, part: Path, target: Path) -> None:
    with (
        closing(open_file(path, write=False)) as source,
        translated(target),
        closing(sqlite3.connect(part, isolation_level=None)) as copy,
    ):
        copy.execute("PRAGMA synchronous = EXTRA")
        source.backup(copy, pages=-1)
    try:
        with closing(open_file(part, write=False)) as copy:
            check(copy, part)
    except MitoscopeError as error:
        raise StoreError(f"the copy does not pass its checks: {error.what}", where=target) from None
