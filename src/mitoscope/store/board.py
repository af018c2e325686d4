"""Boards: which cell stands where on one, and its class before it was reviewed there (CODAEL)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mitoscope.errors import StoreError
from mitoscope.store.encoding import exists, found, insert
from mitoscope.store.opinions import Policy, agreed


@dataclass(frozen=True, slots=True)
class BoardPlace:
    """A cell on a board: its place, and its label before, None where it had none."""

    cell_id: int
    column: int
    row: int
    before_label_id: int | None


@dataclass(frozen=True, slots=True)
class Board:
    """A board of so many columns and rows of square places; its review is the round."""

    id: int
    round_id: int
    name: str
    columns: int
    rows: int
    cell_px: int


def add_board(
    connection: sqlite3.Connection,
    round_id: int,
    places: Sequence[BoardPlace],
    *,
    columns: int,
    rows: int,
    cell_px: int,
) -> int:
    """Keep a board and return its id.

    Raises
    ------
    StoreError
        If the round has a board already.
    """
    if exists(connection, "board", round_id=round_id):
        raise StoreError("has a board already", where=f"round {round_id}", mend="choose another name")
    shape = {"columns": columns, "rows": rows, "cell_px": cell_px}
    board_id = insert(connection, "board", round_id=round_id, **shape, made_s=time.time())
    connection.executemany(
        "INSERT INTO board_place (board_id, cell_id, column_, row_, before_label_id) VALUES (?, ?, ?, ?, ?)",
        ((board_id, place.cell_id, place.column, place.row, place.before_label_id) for place in places),
    )
    return board_id


def read_board(connection: sqlite3.Connection, board_id: int) -> Board:
    """Return a board.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    row = connection.execute(
        "SELECT b.id, b.round_id, r.name, b.columns, b.rows, b.cell_px FROM board AS b "
        "JOIN round AS r ON r.id = b.round_id WHERE b.id = ?",
        (board_id,),
    ).fetchone()
    return Board(*found(row, "such board", mend="read the rounds again"))


def read_places(connection: sqlite3.Connection, board_id: int) -> list[BoardPlace]:
    """Return the cells of a board in their random order, which tells nothing."""
    rows = connection.execute(
        "SELECT p.cell_id, p.column_, p.row_, p.before_label_id FROM board_place AS p "
        "JOIN cell AS c ON c.id = p.cell_id WHERE p.board_id = ? ORDER BY c.shuffle, c.id",
        (board_id,),
    )
    return [BoardPlace(*row) for row in rows]


def read_centres(connection: sqlite3.Connection, board_id: int) -> dict[int, tuple[int, float, float]]:
    """Return slide and centre in level-0 px of each cell of a board."""
    rows = connection.execute(
        "SELECT c.id, c.slide_id, (c.x_min_px0 + c.x_max_px0) / 2, (c.y_min_px0 + c.y_max_px0) / 2 "
        "FROM board_place AS p JOIN cell AS c ON c.id = p.cell_id WHERE p.board_id = ?",
        (board_id,),
    )
    return {cell: (slide, x, y) for cell, slide, x, y in rows}


def board_of_round(connection: sqlite3.Connection, round_id: int) -> int | None:
    """Return the board whose review a round is, or None."""
    row = connection.execute("SELECT id FROM board WHERE round_id = ?", (round_id,)).fetchone()
    return None if row is None else int(row[0])


def labels_before(connection: sqlite3.Connection, cell_ids: Collection[int]) -> dict[int, int]:
    """Return the settled class of cells; those without one are left out."""
    view, wanted = agreed(connection, Policy.SETTLED), set(cell_ids)
    rows = zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True)
    return {cell: label for cell, label in rows if label and cell in wanted}
