"""Tables of boxes: corners instead of centres, as the columns x1, y1, x2, y2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.table import Row, Table, read_table

CORNERS = ("x1", "y1", "x2", "y2")


def read_points(path: Path, *, needed: Sequence[str]) -> Table:
    """Read a CSV of points, or of boxes: those get the columns x, y (centre), w and h.

    Parameters
    ----------
    path : Path
        With the needed columns, or with x1, y1, x2, y2 in place of x and y.
    needed : sequence of str
        Columns that must be there.

    Raises
    ------
    FormatError
        If it cannot be read, or a box has no extent.
    """
    table = read_table(path, needed=())
    boxes = set(CORNERS) <= set(table.columns) and not {"x", "y"} & set(table.columns)
    wanted = [name for name in needed if not boxes or name not in ("x", "y")]
    if not set(wanted) <= set(table.columns):
        return read_table(path, needed=wanted)  # which names what is missing
    if not boxes:
        return table
    rows = [row if row.is_blank(CORNERS) else _centred(row) for row in table.rows]
    return Table((*table.columns, "x", "y", "w", "h"), rows)


def _centred(row: Row) -> Row:
    left, top, right, bottom = (row.coordinate(name) for name in CORNERS)
    if right <= left or bottom <= top:
        raise FormatError(
            f"a box from {left:g}, {top:g} to {right:g}, {bottom:g} has no extent",
            where=row.where,
            mend="x1 < x2 and y1 < y2 expected; with width and height, name the columns x, y, w, h (centres)",
        )
    extent = {"x": (left + right) / 2, "y": (top + bottom) / 2, "w": right - left, "h": bottom - top}
    return replace(row, cells={**row.cells, **{name: repr(value) for name, value in extent.items()}})
