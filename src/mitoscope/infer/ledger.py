"""The ledger: one SQLite file a run; a chunk and its candidates in one transaction.

A run that is killed leaves whole chunks behind and nothing else. The next run of the same slide, bundle and
configuration goes on after them and ends in the same bytes (promise 15). A second stage is recorded in the
same way, in parts of the candidates.
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
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import FormatError, InputError, OutputError
from mitoscope.fsio import open_regular
from mitoscope.geometry import BoxPx0
from mitoscope.infer.search import ChunkResult
from mitoscope.infer.verify import PartResult
from mitoscope.resume import refuse_changed

APPLICATION_ID: Final = 0x6D69746C
"""``mitl``, in the header of the file."""
VERSION: Final = 3
"""Version of the schema; a newer one is refused, to an older one what it lacks is added: the second stage to
version 1, kinds of figures to version 2."""

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
    """CREATE TABLE IF NOT EXISTS suspect (
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
    """CREATE TABLE IF NOT EXISTS subtyping (
        part INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES session (session),
        damaged_crops INTEGER NOT NULL,
        read_s REAL NOT NULL,
        network_s REAL NOT NULL,
        wall_s REAL NOT NULL
    ) STRICT""",
    # By place: which candidates are figures, and so their order, is a matter of stage and threshold.
    """CREATE TABLE IF NOT EXISTS subtyped (
        x_px0 REAL NOT NULL,
        y_px0 REAL NOT NULL,
        part INTEGER NOT NULL REFERENCES subtyping (part),
        score REAL NOT NULL,
        PRIMARY KEY (x_px0, y_px0)
    ) STRICT""",
)
_TABLES: Final = (
    "subtyped", "subtyping", "verified", "verification", "candidate", "gap", "suspect", "chunk", "session",
    "header",
)  # fmt: skip
_CAUSES: Final = ("slide", "bundle", "configuration")
"""What follows from another one (its tissue, its tiles) is not worth naming."""
LOCK_WAIT_S: Final = 1.0
_NO_RESUME: Final = "repeat with --no-resume to begin anew, or choose another --out"


def connect(path: Path, *, wait_s: float = LOCK_WAIT_S) -> sqlite3.Connection:
    """Open the file for this process alone and check that it is a sound ledger, or empty."""
    with typed(path):
        connection = sqlite3.connect(path, timeout=wait_s, isolation_level=None)
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
        raise _foreign(path)
    if version > VERSION:
        raise FormatError(
            f"ledger of version {version}, this mitoscope knows {VERSION}", where=path, mend=_NO_RESUME
        )
    problems = connection.execute("PRAGMA quick_check(1)").fetchall()
    if problems != [("ok",)]:
        raise FormatError(f"the ledger is damaged ({problems[0][0]})", where=path, mend=_NO_RESUME)


def _foreign(path: Path) -> OutputError:
    return OutputError(
        "is not a ledger of mitoscope", where=path, mend="move or remove it, or choose another --out"
    )


def _is_ledger(path: Path) -> bool:
    """Return whether a file is a ledger by its header, or nothing but the zeros of a lost one."""
    try:
        with open_regular(path) as stream:
            head = stream.read(100)
    except OSError:
        return False
    return head[68:72] == APPLICATION_ID.to_bytes(4) or not head.strip(b"\0")


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
    """Commit all that is written within, or nothing; one within another one belongs to that."""
    own = not connection.in_transaction
    if own:
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        if own:
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


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds spent on a stage of a run, over all its sessions."""

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
    def open(
        cls,
        path: Path,
        header: Mapping[str, object],
        *,
        resume: bool = True,
        wait_s: float = LOCK_WAIT_S,
    ) -> Self:
        """Open the ledger of a run, or begin one.

        Parameters
        ----------
        path : Path
            The file; created if it does not exist.
        header : mapping of str to JSON values
            What the run depends on, by the name that a user knows it by ("slide", "bundle", ...).
        resume : bool
            Go on with what is there; otherwise begin anew.
        wait_s : float
            Seconds that another process may hold it meanwhile.

        Raises
        ------
        LedgerMismatchError
            If the file belongs to a run of other things; names what changed.
        FormatError
            If the file is damaged or of a newer version.
        OutputError
            If another process holds it, it cannot be written, or it is a file of another program.
        """
        try:
            connection = connect(path, wait_s=wait_s)
        except FormatError:
            if not _is_ledger(path):
                raise _foreign(path) from None
            if resume:
                raise
            set_aside(path)
            connection = connect(path)
        try:
            with typed(path):
                session = begin(connection, path, header, resume=resume)
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

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of all that is recorded within: a disk confirms hundreds a second, no more."""
        with typed(self.path), atomic(self._connection):
            yield

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
        gaps, suspects = (
            [(index, box.x, box.y, box.width, box.height) for box in boxes]
            for boxes in (result.gaps_px0, result.suspects_px0)
        )
        with typed(self.path), atomic(self._connection):
            self._connection.execute("INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?)", chunk)
            self._connection.executemany("INSERT INTO candidate VALUES (?, ?, ?, ?)", points.tolist())
            self._connection.executemany("INSERT INTO gap VALUES (?, ?, ?, ?, ?)", gaps)
            self._connection.executemany("INSERT INTO suspect VALUES (?, ?, ?, ?, ?)", suspects)

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

    def suspects(self) -> tuple[BoxPx0, ...]:
        """Return the stored tiles that look damaged though they could be decoded, row by row."""
        rows = self._rows(
            "SELECT DISTINCT x_px0, y_px0, width_px0, height_px0 FROM suspect ORDER BY y_px0, x_px0"
        )
        return tuple(BoxPx0(*row) for row in rows)

    def saturated_tiles(self) -> int:
        """Return the number of tiles in which the network used all its slots."""
        return int(self._rows("SELECT coalesce(sum(saturated_tiles), 0) FROM chunk")[0][0])

    def spent(self) -> Spent:
        """Return the seconds spent on the search so far."""
        return self._spent("chunk")

    def verified_parts(self) -> frozenset[int]:
        """Return the indices of the parts of the candidates that the second stage has scored."""
        return frozenset(int(index) for (index,) in self._rows("SELECT part FROM verification"))

    def record_verified(self, index: int, result: PartResult, *, wall_s: float) -> None:
        """Write a part of the candidates and their new scores, or nothing.

        Raises
        ------
        OutputError
            If it cannot be written, for example on a full disk.
        sqlite3.IntegrityError
            If the part was recorded before: a mistake of the caller.
        """
        part = (index, self._session, result.damaged_crops, result.read_s, result.network_s, wall_s)
        scores = zip(result.candidates, result.score.tolist(), strict=True)
        rows = [(candidate, index, score) for candidate, score in scores]
        with typed(self.path), atomic(self._connection):
            self._connection.execute("INSERT INTO verification VALUES (?, ?, ?, ?, ?, ?)", part)
            self._connection.executemany("INSERT INTO verified VALUES (?, ?, ?)", rows)

    def verified(self) -> dict[int, float]:
        """Return the score that the second stage gave to each candidate so far."""
        rows = self._rows("SELECT candidate, score FROM verified ORDER BY candidate")
        return {int(candidate): score for candidate, score in rows}

    def damaged_crops(self) -> int:
        """Return the number of crops of which a part could not be decoded."""
        return int(self._rows("SELECT coalesce(sum(damaged_crops), 0) FROM verification")[0][0])

    def record_subtyped(self, points_px0: NDArray[np.float64], result: PartResult, *, wall_s: float) -> None:
        """Write figures, shape (n, 2), and their probabilities of the kind that is found, or nothing.

        Raises
        ------
        OutputError
            If it cannot be written, for example on a full disk.
        sqlite3.IntegrityError
            If a figure was recorded before: a mistake of the caller.
        """
        part = (self._session, result.damaged_crops, result.read_s, result.network_s, wall_s)
        places = zip(points_px0.tolist(), result.score.tolist(), strict=True)
        with typed(self.path), atomic(self._connection):
            cursor = self._connection.execute(
                "INSERT INTO subtyping (session, damaged_crops, read_s, network_s, wall_s) "
                "VALUES (?, ?, ?, ?, ?)",
                part,
            )
            rows = [(x, y, cursor.lastrowid, score) for (x, y), score in places]
            self._connection.executemany("INSERT INTO subtyped VALUES (?, ?, ?, ?)", rows)

    def subtyped(self) -> dict[tuple[float, float], float]:
        """Return the probability of the kind that is found, of each figure by its place in level-0 px."""
        rows = self._rows("SELECT x_px0, y_px0, score FROM subtyped")
        return {(x, y): score for x, y, score in rows}

    def spent_on_verification(self) -> Spent:
        """Return the seconds spent on the second stage so far."""
        return self._spent("verification")

    def spent_on_subtypes(self) -> Spent:
        """Return the seconds spent on telling kinds of figures apart so far."""
        return self._spent("subtyping")

    def sessions(self) -> int:
        """Return how many times the run was begun or gone on with."""
        return int(self._rows("SELECT count(*) FROM session")[0][0])

    def _spent(self, table: str) -> Spent:
        sums = "sum(read_s), sum(network_s), sum(wall_s)"
        return Spent(*(value or 0.0 for value in self._rows(f"SELECT {sums} FROM {table}")[0]))  # noqa: S608

    def _rows(self, query: str) -> list[tuple[float, ...]]:
        with typed(self.path):
            return self._connection.execute(query).fetchall()
