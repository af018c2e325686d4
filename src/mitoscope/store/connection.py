"""Opening a store's file: settings, one way to write, and SQLite's errors in words.

The settings are those of the promises: an acknowledged action survives SIGKILL and a power cut
(``journal_mode=DELETE``, ``synchronous=EXTRA``), two processes wait for each other instead of failing
(``BEGIN IMMEDIATE``, ``busy_timeout``), and a file from elsewhere cannot run anything
(``trusted_schema=OFF``, and its schema must be the one that mitoscope wrote).
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cache
from pathlib import Path

from mitoscope.errors import (
    MitoscopeError,
    NotAStoreError,
    OutputError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreMovedError,
    StoreVersionError,
)
from mitoscope.fsio import open_regular
from mitoscope.store.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, statements

BUSY_TIMEOUT_MS = 10_000
"""How long a process waits for another's transaction (PROMISES, settings)."""
CACHE_KIB = 262_144
"""Pages kept in memory at most: an import of a million cells touches its indexes at random."""

_SETTINGS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA foreign_keys = ON",
    # INSERT OR REPLACE deletes without a trigger unless triggers recurse: events are append-only.
    "PRAGMA recursive_triggers = ON",
    "PRAGMA synchronous = EXTRA",
    f"PRAGMA cache_size = -{CACHE_KIB}",
)
_MAGIC = b"SQLite format 3\x00"
_UNWRITTEN = {
    sqlite3.SQLITE_FULL: "free space and repeat the action",
    sqlite3.SQLITE_READONLY: "mend the permissions of the file and its folder and repeat the action",
    sqlite3.SQLITE_CANTOPEN: "mend the permissions of the folder, or free space, and repeat the action",
    sqlite3.SQLITE_IOERR: "free space, or see that the disk is there, and repeat the action",
}
"""Why nothing can be written → what to do about it."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)
_TOUCH = "PRAGMA schema_version"
"""Reads the first page, and so rolls back what a killed process left half written."""
_PRIMARY_CODE = 0xFF  # the lower byte of an extended result code


def translate(error: sqlite3.Error, path: Path) -> MitoscopeError:
    """Return the typed error for one of SQLite's."""
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & _PRIMARY_CODE
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(
            "another process is writing", where=path, mend="repeat the command when it is done"
        )
    if code in _UNWRITTEN:
        if extended == sqlite3.SQLITE_READONLY_DBMOVED:
            return StoreMovedError(
                "was moved or deleted while it is open; nothing was changed",
                where=path,
                mend="put it back where it was and repeat the action, or open it where it is now",
            )
        what = f"cannot be written ({error}); nothing was changed"
        return OutputError(what, where=path, mend=_UNWRITTEN[code])
    if code in _DAMAGED:
        return StoreDamagedError(
            f"damaged ({error})", where=path, mend="restore it from a copy made by 'mitoscope store backup'"
        )
    return StoreError(f"refused by the store ({error})", where=path)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside of the block into typed ones."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from None
    except UnicodeDecodeError:
        mend = "restore it from a copy made by 'mitoscope store backup'"
        raise StoreDamagedError("damaged (text that is not Unicode)", where=path, mend=mend) from None
    except UnicodeEncodeError as error:
        raise StoreError(f"text that is not Unicode ({error.reason})", where=path) from None


@contextmanager
def atomic(
    connection: sqlite3.Connection, path: Path, *, alone: AbstractContextManager[object] | None = None
) -> Iterator[sqlite3.Connection]:
    """Write: all of the block or nothing of it.

    ``BEGIN IMMEDIATE`` takes the write lock at once, so that a reader never has to be promoted to a writer
    half-way (which fails at once, however long the timeout). ``alone`` is entered while the change goes to
    the file, when nobody may read it.

    Raises
    ------
    StoreBusyError, OutputError, StoreDamagedError, StoreError
        Whatever SQLite refuses; nothing has changed then.
    """
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            with alone or nullcontext():
                connection.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction already.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def create_file(path: Path) -> sqlite3.Connection:
    """Create a new store file with the present schema and return its connection.

    Raises
    ------
    StoreError
        If something has the name already.
    OutputError
        If it cannot be written.
    """
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        raise StoreError("exists already", where=path, mend="choose another name or open it") from None
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=path) from None
    with translated(path):
        connection = _connect(path, mode="rw")
    try:
        with translated(path):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection, path)
    except BaseException:
        connection.close()
        path.unlink(missing_ok=True)
        raise
    return connection


def open_file(path: Path, *, write: bool = True) -> sqlite3.Connection:
    """Open an existing store file, bring its schema to the present version and return its connection.

    Raises
    ------
    StoreDamagedError
        If it is no store, or its schema is not the one that mitoscope wrote (a foreign trigger, a view in
        place of a table, a table missing).
    StoreVersionError
        If a newer mitoscope wrote it.
    """
    _check_header(path)
    with translated(path):
        connection = _connect(path, mode="rw" if write else "ro")
    try:
        _check_identity(connection, path)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if write:
            migrate(connection, path)
        elif version < SCHEMA_VERSION:
            connection = _migrated_copy(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_beside(path: Path) -> sqlite3.Connection:
    """Return a second connection to a store that is open for writing here, to be read while the first writes.

    It may roll back what another process has left half written, and so is not opened as read-only.
    """
    with translated(path):
        connection = _opened(path, "rw")
        settle_to_read(connection)
    return connection


def _migrated_copy(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Return a copy in memory with the present schema: who only reads an older file leaves it as it is."""
    copy = copied(connection, path)
    migrate(copy, path)
    copy.execute("PRAGMA query_only = ON")
    return copy


def copied(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Return a copy of a store in memory, that may be written, in place of its connection."""
    with closing(connection), translated(path):
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.backup(copy)
        for setting in _SETTINGS:
            copy.execute(setting)
    return copy


def settle_to_read(connection: sqlite3.Connection) -> None:
    """Give a connection the settings of a store that is only read."""
    for setting in (*_SETTINGS, "PRAGMA query_only = ON"):
        connection.execute(setting)


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    connection = _opened(path, mode) if mode == "rw" else _opened_to_read(path)
    for setting in _SETTINGS:
        connection.execute(setting)
    if mode == "ro":
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = DELETE")
    return connection


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    # One connection serves many threads: the Store holds a lock around every use.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )


def _opened_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that reads; a change that a killed process left half written is rolled back first.

    SQLite rolls it back for who may write. Where nobody may, a copy in memory is.
    """
    connection = _opened(path, "ro")
    try:
        connection.execute(_TOUCH).fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
    else:
        return connection
    try:
        with closing(_opened(path, "rw")) as writer:
            writer.execute(_TOUCH).fetchone()
        return _opened(path, "ro")
    except sqlite3.OperationalError:
        return _rolled_back_copy(path)


def _rolled_back_copy(path: Path) -> sqlite3.Connection:
    with tempfile.TemporaryDirectory() as folder:
        for part in (path, path.with_name(f"{path.name}-journal")):
            shutil.copy(part, folder)
        with closing(_opened(Path(folder, path.name), "rw")) as whole:
            copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            whole.backup(copy)
    return copy


def _check_header(path: Path) -> None:
    try:
        with open_regular(path) as stream:
            magic = stream.read(len(_MAGIC))
    except FileNotFoundError:
        raise StoreError(
            "no such store", where=path, mend=f"create it with 'mitoscope store create {path}'"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot be read ({error.strerror})", where=path) from None
    if magic != _MAGIC:
        raise NotAStoreError("not an annotation store (not an SQLite file)", where=path)


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    with translated(path):
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        found = _schema_of(connection)
    if application != APPLICATION_ID:
        raise NotAStoreError(
            "an SQLite file, but not an annotation store",
            where=path,
            mend="import it with 'mitoscope store import'",
        )
    if version > SCHEMA_VERSION:
        raise StoreVersionError(
            f"schema version {version}, this mitoscope knows {SCHEMA_VERSION}",
            where=path,
            mend="install a newer mitoscope",
        )
    expected = _expected_schema(version)
    odd = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if odd:
        raise StoreDamagedError(
            f"its schema is not the one that mitoscope wrote ({', '.join(odd[:3])})", where=path
        )


def _schema_of(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT type || ' ' || name, ifnull(sql, '') FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*'"
    )
    return dict(rows.fetchall())


@cache
def _expected_schema(version: int) -> dict[str, str]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for migration in MIGRATIONS[:version]:
            for statement in statements(migration.script):
                connection.execute(statement)
        return _schema_of(connection)
    finally:
        connection.close()


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that the file has not seen, each recorded in the transaction that applies it."""
    with translated(path):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
        with atomic(connection, path):
            (seen,) = connection.execute("PRAGMA user_version").fetchone()
            if seen >= number:
                continue  # another process was first
            for statement in statements(migration.script):
                connection.execute(statement)
            if migration.fill is not None:
                migration.fill(connection)
            connection.execute(
                "INSERT INTO migration (version, name, applied_s) VALUES (?, ?, ?)",
                (number, migration.name, time.time()),
            )
            connection.execute(f"PRAGMA user_version = {number}")
