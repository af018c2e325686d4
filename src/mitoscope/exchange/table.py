"""Tables with a header: named columns of a CSV, centres or boxes, and what columns say of an image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import inert, number, plain, read_rows
from mitoscope.geometry import Mpp
from mitoscope.store import SlideRecord, StudyBuilder
from mitoscope.truth import SIDES, Domain, Side

ValueT = TypeVar("ValueT")


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
                mend="correct or remove the row",
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
        return FormatError(
            f"the column {column} is empty", where=self.where, mend="correct or remove the row"
        )

    def is_blank(self, columns: Sequence[str]) -> bool:
        """Say whether these cells are all empty or missing."""
        return not any(self.cells.get(column, "").strip() for column in columns)


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Parameters
    ----------
    columns : tuple of str
        Their names, in lower case.
    path : Path
        The file.
    lines : list of int
        Where each row stands in it.
    cells : list of list of str
        The texts of each row.
    """

    columns: tuple[str, ...]
    path: Path
    lines: list[int]
    cells: list[list[str]]

    @cached_property
    def rows(self) -> list[Row]:
        """All rows by the names of the columns."""
        return [self.row(number) for number in range(len(self.lines))]

    def row(self, number: int) -> Row:
        """Return one row by the names of the columns."""
        return Row(self.where(number), dict(zip(self.columns, self.cells[number], strict=True)))

    def where(self, number: int) -> str:
        """Return the place of a row."""
        return f"{self.path}:{self.lines[number]}"

    def texts(self, column: str) -> list[str]:
        """Return a column, empty throughout where there is none of that name."""
        if column not in self.columns:
            return [""] * len(self.lines)
        place = self.columns.index(column)
        return [cells[place] for cells in self.cells]


class Column(Generic[ValueT]):
    """A column as values; each text is understood once, and one that cannot be is refused where it stands."""

    def __init__(self, table: Table, name: str, understand: Callable[[str, str], ValueT]) -> None:
        self._texts, self._understand = table.texts(name), understand
        known: dict[str, Any] = {}
        if understand is number and (quick := finite_numbers(self._texts)) is not None:
            self.values: list[Any] = quick
        elif name in table.columns:
            known = {text: self._tried(text) for text in set(self._texts)}
            self.values = [known[text] for text in self._texts]
        else:
            self.values = [self._tried("")] * len(self._texts)
        has_refused = any(value is _REFUSED for value in known.values())
        self.refused = [row for row, one in enumerate(self.values) if one is _REFUSED] if has_refused else []

    def _tried(self, text: str) -> Any:
        try:
            return self._understand(text, "")
        except FormatError:
            return _REFUSED

    def at(self, row: int, where: str) -> ValueT:
        """Return the value of a row, or raise FormatError with the place."""
        value = self.values[row]
        if value is _REFUSED:
            value = self._understand(self._texts[row], where)
        return cast("ValueT", value)


_REFUSED = object()


def finite_numbers(texts: list[str]) -> list[float] | None:
    """Return finite numbers, or None where one is none or missing."""
    try:
        values = list(map(float, texts))
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def column_of(table: Table, name: str, of: Callable[[str], ValueT]) -> list[ValueT]:
    """Return a column as values; nothing in it can be wrong."""
    return Column(table, name, lambda text, _: of(text)).values


def read_table(
    path: Path,
    *,
    needed: Sequence[str],
    names: Mapping[str, str] | None = None,
    build: StudyBuilder | None = None,
) -> Table:
    """Read a CSV file with a header.

    Parameters
    ----------
    path : Path
        Columns are separated as `read_rows` says.
    needed : sequence of str
        Columns that must be there, in lower case; further columns are allowed.
    names : mapping of str to str, optional
        Other name of a column → its name here; a column that bears that name itself comes first.
    build : StudyBuilder, optional
        Whose quarantine takes rows that are too short or too long, or hold a NUL.

    Raises
    ------
    FormatError
        If the file cannot be read, is empty or not CSV, a column is missing or appears twice, or a row is too
        short or too long or holds a NUL.
    """
    rows = read_rows(path)
    mend = f"the first line must name the columns {', '.join(needed)}"
    if not rows:
        raise FormatError("an empty file", where=path, mend=mend)
    line, first = rows[0]
    header = [name.strip().casefold() for name in first]
    # A file may have both, e.g. centres in px0 beside those of its own.
    free = {name: known for name, known in (names or {}).items() if known not in header}
    columns = tuple(free.get(name, name) for name in header)
    missing = [name for name in needed if name not in columns]
    if missing:
        raise FormatError(f"no column {', '.join(missing)}", where=f"{path}:{line}", mend=mend)
    twice = sorted(name for name, times in Counter(columns).items() if name and times > 1)
    if twice:
        what = f"the column {', '.join(twice)} appears twice"
        raise FormatError(what, where=f"{path}:{line}", mend="remove one")
    table = Table(columns, path, [], [])
    for line, cells in rows[1:]:
        refused = _refused(cells, len(columns))
        if refused is None:
            table.lines.append(line)
            table.cells.append(cells)
            continue
        error = FormatError(refused, where=f"{path}:{line}", mend="correct or remove the row")
        if build is None:
            raise error
        build.set_aside(error, cells)
    return table


def _refused(cells: list[str], columns: int) -> str | None:
    if len(cells) != columns:
        return f"{columns} cells expected, got {len(cells)}"
    return "a NUL in a cell" if "\0" in "".join(cells) else None


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
    table = read_table(path, needed=(), names=COLUMN_NAMES)
    boxes = set(CORNERS) <= set(table.columns) and not {"x", "y"} & set(table.columns)
    wanted = [name for name in needed if not boxes or name not in ("x", "y")]
    if not set(wanted) <= set(table.columns):
        return read_table(path, needed=wanted, names=COLUMN_NAMES)  # which names what is missing
    if not boxes:
        return table
    centred = [[""] * 4 if row.is_blank(CORNERS) else _centred(row) for row in table.rows]
    cells = [[*one, *more] for one, more in zip(table.cells, centred, strict=True)]
    return Table((*table.columns, "x", "y", "w", "h"), path, table.lines, cells)


def _centred(row: Row) -> list[str]:
    """Return the centre and the sides of a box."""
    left, top, right, bottom = (row.coordinate(name) for name in CORNERS)
    if right <= left or bottom <= top:
        raise FormatError(
            f"a box from {left:g}, {top:g} to {right:g}, {bottom:g} has no extent",
            where=row.where,
            mend="x1 < x2 and y1 < y2 expected; with width and height, name the columns x, y, w, h (centres)",
        )
    return [repr(number) for number in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)]


COLUMN_NAMES = {
    "slide": "image",
    "file": "image",
    "file_name": "image",
    "filename": "image",
    "x_px0": "x",
    "y_px0": "y",
    "class": "label",
    "probability": "score",
    "confidence": "score",
    "width": "w",
    "height": "h",
}
"""Other names of columns, as other tools write them."""

IMAGE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "case": ("case", "patient"),
    "tumour_type": ("tumour_type", "tumor_type", "tumour", "tumor", "domain"),
    "scanner": ("scanner",),
    "species": ("species",),
    "laboratory": ("laboratory", "lab", "origin"),
    "mpp": ("mpp",),
    "split": ("split",),
}
"""What is said of an image → the names that its column may have."""

Rows = Iterable[tuple[str, Mapping[str, str]]]
"""Place in the file and cells by column, of all rows of one image."""


def slide_of(image: str, rows: Rows, build: StudyBuilder | None = None) -> SlideRecord:
    """Return what the rows of an image say of it.

    Parameters
    ----------
    image : str
        Its name.
    rows : iterable of tuple of str and mapping
        Place in the file and cells by column.
    build : StudyBuilder, optional
        Whose quarantine takes a resolution that is none.

    Raises
    ------
    FormatError
        If two rows say different things, or a resolution is no number.
    ScaleError
        If a resolution is implausible.
    """
    values = _values(image, rows)
    mpp = None
    if "mpp" in values:
        stated, where = values["mpp"]
        with nullcontext() if build is None else build.aside(stated, where=where, slide=image):
            mpp = Mpp.square(number(stated, where))
    return SlideRecord(
        image,
        mpp=mpp,
        case=_text(values, "case"),
        domain=Domain(*(_text(values, name) for name in ("tumour_type", "scanner", "species", "laboratory"))),
    )


def side_of(image: str, rows: Rows) -> Side | None:
    """Return the side of a split on which the rows put an image, None where they say nothing.

    Raises
    ------
    FormatError
        If it is none of train, validation and test, or two rows differ.
    """
    stated = _values(image, rows).get("split")
    if stated is None:
        return None
    side = next((side for side in SIDES if side == stated[0].casefold()), None)
    if side is None:
        mend = f"one of {', '.join(SIDES)}"
        raise FormatError(f"the image {image!r} is on no side {stated[0]!r}", where=stated[1], mend=mend)
    return side


def columns_of(slide: SlideRecord) -> dict[str, str]:
    """Return the columns that say of an image what `slide_of` reads."""
    domain = slide.domain
    stated = {
        "case": slide.case,
        "tumour_type": domain.tumour_type,
        "scanner": domain.scanner,
        "species": domain.species,
        "laboratory": domain.laboratory,
        "mpp": None if slide.mpp is None or slide.mpp.x != slide.mpp.y else repr(slide.mpp.x),
    }
    return {name: inert(value) for name, value in stated.items() if value}


def _text(values: Mapping[str, tuple[str, str]], name: str) -> str | None:
    return values[name][0] if name in values else None


def _values(image: str, rows: Rows) -> dict[str, tuple[str, str]]:
    """Return what is said, with its place in the file."""
    found: dict[str, tuple[str, str]] = {}
    for where, cells in rows:
        for name, columns in IMAGE_COLUMNS.items():
            column = next((column for column in columns if column in cells), None)
            value = "" if column is None else plain(cells[column].strip())
            if not value:
                continue
            before = found.setdefault(name, (value, where))[0]
            if before != value:
                what = f"the image {image!r} has two values of {column}, {before!r} and {value!r}"
                raise FormatError(what, where=where, mend="keep one")
    return found
