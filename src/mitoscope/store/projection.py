"""What follows from an event: the present state of the cells, kept beside the events that made it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np

from mitoscope.store import tally
from mitoscope.store.public_ids import draw_public_ids
from mitoscope.store.schema import EVERY_CELL

_INSERT_CELL_SQL = """
INSERT INTO cell (id, slide_id, shuffle, public_id, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0,
                  vertices_px0)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INDEX_SQL = """
INSERT INTO cell_index (cell_id, x_min, x_max, y_min, y_max, slide_min, slide_max)
SELECT id, x_min_px0, x_max_px0, y_min_px0, y_max_px0, slide_id, slide_id FROM cell WHERE id = ?
"""
_MOVE_SQL = """
UPDATE cell SET shape = ?, x_min_px0 = ?, y_min_px0 = ?, x_max_px0 = ?, y_max_px0 = ?, vertices_px0 = ?
WHERE id = ?
"""
_LABEL_SQL = """
INSERT INTO label_now (cell_id, rater_id, round_id, label_id, score, first_seq, last_seq)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET label_id = excluded.label_id, score = excluded.score, last_seq = excluded.last_seq
"""


def create_cell(connection: sqlite3.Connection, slide_id: int, geometry: Sequence[Any]) -> int:
    """Write a new cell and return its id; its creation event comes after it, which refers to it."""
    (cell_id,) = connection.execute("SELECT ifnull(max(id), 0) + 1 FROM cell").fetchone()
    shuffle = int(tally.shuffles(np.array([cell_id]), tally.study_seed(connection))[0])
    (public_id,) = draw_public_ids(connection, 1)
    connection.execute(_INSERT_CELL_SQL, (cell_id, slide_id, shuffle, public_id, *geometry))
    return int(cell_id)


def apply(connection: sqlite3.Connection, seq: int, kind: str, cell_id: int, payload: Sequence[Any]) -> None:
    """Bring the state of a cell to what it is after an event.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside of a transaction.
    seq : int
        Number of the event.
    kind : str
        Its kind.
    cell_id : int
        Its cell.
    payload : sequence
        Rater, round, label and score of a label; shape, bounds and vertices of a creation or a move.
    """
    if kind == "label":
        _apply_label(connection, seq, cell_id, payload)
    elif kind == "move":
        connection.execute(_MOVE_SQL, (*payload, cell_id))
        connection.execute("DELETE FROM cell_index WHERE cell_id = ?", (cell_id,))
        connection.execute(_INDEX_SQL, (cell_id,))
    else:
        _apply_presence(connection, cell_id, is_there=kind != "delete", is_new=kind == "create")


def _place(connection: sqlite3.Connection, cell_id: int) -> tuple[int, int]:
    row = connection.execute("SELECT slide_id, shuffle FROM cell WHERE id = ?", (cell_id,)).fetchone()
    return int(row[0]), int(row[1])


def _apply_presence(connection: sqlite3.Connection, cell_id: int, *, is_there: bool, is_new: bool) -> None:
    slide_id, shuffle = _place(connection, cell_id)
    if not is_new:
        connection.execute("UPDATE cell SET is_deleted = ? WHERE id = ?", (int(not is_there), cell_id))
    if is_there:
        connection.execute(_INDEX_SQL, (cell_id,))
    else:
        connection.execute("DELETE FROM cell_index WHERE cell_id = ?", (cell_id,))
    by = 1 if is_there else -1
    lists = connection.execute("SELECT round_id FROM round_cell WHERE cell_id = ?", (cell_id,))
    scopes = [EVERY_CELL, *(round_id for (round_id,) in lists)]
    tally.change_scope(connection, scopes, slide_id=slide_id, shuffle=shuffle, by=by)
    pairs = [pair for pair in _labelled_in(connection, cell_id) if _counts_in(connection, cell_id, pair[0])]
    tally.change_rater(connection, pairs, slide_id=slide_id, shuffle=shuffle, by=by)


def _labelled_in(connection: sqlite3.Connection, cell_id: int) -> list[tuple[int, int]]:
    return connection.execute(
        "SELECT round_id, rater_id FROM label_now WHERE cell_id = ? AND label_id IS NOT NULL", (cell_id,)
    ).fetchall()


def _counts_in(connection: sqlite3.Connection, cell_id: int, round_id: int) -> bool:
    """Whether a label of the cell counts in a round: the round covers all cells, or lists this one."""
    (is_listed,) = connection.execute("SELECT is_listed FROM round WHERE id = ?", (round_id,)).fetchone()
    sql = "SELECT 1 FROM round_cell WHERE cell_id = ? AND round_id = ?"
    return not is_listed or connection.execute(sql, (cell_id, round_id)).fetchone() is not None


def _apply_label(connection: sqlite3.Connection, seq: int, cell_id: int, payload: Sequence[Any]) -> None:
    rater_id, round_id, label_id, score = payload
    before = connection.execute(
        "SELECT label_id FROM label_now WHERE (cell_id, rater_id, round_id) = (?, ?, ?)",
        (cell_id, rater_id, round_id),
    ).fetchone()
    connection.execute(_LABEL_SQL, (cell_id, rater_id, round_id, label_id, score, seq, seq))
    was_there = before is not None and before[0] is not None
    if was_there != (label_id is not None) and _counts_in(connection, cell_id, round_id):
        slide_id, shuffle = _place(connection, cell_id)
        by = -1 if was_there else 1
        tally.change_rater(connection, [(round_id, rater_id)], slide_id=slide_id, shuffle=shuffle, by=by)
