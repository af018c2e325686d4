"""CSV: strict reading with line numbers, and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.json_text import read_text, text_of

_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n")
_INERT_MARK = "'"
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
_DECIMAL_COMMAS = re.compile(rf'(?:^|[;\t"]) *{DECIMAL_COMMA.pattern} *(?:$|[;\t"\r])', re.MULTILINE)
_POINTED_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+")

_STATED = re.compile(r'"?sep=([,;\t])"?\s*[\r\n]', re.IGNORECASE)
"""A first line with which spreadsheets say what separates the columns below."""


def inert(text: str) -> str:
    """Return a text cell that a spreadsheet shows instead of running it (promise 24); ``plain`` undoes it."""
    return f"{_INERT_MARK}{text}" if text.startswith((*_ACTIVE, _INERT_MARK)) else text


def plain(cell: str) -> str:
    """Return the text of a cell that :func:`inert` may have marked."""
    marked = cell.startswith(_INERT_MARK) and cell[1:].startswith((*_ACTIVE, _INERT_MARK))
    return cell[1:] if marked else cell


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read the rows of a CSV file with their line numbers; empty lines are left out.

    Columns are separated by commas, by semicolons or by tabs, as the first line says. Where it is not commas,
    numbers may have a decimal comma, as spreadsheets write them in much of Europe: ``153,5`` is 153.5. Beside
    such numbers ``1.234`` may mean 1234 as well, so it is none.

    Raises
    ------
    FormatError
        If it cannot be read, is in another encoding than `text_of` reads, or its quotes do not close.
    """
    return list(_rows_of(read_text(path), path))


def first_rows(head: bytes, path: Path, *, is_whole: bool) -> list[list[str]]:
    """Return the rows of the beginning of a CSV file, as far as they are complete.

    Raises
    ------
    FormatError
        As :func:`read_rows`; quotes may close later.
    """
    text = text_of(head, path, is_whole=is_whole)
    text = text if is_whole else text[: text.rfind("\n") + 1]
    rows = _rows_of(text, path)
    if is_whole:
        return [cells for _, cells in rows]
    found = []
    with suppress(FormatError):
        for _, cells in rows:
            found.append(cells)
    return found


def _rows_of(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    stated = _STATED.match(text)
    delimiter = stated.group(1) if stated else delimiter_of(text)
    # newline="" keeps line ends inside quotes as they are.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    has_commas = delimiter != "," and _DECIMAL_COMMAS.search(text) is not None
    try:
        for row in reader:
            if stated and reader.line_num == 1:
                continue
            if any(map(str.strip, row)):
                yield reader.line_num, list(map(_with_decimal_point, row)) if has_commas else row
    except csv.Error as error:
        raise FormatError(f"not CSV ({error})", where=f"{path}:{reader.line_num}") from None


def delimiter_of(text: str) -> str:
    """Return what separates the columns: no comma does where numbers hold decimal commas."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    for mark in (";", "\t"):
        with_comma = [cell.strip() for cell in first.split(mark) if "," in cell]
        if mark in first and all(map(DECIMAL_COMMA.fullmatch, with_comma)):
            return mark
    return ","


def _with_decimal_point(cell: str) -> str:
    if DECIMAL_COMMA.fullmatch(cell.strip()):
        return cell.replace(",", ".")
    return f"{cell}, a thousand or decimals?" if _POINTED_THOUSANDS.fullmatch(cell.strip()) else cell


def dump_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as UTF-8 CSV, each line ended by a newline alone."""
    # The library's writer leaves a lone carriage return unquoted and then reads a new row.
    lines = [",".join(_quoted(str(cell)) for cell in row) or '""' for row in rows]
    try:
        return "".join(f"{line}\n" for line in lines).encode()
    except UnicodeEncodeError:
        raise FormatError("text that is not Unicode cannot be written as CSV") from None


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(letter in cell for letter in ',"\r\n') else cell


def number(cell: str, where: str, *, blank: float = math.nan) -> float:
    """Return the number of a cell (``nan`` and ``inf`` as such), or raise FormatError."""
    cell = cell.strip()
    if not cell:
        return blank
    try:
        return float(cell)
    except ValueError:
        raise FormatError(f"a number expected, got {cell[:40]!r}", where=where) from None


def numbers(cells: Sequence[str], where: str) -> list[float]:
    """Return the numbers of a row of nothing else; a comma at the end of its line is left out."""
    return [
        number(cell, where) for cell in (cells[:-1] if len(cells) > 1 and not cells[-1].strip() else cells)
    ]


def shortest(value: float) -> str:
    """Return the shortest text that reads back as the same number: ``12`` for 12.0, empty for NaN."""
    if math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(float(value))
