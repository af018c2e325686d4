"""Rounds that cover a list of cells: disputed cells for the third expert, candidates, boards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import numpy as np

from mitoscope.errors import StoreError
from mitoscope.store import tally
from mitoscope.store.agreed import live_cells, read_opinions
from mitoscope.store.schema import EVERY_CELL
from mitoscope.truth import NO_CLASS, first_three

_MEMBERS_SQL = """
SELECT c.id, c.slide_id, c.shuffle, c.is_deleted FROM cell AS c
WHERE c.id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM round_cell AS l WHERE l.cell_id = c.id AND l.round_id = ?)
ORDER BY c.id
"""
_LABELLED_SQL = """
SELECT n.rater_id, c.slide_id, c.shuffle FROM label_now AS n
JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
WHERE n.round_id = ? AND n.label_id IS NOT NULL AND n.cell_id IN (SELECT value FROM json_each(?))
"""


def list_cells(connection: sqlite3.Connection, round_id: int, cell_ids: Iterable[int]) -> int:
    """Add cells to the list of a round and return how many are new on it.

    Raises
    ------
    StoreError
        If the round covers all cells, or there is no such round or cell.
    """
    row = connection.execute("SELECT name, is_listed FROM round WHERE id = ?", (round_id,)).fetchone()
    if row is None or not row[1] or round_id == EVERY_CELL:
        name = f"round {round_id}" if row is None else f"round {row[0]!r}"
        raise StoreError("covers no list of cells", where=name, mend="open the round with a list")
    wanted = sorted(set(cell_ids))
    _refuse_unknown(connection, wanted)
    members = connection.execute(_MEMBERS_SQL, (_json(wanted), round_id)).fetchall()
    connection.executemany(
        "INSERT INTO round_cell (round_id, cell_id, slide_id, shuffle) VALUES (?, ?, ?, ?)",
        ((round_id, cell, slide, shuffle) for cell, slide, shuffle, _ in members),
    )
    live = np.array([row[1:3] for row in members if not row[3]], dtype=np.int64).reshape(-1, 2)
    tally.add_cells(connection, live[:, 0], live[:, 1], scope=round_id)
    _count_labels(connection, round_id, [row[0] for row in members])
    return len(members)


def _json(ids: list[int]) -> str:
    return "[" + ", ".join(str(int(one)) for one in ids) + "]"


def _refuse_unknown(connection: sqlite3.Connection, wanted: list[int]) -> None:
    unknown = connection.execute(
        "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM cell) LIMIT 1", (_json(wanted),)
    ).fetchone()
    if unknown is not None:
        raise StoreError("no such cell", where=f"cell {unknown[0]}")


def _count_labels(connection: sqlite3.Connection, round_id: int, cell_ids: list[int]) -> None:
    rows = connection.execute(_LABELLED_SQL, (round_id, _json(cell_ids))).fetchall()
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    tally.add_labels(connection, np.full(len(table), round_id), table[:, 0], table[:, 1], table[:, 2])


def disputed(connection: sqlite3.Connection) -> list[int]:
    """Return the live cells on which the first two experts disagree and no third has spoken."""
    cells = live_cells(connection)
    first, second, third = first_three(read_opinions(connection, cells), len(cells)).T
    open_ = (first != NO_CLASS) & (second != NO_CLASS) & (first != second) & (third == NO_CLASS)
    found: list[int] = cells[open_].tolist()
    return found


def count_listed(connection: sqlite3.Connection, round_id: int) -> int:
    """Return how many cells stand on the list of a round."""
    (n,) = connection.execute("SELECT count(*) FROM round_cell WHERE round_id = ?", (round_id,)).fetchone()
    return int(n)
