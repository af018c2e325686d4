"""The ledger: one SQLite file a run; a chunk and its candidates in one transaction.

A run that is killed leaves whole chunks behind and nothing else. The next run of the same slide, bundle and
configuration goes on after them and ends in the same bytes (promise 15).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from mitoscope.detections import Detections
from mitoscope.errors import FormatError, InputError, LedgerMismatchError, OutputError
from mitoscope.geometry import BoxPx0
from mitoscope.infer.search import ChunkResult

APPLICATION_ID: Final = 0x6D69746C
"""``mitl``, in the header of the file."""
VERSION: Final = 1
"""Version of the schema; a newer one is refused."""

_SCHEMA: Final = (
    """CREATE TABLE header (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE session (
        session INTEGER PRIMARY KEY,
        started_utc TEXT NOT NULL,
        chunks_before INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE chunk (
        chunk INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES session (session),
        saturated_tiles INTEGER NOT NULL,
        read_s REAL NOT NULL,
        network_s REAL NOT NULL,
        wall_s REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE candidate (
        chunk INTEGER NOT NULL REFERENCES chunk (chunk),
        x_px0 REAL NOT NULL,
        y_px0 REAL NOT NULL,
        score REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE gap (
        chunk INTEGER NOT NULL REFERENCES chunk (chunk),
        x_px0 REAL NOT NULL,
        y_px0 REAL NOT NULL,
        width_px0 REAL NOT NULL,
        height_px0 REAL NOT NULL
    ) STRICT""",
)
_TABLES: Final = ("candidate", "gap", "chunk", "session", "header")
_CAUSES: Final = ("slide", "bundle", "configuration")
_LOCK_WAIT_S: Final = 1.0
_NO_RESUME: Final = "repeat with --no-resume to begin anew, or choose another --out"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds spent on the chunks of a run, over all its sessions."""

    read_s: float
    network_s: float
    wall_s: float


class Ledger:
    """The record of one run, held by one process at a time. A context manager that closes the file.

    Use `Ledger.open`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, session: int) -> None:
        self.path = path
        self._connection = connection
        self._session = session

    @classmethod
    def open(cls, path: Path, header: Mapping[str, object], *, resume: bool = True) -> Self:
        """Open the ledger of a run, or begin one.

        Parameters
        ----------
        path : Path
            The file; created if it does not exist.
        header : mapping of str to JSON values
            What the run depends on, by the name that a user knows it by ("slide", "bundle", ...).
        resume : bool
            Go on with what is there; otherwise begin anew.

        Raises
        ------
        LedgerMismatchError
            If the file belongs to a run of other things; names what changed.
        FormatError
            If the file is damaged or of a newer version.
        OutputError
            If another process holds it, it cannot be written, or it is a database of another program.
        """
        try:
            connection = _connect(path)
        except FormatError:
            if resume:
                raise
            _set_aside(path)
            connection = _connect(path)
        try:
            with _typed(path):
                session = _begin(connection, path, header, resume=resume)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, session=session)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let other processes have it."""
        self._connection.close()

    def recorded(self) -> frozenset[int]:
        """Return the indices of the chunks that are done."""
        return frozenset(int(index) for (index,) in self._rows("SELECT chunk FROM chunk"))

    def record(self, index: int, result: ChunkResult, *, wall_s: float) -> None:
        """Write a chunk and all that was found in it, or nothing.

        Raises
        ------
        OutputError
            If it cannot be written, for example on a full disk.
        sqlite3.IntegrityError
            If the chunk was recorded before: a mistake of the caller.
        """
        chunk = (index, self._session, result.saturated_tiles, result.read_s, result.network_s, wall_s)
        points = np.column_stack([np.full(len(result.score), index), result.points_px0, result.score])
        gaps = [(index, box.x, box.y, box.width, box.height) for box in result.gaps_px0]
        with _typed(self.path), _atomic(self._connection):
            self._connection.execute("INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?)", chunk)
            self._connection.executemany("INSERT INTO candidate VALUES (?, ?, ?, ?)", points.tolist())
            self._connection.executemany("INSERT INTO gap VALUES (?, ?, ?, ?, ?)", gaps)

    def candidates(self, *, label: str, source: str) -> Detections:
        """Return all that was found so far, in the order of the chunks, before suppression."""
        rows = np.array(
            self._rows("SELECT x_px0, y_px0, score FROM candidate ORDER BY chunk, rowid"), dtype=np.float64
        ).reshape(-1, 3)
        return Detections.of(rows[:, :2], rows[:, 2], label=label, source=source)

    def gaps(self) -> tuple[BoxPx0, ...]:
        """Return the parts of the slide that could not be decoded."""
        rows = self._rows("SELECT x_px0, y_px0, width_px0, height_px0 FROM gap ORDER BY chunk, rowid")
        return tuple(BoxPx0(*row) for row in rows)

    def saturated_tiles(self) -> int:
        """Return the number of tiles in which the network used all its slots."""
        return int(self._rows("SELECT coalesce(sum(saturated_tiles), 0) FROM chunk")[0][0])

    def spent(self) -> Spent:
        """Return the seconds spent so far."""
        sums = "sum(read_s), sum(network_s), sum(wall_s)"
        return Spent(*(value or 0.0 for value in self._rows(f"SELECT {sums} FROM chunk")[0]))  # noqa: S608

    def sessions(self) -> int:
        """Return how many times the run was begun or gone on with."""
        return int(self._rows("SELECT count(*) FROM session")[0][0])

    def _rows(self, query: str) -> list[tuple[float, ...]]:
        with _typed(self.path):
            return self._connection.execute(query).fetchall()


def _connect(path: Path) -> sqlite3.Connection:
    with _typed(path):
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


def _begin(connection: sqlite3.Connection, path: Path, header: Mapping[str, object], *, resume: bool) -> int:
    wanted = {key: json.dumps(value, sort_keys=True) for key, value in header.items()}
    with _atomic(connection):
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and not resume:
            for table in _TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {table}")
        if tables and resume:
            _compare(dict(connection.execute("SELECT key, value FROM header")), wanted, path)
        else:
            for statement in _SCHEMA:
                connection.execute(statement)
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


def _compare(found: Mapping[str, str], wanted: Mapping[str, str], path: Path) -> None:
    changed = [key for key in sorted(found.keys() | wanted.keys()) if found.get(key) != wanted.get(key)]
    # What follows from another slide, bundle or configuration (its tissue, its tiles) is not worth naming.
    causes = [key for key in changed if key.startswith(_CAUSES)] or changed
    if causes:
        parts = [f"{key} ({_short(found.get(key))} → {_short(wanted.get(key))})" for key in causes]
        raise LedgerMismatchError(
            f"the run recorded here was of another {', another '.join(parts)}", where=path, mend=_NO_RESUME
        )


def _short(value: str | None) -> str:
    text = "nothing" if value in (None, "null") else str(value).strip('"')
    return text if len(text) <= 40 else f"{text[:32]}…"


@contextmanager
def _atomic(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors (a full disk among them).
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _set_aside(path: Path) -> None:
    """Keep a file that is no sound ledger under another name rather than destroy it."""
    try:
        path.replace(path.with_name(f"{path.name}.damaged"))
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be moved ({error.strerror})", where=path) from None


@contextmanager
def _typed(path: Path) -> Iterator[None]:
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
