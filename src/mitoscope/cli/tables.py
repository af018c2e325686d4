"""Tables, lines and JSON on the terminal: names from files are shown, never interpreted."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

PIPED_WIDTH = 160
"""Columns of a table that goes into a file or another program."""


def shown(value: object) -> str:
    """Return a value as text in which nothing can steer the terminal."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def grouped(count: int) -> str:
    """Return a count with separated thousands."""
    return f"{count:,}"


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    total: Sequence[object] | None = None,
) -> None:
    """Print a table; columns of numbers are aligned to the right.

    Parameters
    ----------
    title : str
        Above the table.
    columns : sequence of str
        Their headings.
    rows : iterable of sequence
        Cells; integers are printed with separated thousands.
    total : sequence, optional
        Last row, below a line.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    table = Table(
        title=Text(shown(title)), title_justify="left", box=box.SIMPLE_HEAD, show_footer=total is not None
    )
    for place, heading in enumerate(columns):
        numeric = any(isinstance(row[place], int | float) for row in cells)
        footer = Text("" if total is None else _text(total[place]))
        table.add_column(
            Text(heading),
            footer=footer,
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=max(map(len, heading.split()), default=0),  # headings break between words
        )
    for row in cells:
        table.add_row(*(Text(_text(cell)) for cell in row))
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(width=width, highlight=False).print(table, crop=False)


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return grouped(value)
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.2f}"
    return shown(value)


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object; NaN is null."""
    import json

    import typer

    typer.echo(json.dumps(_without_nan(values), indent=2, ensure_ascii=False, allow_nan=False))


def say(values: dict[str, Any], line: str, as_json: bool) -> None:
    """Print values as JSON, or a line for people."""
    import typer

    if as_json:
        print_json(values)
    else:
        typer.echo("\n".join(shown(part) for part in line.split("\n")))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
