"""A SlideRunner database: its tables, annotation types, triggers, functions and rows (FACTS A1, A2)."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from mitoscope.errors import FormatError
from mitoscope.fsio import open_regular

USER_VERSION = 3
"""The version that SlideRunner brings every file to when it opens it; it reads 0 to 3."""


class AnnotationType(IntEnum):
    """``Annotations.type``."""

    SPOT = 1
    AREA = 2
    POLYGON = 3
    SPECIAL_SPOT = 4
    CIRCLE = 5
    IMAGE = 6
    UNKNOWN = 255


_UID = "INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE"
TABLES: dict[str, dict[str, str]] = {
    "Slides": {
        "uid": _UID,
        "filename": "TEXT",
        "width": "INTEGER",
        "height": "INTEGER",
        "directory": "TEXT",
        "uuid": "TEXT",
        "exactImageID": "TEXT",
        "EXACTUSER": "INTEGER DEFAULT 0",
    },
    "Annotations": {
        "uid": _UID,
        "slide": "INTEGER",
        "guid": "TEXT",
        "lastModified": "REAL DEFAULT 0",
        "deleted": "INTEGER DEFAULT 0",
        "type": "INTEGER",
        "agreedClass": "INTEGER",
        "description": "TEXT",
        "clickable": "INTEGER DEFAULT 1",
    },
    "Annotations_coordinates": {
        "uid": _UID,
        "coordinateX": "INTEGER",
        "coordinateY": "INTEGER",
        "coordinateZ": "INTEGER DEFAULT 0",
        "slide": "INTEGER",
        "annoId": "INTEGER",
        "orderIdx": "INTEGER",
    },
    "Annotations_label": {
        "uid": _UID,
        "person": "INTEGER",
        "class": "INTEGER",
        "exact_id": "INTEGER",
        "annoId": "INTEGER",
    },
    "Classes": {"uid": _UID, "name": "TEXT", "clickable": "INTEGER DEFAULT 1", "color": "TEXT"},
    "Persons": {"uid": _UID, "name": "TEXT", "isExactUser": "INTEGER DEFAULT 0"},
    "Log": {"uid": "INTEGER PRIMARY KEY AUTOINCREMENT", "dateTime": "FLOAT", "labelId": "INTEGER"},
}
"""Columns and their types as SlideRunner creates them; older files lack some, and their order differs."""
OUTCOMES = "Mitoscope_outcome"
"""Agreed classes that nobody stated, but that were worked out from the labels when mitoscope wrote the file.

SlideRunner leaves this table alone.
"""
_ALL = TABLES | {OUTCOMES: {"uid": _UID, "annoId": "INTEGER", "agreedClass": "INTEGER"}}
REQUIRED = {
    "Slides": {"uid", "filename"},
    "Annotations": {"uid", "slide", "type"},
    "Annotations_coordinates": {"coordinateX", "coordinateY", "annoId"},
    "Annotations_label": {"uid", "person", "class", "annoId"},
    "Classes": {"uid", "name"},
    "Persons": {"uid", "name"},
}
"""What even the oldest files have; ``Log`` is optional."""

_TOUCHED_BY = (
    ("fromLabel", "Annotations_label", "annoId"),
    ("fromCoords", "Annotations_coordinates", "annoId"),
    ("", "Annotations", "uid"),
)


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the empty tables."""
    for table, columns in _ALL.items():
        body = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE `{table}` ({body})")


def create_triggers(connection: sqlite3.Connection) -> None:
    """Create SlideRunner's triggers; from now on every change needs :func:`register_functions`."""
    for part, table, key in _TOUCHED_BY:
        for event in ("UPDATE", "INSERT"):
            connection.execute(
                f"CREATE TRIGGER updateAnnotation_{part}{event} AFTER {event} ON {table} BEGIN "  # noqa: S608
                f"UPDATE Annotations SET lastModified=pycurrent_time() WHERE uid==new.{key}; END"
            )
    connection.execute(
        "CREATE TRIGGER updateAnnotation_ins AFTER INSERT ON Annotations BEGIN "
        "UPDATE Annotations SET guid=generate_uuid() WHERE uid==new.uid AND guid IS NULL; END"
    )
    connection.execute(
        "CREATE TRIGGER setRandomcolor AFTER INSERT ON Classes BEGIN "
        "UPDATE Classes SET color=randcolor() WHERE uid==new.uid AND color IS NULL; END"
    )


def register_functions(connection: sqlite3.Connection) -> None:
    """Register the three functions without which the triggers of a SlideRunner file fail."""
    connection.create_function("generate_uuid", 0, lambda: str(uuid.uuid4()))
    connection.create_function("pycurrent_time", 0, time.time)
    connection.create_function("randcolor", 0, lambda: f"#{random.randrange(0x1E1E1E, 0xFFFFFF):06x}")  # noqa: S311


MAGIC = b"SQLite format 3\x00"
WAIT_S = 10.0
"""How long another program may go on writing before the file is refused."""
_WAL_MODE = b"\x02"
_MAX_VALUE_BYTES = 1 << 22
_SIDE_FILES = ("-journal", "-wal")

Row = dict[str, Any]


@contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a SlideRunner file read-only; SlideRunner itself rewrites every file that it opens.

    While another program writes it is waited for. A file with a journal or a write-ahead log beside it is
    copied first, so that what stands there is rolled back or taken in the copy.

    Raises
    ------
    FormatError
        If it is damaged or locked, not a SlideRunner database, or of a later version.
    """
    with open_sqlite(path) as db:
        _check(db, path)
        yield db


def tables_of(path: Path) -> frozenset[str]:
    """Return the tables of an SQLite file; errors as `open_database`."""
    with open_sqlite(path) as db:
        return frozenset(name for (name,) in db.execute("SELECT name FROM sqlite_schema"))


@contextmanager
def open_sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an SQLite file that nobody vouches for, for reading alone; errors as `open_database`."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mitoscope-") as folder,
            closing(_connect(path, Path(folder))) as db,
        ):
            yield db
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            mend = "close it there, e.g. in SlideRunner, and repeat the command"
            raise FormatError("another program is writing it", where=path, mend=mend) from None
        raise FormatError(
            f"a damaged SQLite file ({error})", where=path, mend="restore it from a copy"
        ) from None
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None


def _connect(path: Path, folder: Path) -> sqlite3.Connection:
    with open_regular(path) as stream:
        head = stream.read(20)
    if not head.startswith(MAGIC):
        raise FormatError("not an SQLite file", where=path)
    beside = [path.with_name(path.name + end) for end in _SIDE_FILES]
    unfinished = [file for file in beside if file.is_file() and file.stat().st_size]
    # Without its log, a file in the mode of write-ahead logging is whole; opening it as such would write.
    mode = "mode=ro&immutable=1" if head[18:19] == _WAL_MODE else "mode=ro"
    if unfinished:
        for file in (path, *unfinished):
            shutil.copyfile(file, folder / file.name)
        path, mode = folder / path.name, "mode=rw"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=WAIT_S, isolation_level=None)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
        db.execute(f"PRAGMA {setting}")
    db.execute("BEGIN")  # one state of the file for all that is read
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    found = {
        name: (kind, sql or "") for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema")
    }
    lacking = [table for table in REQUIRED if table not in found]
    if lacking:
        raise FormatError(f"not a SlideRunner database (no table {', '.join(lacking)})", where=path)
    for table in found.keys() & _ALL.keys():
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
    names = [name for name in _ALL[table] if name in present]
    blank = dict.fromkeys(_ALL[table])
    by = f"`{order}`" if order in present else "rowid"
    columns = ", ".join(f"`{name}`" for name in names)
    sql = f"SELECT {columns} FROM `{table}` ORDER BY {by}, rowid"  # noqa: S608 constant names
    cursor = db.execute(sql)
    for values in cursor:
        yield blank | dict(zip(names, values, strict=True))
