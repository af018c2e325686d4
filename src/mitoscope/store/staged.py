"""Large imports: laid down in the study first, then taken in one short transaction, then written in pieces.

A file of 30,000 cells with three labels each takes SQLite seconds, in which nobody else could write. What it
brings is therefore packed while nobody waits and laid down in the study in pieces that nobody sees. One short
transaction takes them: from then on the file is imported. Then its cells and labels are written, a piece in
some milliseconds, and between two of them others write. Each piece is taken out in the transaction that
writes it, so it does not matter who goes on: whoever opens the study after a process was killed, or wants to
see the whole of it, writes what is left.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

import numpy as np

from mitoscope.errors import StoreError
from mitoscope.store.chain import extend
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.encoding import attributes_text, insert, well_formed
from mitoscope.store.ingest import (
    ImportPlan,
    ImportReport,
    StoreIds,
    begin_import,
    write_import,
    write_news,
    write_rows,
)

PIECE_ROWS: Final = 1000
"""Cells and labels of a piece: some 20 ms of the processor."""
_ROW_BYTES: Final = 160
"""What a row takes at the end: pieces hold that room, so that a disk is full before the import or never."""
_FORGOTTEN_S: Final = 24 * 3600.0
"""After so long pieces that nobody took are of a process that was killed."""


@dataclass(frozen=True, eq=False)
class PackedImport:
    """An import that can be taken: its plan, and its pieces where it is large.

    One that brings versions has none: they hold cells that must all be there.
    """

    plan: ImportPlan
    key: str
    pieces: tuple[bytes, ...]

    @classmethod
    def of(cls, plan: ImportPlan) -> Self:
        """Pack what an import brings."""
        cells, events, news = plan.study.cells, plan.study.events, plan.taken.news
        is_small = len(cells) + len(events) + len(news) <= PIECE_ROWS or plan.study.versions
        pieces = () if is_small else tuple(_pieces(cells, events, news))
        return cls(plan, secrets.token_hex(8), pieces)


def lay_down(connection: sqlite3.Connection, key: str, piece: bytes) -> None:
    """Lay a piece down where nobody sees it."""
    insert(connection, "pending_piece", key=key, made_s=time.time(), content=piece)


def take_away(connection: sqlite3.Connection, key: str | None = None) -> None:
    """Remove pieces that nobody will take: those of a key, and those that were forgotten."""
    connection.execute(
        "DELETE FROM pending_piece WHERE (key = ? OR made_s < ?) "
        "AND key NOT IN (SELECT key FROM pending_import)",
        (key, time.time() - _FORGOTTEN_S),
    )


def take_import(connection: sqlite3.Connection, packed: PackedImport) -> ImportReport:
    """Take an import, whose pieces were laid down, inside of the caller's transaction.

    It is imported then: what is left is written by `write_piece`.

    Raises
    ------
    ConflictError, StoreError
        See `begin_import`.
    """
    if not packed.pieces:
        return write_import(connection, packed.plan)
    ids, report = begin_import(connection, packed.plan)
    named = json.dumps({name: of.tolist() for name, of in asdict(ids).items()})
    insert(connection, "pending_import", key=packed.key, ids=named, seq=packed.plan.seq)
    return report


def is_pending(connection: sqlite3.Connection) -> bool:
    """Whether a piece of an import is yet to be written."""
    return connection.execute("SELECT 1 FROM pending_import LIMIT 1").fetchone() is not None


@well_formed()
def write_piece(connection: sqlite3.Connection) -> bool:
    """Write the next piece of an import inside of the caller's transaction; return whether there was one."""
    row = connection.execute(
        "SELECT p.number, p.content, i.key, i.ids, i.seq FROM pending_piece AS p "
        "JOIN pending_import AS i ON i.key = p.key ORDER BY p.number LIMIT 1"
    ).fetchone()
    if row is None:
        return False
    number, content, key, named, seq = row
    connection.execute("DELETE FROM pending_piece WHERE number = ?", (number,))  # first: it holds the room
    ids = StoreIds(**{name: np.array(of, dtype=np.int64) for name, of in json.loads(named).items()})
    cells, events, news = _unpacked(content)
    write_rows(connection, cells, events, ids)
    write_news(connection, news, ids, since=seq)
    extend(connection)  # a copy has nobody who does so after its transaction
    connection.execute(
        "DELETE FROM pending_import WHERE key = ?1 "
        "AND NOT EXISTS (SELECT 1 FROM pending_piece WHERE key = ?1)",
        (key,),
    )
    return True


def write_pieces(connection: sqlite3.Connection) -> bool:
    """Write all that imports have left, inside of the caller's transaction; return whether there was any."""
    was_left = False
    while write_piece(connection):
        was_left = True
    return was_left


def _pieces(cells: Cells, events: LabelEvents, news: LabelEvents) -> Iterator[bytes]:
    """Cut an import into pieces of whole cells; labels of one cell stay in their order."""
    by_cell = np.argsort(events.cell, kind="stable")
    ends = np.cumsum(np.bincount(events.cell, minlength=len(cells)))
    rows = ends + np.arange(1, len(cells) + 1)  # up to and with each cell
    begin, first = 0, 0
    while begin < len(cells):
        limit = PIECE_ROWS + (rows[begin - 1] if begin else 0)
        end = max(int(np.searchsorted(rows, limit, side="right")), begin + 1)
        last = int(ends[end - 1])
        part = events.take(np.sort(by_cell[first:last]))
        yield _packed(cells.take(np.arange(begin, end)), _moved(part, begin), LabelEvents.empty())
        begin, first = end, last
    for start in range(0, len(news), PIECE_ROWS // 4):  # each is an action of its own
        part = news.take(np.arange(start, min(start + PIECE_ROWS // 4, len(news))))
        yield _packed(Cells.empty(), LabelEvents.empty(), part)


def _moved(events: LabelEvents, by: int) -> LabelEvents:
    values = {column.name: getattr(events, column.name) for column in fields(events)}
    return LabelEvents.of(**{**values, "cell": events.cell - by})


def _packed(*columns: Cells | LabelEvents) -> bytes:
    try:
        text = json.dumps([_plain(one) for one in columns], ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"text that is not Unicode ({error.reason})", where="import") from None
    return text.ljust(_ROW_BYTES * sum(map(len, columns)))


def _plain(columns: Cells | LabelEvents) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for column in fields(columns):
        value = getattr(columns, column.name)
        if column.name == "attributes":
            value = {row: json.loads(attributes_text(one) or "{}") for row, one in value.items()}
        elif isinstance(value, Mapping):
            value = {row: ring.tolist() for row, ring in value.items()}
        else:
            value = value.tolist()
        plain[column.name] = value
    return plain


def _unpacked(content: bytes) -> tuple[Cells, LabelEvents, LabelEvents]:
    cells, events, news = json.loads(content)
    for columns in (cells, events, news):
        columns["attributes"] = {int(row): one for row, one in columns["attributes"].items()}
    rings = {int(row): np.array(ring, dtype=np.float64) for row, ring in cells["vertices_px0"].items()}
    return Cells.of(**cells | {"vertices_px0": rings}), LabelEvents.of(**events), LabelEvents.of(**news)
