"""How objects show themselves in a notebook: small tables and pictures in HTML, on light and on dark pages.

Text from outside is escaped; nothing is fetched, so that a notebook that is kept as a page shows the same.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROWS_SHOWN: Final = 10
"""Rows of a long table that are shown."""
_CELL: Final = "text-align:left;padding:1px 14px 1px 0;border:none;background:none;vertical-align:top"
_HEAD: Final = f"{_CELL};font-weight:normal;opacity:.65"


def facts(
    title: str, rows: Iterable[tuple[str, object]], *, picture: str = "", notes: Sequence[str] = ()
) -> str:
    """Return names and values under a title, beside a picture; rows whose value is None are left out.

    Parameters
    ----------
    title : str
        What it is.
    rows : iterable of tuple of str and object
        Name and value.
    picture : str
        HTML, as `picture_of` returns it.
    notes : sequence of str
        Sentences below.
    """
    lines = "".join(
        f'<tr style="background:none"><th style="{_HEAD}">{escape(name)}</th>{_cell(value)}</tr>'
        for name, value in rows
        if value is not None
    )
    said = "".join(f'<div style="max-width:60em;opacity:.8">{_text(note)}</div>' for note in notes if note)
    text = f"<div><b>{_text(title)}</b>{_table(f'<tbody>{lines}</tbody>')}{said}</div>"
    return f'<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start">{picture}{text}</div>'


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, total: int | None = None
) -> str:
    """Return the first rows of a table under a title, and how many more there are.

    Parameters
    ----------
    title : str
        What it is.
    columns : sequence of str
        Headings.
    rows : sequence of sequence of object
        Those that are shown, `ROWS_SHOWN` at most.
    total : int, optional
        How many there are; by default those that are given.
    """
    head = "".join(f'<th style="{_HEAD}">{escape(name)}</th>' for name in columns)
    shown = rows[:ROWS_SHOWN]
    body = "".join(f'<tr style="background:none">{"".join(map(_cell, row))}</tr>' for row in shown)
    hidden = (len(rows) if total is None else total) - len(shown)
    more = f'<div style="opacity:.65">and {hidden:,} more</div>' if hidden else ""
    headed = f'<thead><tr style="background:none">{head}</tr></thead><tbody>{body}</tbody>' if rows else ""
    return f"<div><b>{_text(title)}</b>{_table(headed)}{more}</div>"


def picture_of(rgb: NDArray[np.uint8], *, alt: str) -> str:
    """Return a picture, shape (h, w, 3), as an HTML image that holds its own data."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=85)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escape(alt)}" style="max-width:100%;margin:0">'


def _table(content: str) -> str:
    return f'<table style="margin:2px 0;border:none">{content}</table>'


def _cell(value: object) -> str:
    return f'<td style="{_CELL}">{_text(value)}</td>'


def _text(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.3g}" if abs(value) < 1 else f"{value:,.2f}".rstrip("0").rstrip(".")
    return escape(str(value))
