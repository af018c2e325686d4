"""CSV: strict reading with line numbers, and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.json_text import read_text

_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n")
_INERT_MARK = "'"


def inert(text: str) -> str:
    """Return a text cell that a spreadsheet shows instead of running it (promise 24); ``plain`` undoes it."""
    return f"{_INERT_MARK}{text}" if text.startswith((*_ACTIVE, _INERT_MARK)) else text


def plain(cell: str) -> str:
    """Return the text of a cell that :func:`inert` may have marked."""
    marked = cell.startswith(_INERT_MARK) and cell[1:].startswith((*_ACTIVE, _INERT_MARK))
    return cell[1:] if marked else cell


def read_rows(path: Path, *, delimiter: str = ",") -> list[tuple[int, list[str]]]:
    """Read the rows of a CSV file with their line numbers; empty lines are left out.

    Raises
    ------
    FormatError
        If it cannot be read, is not UTF-8, or its quotes do not close.
    """
    # newline="" keeps line ends inside quotes as they are.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise FormatError(f"not CSV ({error})", where=f"{path}:{reader.line_num}") from None
    return rows


def dump_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as UTF-8 CSV, each line ended by a newline alone."""
    # The library's writer leaves a lone carriage return unquoted and then reads a new row.
    lines = [",".join(_quoted(str(cell)) for cell in row) or '""' for row in rows]
    try:
        return "".join(f"{line}\n" for line in lines).encode()
    except UnicodeEncodeError:
        raise FormatError("text that is not Unicode cannot be written as CSV") from None


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(one in cell for one in ',"\r\n') else cell


def check_separator(names: Sequence[str], where: str) -> None:
    """Refuse a header whose columns are separated by something else than commas.

    Raises
    ------
    FormatError
        Naming what to do; a spreadsheet that separates by semicolons also writes decimal commas.
    """
    for mark, marks in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and mark in names[0]:
            raise FormatError(
                f"columns separated by {marks}",
                where=where,
                mend="separate them by commas, and write numbers with a decimal point",
            )


def number(cell: str, where: str, *, blank: float = math.nan) -> float:
    """Return the number of a cell (``nan`` and ``inf`` as such), or raise FormatError."""
    cell = cell.strip()
    if not cell:
        return blank
    try:
        return float(cell)
    except ValueError:
        raise FormatError(f"a number expected, got {cell[:40]!r}", where=where) from None


def numbers(path: Path) -> Iterator[tuple[str, list[float]]]:
    """Yield each row of a CSV without a header: its place (``file:line``) and its numbers."""
    for line, row in read_rows(path):
        where = f"{path}:{line}"
        cells = row[:-1] if len(row) > 1 and not row[-1].strip() else row  # a comma at the end of the line
        yield where, [number(cell, where) for cell in cells]


def shortest(value: float) -> str:
    """Return the shortest text that reads back as the same number: ``12`` for 12.0, empty for NaN."""
    if math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(float(value))
