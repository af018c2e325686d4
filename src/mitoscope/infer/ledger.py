"""The ledger: one SQLite file a run; a chunk and its candidates in one transaction.

A run that is killed leaves whole chunks behind and nothing else. The next run of the same slide, bundle and
configuration goes on after them and ends in the same bytes (promise 15). A second stage is recorded in the
same way, in parts of the candidates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.geometry import BoxPx0
from mitoscope.infer.ledger_file import atomic, begin, connect, set_aside, typed
from mitoscope.infer.search import ChunkResult
from mitoscope.infer.verify import PartResult


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
            connection = connect(path)
        except FormatError:
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
        with typed(self.path), atomic(self._connection):
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

    def spent_on_verification(self) -> Spent:
        """Return the seconds spent on the second stage so far."""
        return self._spent("verification")

    def sessions(self) -> int:
        """Return how many times the run was begun or gone on with."""
        return int(self._rows("SELECT count(*) FROM session")[0][0])

    def _spent(self, table: str) -> Spent:
        sums = "sum(read_s), sum(network_s), sum(wall_s)"
        return Spent(*(value or 0.0 for value in self._rows(f"SELECT {sums} FROM {table}")[0]))  # noqa: S608

    def _rows(self, query: str) -> list[tuple[float, ...]]:
        with typed(self.path):
            return self._connection.execute(query).fetchall()
