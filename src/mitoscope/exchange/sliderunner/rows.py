"""Opening somebody else's SlideRunner file without touching it, and its rows by name."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mitoscope.errors import FormatError
from mitoscope.exchange.sliderunner.schema import REQUIRED, TABLES, USER_VERSION

_MAX_VALUE_BYTES = 1 << 22
_SIDE_FILES = ("-journal", "-wal")

Row = dict[str, Any]


@contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a SlideRunner file read-only; SlideRunner itself rewrites every file that it opens.

    A file with an unfinished transaction beside it (a journal) is copied first, so that the rollback
    happens in the copy.

    Raises
    ------
    FormatError
        If it is damaged, or not a SlideRunner database, or of a later version.
    """
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mitoscope-") as folder,
            closing(_connect(path, Path(folder))) as db,
        ):
            _check(db, path)
            yield db
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise FormatError(
            f"a damaged SQLite file ({error})", where=path, mend="restore it from a copy"
        ) from None
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None


def _connect(path: Path, folder: Path) -> sqlite3.Connection:
    with path.open("rb") as stream:
        if not stream.read(16).startswith(b"SQLite format 3\x00"):
            raise FormatError("not an SQLite file", where=path)
    beside = [path.with_name(path.name + end) for end in _SIDE_FILES]
    unfinished = [one for one in beside if one.is_file() and one.stat().st_size]
    mode = "mode=ro&immutable=1"
    if unfinished:
        for one in (path, *unfinished):
            shutil.copyfile(one, folder / one.name)
        path, mode = folder / path.name, "mode=rw"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    db.execute("PRAGMA mmap_size = 0")
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    found = {
        name: (kind, sql or "") for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema")
    }
    lacking = [table for table in REQUIRED if table not in found]
    if lacking:
        raise FormatError(f"not a SlideRunner database (no table {', '.join(lacking)})", where=path)
    for table in found.keys() & TABLES.keys():
        kind, sql = found[table]
        if kind != "table" or "VIRTUAL" in sql.upper().split("(")[0] or "GENERATED" in sql.upper():
            raise FormatError(f"{table} is not an ordinary table", where=path)
    for table, required in REQUIRED.items():
        absent = required - _columns(db, table)
        if absent:
            raise FormatError(f"table {table} has no column {', '.join(sorted(absent))}", where=path)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= USER_VERSION:
        raise FormatError(f"version {version}, this mitoscope knows 0 to {USER_VERSION}", where=path)
    (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise FormatError(f"a damaged SQLite file ({state})", where=path, mend="restore it from a copy")


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info(`{table}`)")}


def rows(db: sqlite3.Connection, table: str, order: str = "uid") -> Iterator[Row]:
    """Yield the rows of a table as mappings with all present-day columns, None where the file lacks one."""
    present = _columns(db, table)
    if not present:
        return
    names = [name for name in TABLES[table] if name in present]
    blank = dict.fromkeys(TABLES[table])
    by = f"`{order}`" if order in present else "rowid"
    columns = ", ".join(f"`{name}`" for name in names)
    sql = f"SELECT {columns} FROM `{table}` ORDER BY {by}, rowid"  # noqa: S608 constant names
    cursor = db.execute(sql)
    for values in cursor:
        yield blank | dict(zip(names, values, strict=True))
