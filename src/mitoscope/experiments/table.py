"""A table beside the published one: what was found, what was published, and the difference."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

UNKNOWN: Final = "–"
"""Stands where nothing was found, or the paper prints nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure of a table.

    Parameters
    ----------
    found : float or None
        Of this run; None where it is 0/0, not tried, or only a range can be given.
    sd : float or None
        Its standard deviation over runs or folds.
    published, published_sd : float or None
        The paper's.
    low, high : float or None
        The range, where the data do not give one value.
    note : str
        Why it differs.
    """

    found: float | None = None
    sd: float | None = None
    published: float | None = None
    published_sd: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def difference(self) -> float | None:
        """What was found minus what was published."""
        return None if self.found is None or self.published is None else self.found - self.published

    def texts(self, digits: int) -> tuple[str, str, str]:
        """Return what was found, what was published and the difference as text."""
        found = _with_sd(self.found, self.sd, digits)
        if self.found is None and self.low is not None and self.high is not None:
            found = f"{self.low:,.{digits}f} to {self.high:,.{digits}f}"
        return found, _with_sd(self.published, self.published_sd, digits), _signed(self.difference, digits)

    def as_dict(self) -> dict[str, Any]:
        """Return all values for JSON."""
        return {
            "found": self.found,
            "sd": self.sd,
            "low": self.low,
            "high": self.high,
            "published": self.published,
            "published_sd": self.published_sd,
            "difference": self.difference,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and the decimals of its figures."""

    name: str
    digits: int = 3


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row: its name and an entry for each column."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table of figures beside the published ones.

    Parameters
    ----------
    title : str
        Paper, table and what it shows.
    heading : str
        Of the names of the rows.
    columns : tuple of Column
    rows : tuple of TableRow
    published_in : str
        Where the published figures stand; empty where none are known.
    notes : tuple of str
        What a reader has to know.
    """

    title: str
    heading: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    published_in: str = ""
    notes: tuple[str, ...] = ()

    def without_published(self) -> ResultTable:
        """Return the table without published figures: beside other data they say nothing."""
        rows = tuple(
            TableRow(
                row.name,
                tuple(replace(entry, published=None, published_sd=None) for entry in row.entries),
            )
            for row in self.rows
        )
        return replace(self, rows=rows, published_in="")

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and those of entries with their place."""
        places: dict[tuple[str, str], list[str]] = {}
        for row in self.rows:
            for column, entry in zip(self.columns, row.entries, strict=True):
                if entry.note:
                    places.setdefault((row.name, entry.note), []).append(column.name)
        own = (f"{row}, {', '.join(columns)}: {note}" for (row, note), columns in places.items())
        return (*self.notes, *own)

    def to_markdown(self) -> str:
        """Return the table as Markdown.

        Each cell is what was found / was published / the difference; what was found alone where the paper
        prints nothing, or other data were taken.
        """
        shown = 3 if self.published_in else 1
        heading = [self.heading, *(column.name for column in self.columns)]
        lines = [f"## {_escaped(self.title)}", ""]
        if self.published_in:
            lines += [f"Each cell: here / published / difference. Published: {self.published_in}.", ""]
        lines += [_line(heading), _line(["---", *("---:" for _ in self.columns)])]
        for row in self.rows:
            cells = [
                " / ".join(entry.texts(column.digits)[:shown])
                for column, entry in zip(self.columns, row.entries, strict=True)
            ]
            lines.append(_line([row.name, *cells]))
        lines += ["", *(f"- {_escaped(remark)}" for remark in self.remarks)]
        return "\n".join(lines).rstrip() + "\n"

    def to_csv(self) -> str:
        """Return the table as CSV with one row an entry."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        names = list(Entry().as_dict())
        writer.writerow(["row", "column", *names])
        for row in self.rows:
            for column, entry in zip(self.columns, row.entries, strict=True):
                values = ["" if value is None else value for value in entry.as_dict().values()]
                writer.writerow([row.name, column.name, *values])
        return stream.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """Return the table for JSON."""
        return {
            "title": self.title,
            "heading": self.heading,
            "published_in": self.published_in,
            "notes": list(self.notes),
            "columns": [{"name": column.name, "digits": column.digits} for column in self.columns],
            "rows": [
                {"name": row.name, "entries": [entry.as_dict() for entry in row.entries]} for row in self.rows
            ],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ResultTable:
        """Return the table that `as_dict` gave."""

        def entry(values: dict[str, Any]) -> Entry:
            return Entry(**{name: values[name] for name in values if name != "difference"})

        return cls(
            values["title"],
            values["heading"],
            tuple(Column(column["name"], column["digits"]) for column in values["columns"]),
            tuple(TableRow(row["name"], tuple(map(entry, row["entries"]))) for row in values["rows"]),
            values["published_in"],
            tuple(values["notes"]),
        )


def rows_of(
    names: Sequence[str], columns: Sequence[Column], entry: Callable[[str, str], Entry]
) -> tuple[TableRow, ...]:
    """Return rows by asking for each entry by the names of its row and column."""
    return tuple(TableRow(name, tuple(entry(name, column.name) for column in columns)) for name in names)


def _with_sd(value: float | None, sd: float | None, digits: int) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,.{digits}f}" + ("" if sd is None else f" ± {sd:.{digits}f}")


def _signed(value: float | None, digits: int) -> str:
    if value is None:
        return UNKNOWN
    rounded = round(value, digits) + 0.0
    return f"{rounded:+,.{digits}f}" if rounded else f"{0:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
