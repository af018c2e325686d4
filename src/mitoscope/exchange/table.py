"""Tables with a header: named columns of a CSV file, checked, with file and line in every error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import check_separator, number, plain, read_rows


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    where: str
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """Return a text cell, without the mark that keeps spreadsheets from running it."""
        return plain(self.cells.get(column, "").strip())

    def coordinate(self, column: str) -> float:
        """Return a finite number, or raise FormatError."""
        value = number(self.cells[column], f"{self.where}, column {column}")
        if not math.isfinite(value):
            shown = self.cells[column].strip() or "nothing"
            raise FormatError(
                f"a finite number expected, got {shown[:40]!r}",
                where=f"{self.where}, column {column}",
                mend="mend or remove the row",
            )
        return value

    def score(self, column: str = "score") -> float:
        """Return a number in [0, 1], or raise FormatError."""
        value = self.coordinate(column)
        if not 0 <= value <= 1:
            raise FormatError(
                f"a score in [0, 1] expected, got {value:g}",
                where=f"{self.where}, column {column}",
                mend="rescale the scores",
            )
        return value

    def missing(self, column: str) -> FormatError:
        """Return the error that a cell is empty."""
        return FormatError(f"the column {column} is empty", where=self.where, mend="mend or remove the row")

    def is_blank(self, columns: Sequence[str]) -> bool:
        """Say whether these cells are all empty or missing."""
        return not any(self.cells.get(column, "").strip() for column in columns)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns; names are lower case."""

    columns: tuple[str, ...]
    rows: list[Row]


def read_table(path: Path, *, needed: Sequence[str]) -> Table:
    """Read a CSV file with a header.

    Parameters
    ----------
    path : Path
        UTF-8, separated by commas.
    needed : sequence of str
        Columns that must be there, in lower case; further columns are allowed.

    Raises
    ------
    FormatError
        If the file cannot be read, is empty or not CSV, a column is missing or stands twice, or a row is too
        short or too long.
    """
    rows = read_rows(path)
    header = ",".join(needed)
    if not rows:
        raise FormatError("an empty file", where=path, mend=f"its first line must name the columns: {header}")
    line, names = rows[0]
    columns = tuple(name.strip().casefold() for name in names)
    check_separator(columns, f"{path}:{line}")
    _check_header(columns, needed, where=f"{path}:{line}")
    return Table(columns, [_row(cells, columns, where=f"{path}:{line}") for line, cells in rows[1:]])


def _check_header(columns: tuple[str, ...], needed: Sequence[str], *, where: str) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        mend = f"the first line must name the columns {', '.join(needed)}"
        raise FormatError(f"no column {', '.join(missing)}", where=where, mend=mend)
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise FormatError(f"the column {', '.join(twice)} stands twice", where=where, mend="remove one")


def _row(cells: list[str], columns: tuple[str, ...], *, where: str) -> Row:
    if len(cells) != len(columns):
        raise FormatError(
            f"{len(columns)} cells expected, got {len(cells)}", where=where, mend="mend or remove the row"
        )
    return Row(where, dict(zip(columns, cells, strict=True)))
