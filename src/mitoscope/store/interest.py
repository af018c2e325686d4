"""Regions of interest: rectangles of a stated area that are counted or exported (MIDOG: 2 mm², 4:3)."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from mitoscope.errors import NotFoundError
from mitoscope.geometry import BoxPx0


@dataclass(frozen=True, slots=True)
class Interest:
    """A rectangle on a slide, and who placed it."""

    id: int
    slide_id: int
    rater_id: int
    name: str
    box_px0: BoxPx0


_SQL = "SELECT id, slide_id, rater_id, name, x_px0, y_px0, width_px0, height_px0 FROM interest"


def _interest(row: tuple[int, int, int, str, float, float, float, float]) -> Interest:
    return Interest(row[0], row[1], row[2], row[3], BoxPx0(*row[4:]))


def read_interests(connection: sqlite3.Connection, slide_id: int) -> list[Interest]:
    """Return the regions of interest of a slide."""
    rows = connection.execute(f"{_SQL} WHERE slide_id = ? AND is_deleted = 0 ORDER BY id", (slide_id,))
    return [_interest(row) for row in rows]


def read_interest(connection: sqlite3.Connection, id_: int) -> Interest:
    """Return a region of interest.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    row = connection.execute(f"{_SQL} WHERE id = ? AND is_deleted = 0", (id_,)).fetchone()
    if row is None:
        raise NotFoundError("there is no such region of interest", mend="read the list again")
    return _interest(row)


def add_interest(
    connection: sqlite3.Connection, slide_id: int, box_px0: BoxPx0, *, rater_id: int, name: str
) -> Interest:
    """Place a region of interest and return it with its id."""
    cursor = connection.execute(
        "INSERT INTO interest (slide_id, rater_id, name, x_px0, y_px0, width_px0, height_px0, made_s) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (slide_id, rater_id, name, box_px0.x, box_px0.y, box_px0.width, box_px0.height, time.time()),
    )
    return Interest(int(cursor.lastrowid or 0), slide_id, rater_id, name, box_px0)


def remove_interest(connection: sqlite3.Connection, id_: int) -> None:
    """Take a region of interest away.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    read_interest(connection, id_)
    connection.execute("UPDATE interest SET is_deleted = 1 WHERE id = ?", (id_,))
