"""The file of a ledger: its schema, how it is opened, compared and begun, and what its errors mean."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mitoscope.errors import FormatError, InputError, OutputError
from mitoscope.resume import refuse_changed

APPLICATION_ID: Final = 0x6D69746C
"""``mitl``, in the header of the file."""
VERSION: Final = 2
"""Version of the schema; a newer one is refused, to version 1 what it lacks is added (the second stage)."""

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS header (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS session (
        session INTEGER PRIMARY KEY,
        started_utc TEXT NOT NULL,
        chunks_before INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS chunk (
        chunk INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES session (session),
        saturated_tiles INTEGER NOT NULL,
        read_s REAL NOT NULL,
        network_s REAL NOT NULL,
        wall_s REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS candidate (
        chunk INTEGER NOT NULL REFERENCES chunk (chunk),
        x_px0 REAL NOT NULL,
        y_px0 REAL NOT NULL,
        score REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS gap (
        chunk INTEGER NOT NULL REFERENCES chunk (chunk),
        x_px0 REAL NOT NULL,
        y_px0 REAL NOT NULL,
        width_px0 REAL NOT NULL,
        height_px0 REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS verification (
        part INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES session (session),
        damaged_crops INTEGER NOT NULL,
        read_s REAL NOT NULL,
        network_s REAL NOT NULL,
        wall_s REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS verified (
        candidate INTEGER PRIMARY KEY,
        part INTEGER NOT NULL REFERENCES verification (part),
        score REAL NOT NULL
    ) STRICT""",
)
_TABLES: Final = ("verified", "verification", "candidate", "gap", "chunk", "session", "header")
_CAUSES: Final = ("slide", "bundle", "configuration")
"""What follows from another one (its tissue, its tiles) is not worth naming."""
_LOCK_WAIT_S: Final = 1.0
_NO_RESUME: Final = "repeat with --no-resume to begin anew, or choose another --out"


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for this process alone and check that it is a sound ledger, or empty."""
    with typed(path):
        connection = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None)
        try:
            # Exclusive: the lock is kept between transactions, so that one process has the run.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA mmap_size = 0")
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = DELETE")
            _check_file(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _check_file(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id != APPLICATION_ID and (application_id or tables):
        raise OutputError("is not a ledger of mitoscope", where=path, mend="choose another --out")
    if version > VERSION:
        raise FormatError(
            f"ledger of version {version}, this mitoscope knows {VERSION}", where=path, mend=_NO_RESUME
        )
    problems = connection.execute("PRAGMA quick_check(1)").fetchall()
    if problems != [("ok",)]:
        raise FormatError(f"the ledger is damaged ({problems[0][0]})", where=path, mend=_NO_RESUME)


def begin(connection: sqlite3.Connection, path: Path, header: Mapping[str, object], *, resume: bool) -> int:
    """Compare what is there with what is wanted, or write it; return the number of this session."""
    wanted = {key: json.dumps(value, sort_keys=True) for key, value in header.items()}
    with atomic(connection):
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and not resume:
            for table in _TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {table}")
        if tables and resume:
            found = dict(connection.execute("SELECT key, value FROM header"))
            refuse_changed(found, wanted, where=path, mend=_NO_RESUME, causes=_CAUSES)
        for statement in _SCHEMA:
            connection.execute(statement)
        if not (tables and resume):
            connection.executemany("INSERT INTO header VALUES (?, ?)", wanted.items())
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        (chunks,) = connection.execute("SELECT count(*) FROM chunk").fetchone()
        cursor = connection.execute(
            "INSERT INTO session (started_utc, chunks_before) VALUES (?, ?)",
            (datetime.now(UTC).isoformat(timespec="seconds"), chunks),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid


@contextmanager
def atomic(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all that is written within, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors (a full disk among them).
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def set_aside(path: Path) -> None:
    """Keep a file that is no sound ledger under another name rather than destroy it."""
    try:
        path.replace(path.with_name(f"{path.name}.damaged"))
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be moved ({error.strerror})", where=path) from None


@contextmanager
def typed(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into those of mitoscope."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
            raise
        raise _translated(error, path) from None


def _translated(error: sqlite3.DatabaseError, path: Path) -> InputError:
    name = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
    if name.startswith("SQLITE_BUSY"):
        return OutputError(
            "another mitoscope process is writing this run",
            where=path,
            mend="wait for it or choose another --out",
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_FORMAT")):
        return FormatError(f"the ledger is damaged ({error})", where=path, mend=_NO_RESUME)
    return OutputError(
        f"cannot be written ({error})",
        where=path,
        mend="choose another place with --out, or free space and repeat the command",
    )
