"""Tags of slides, by which they are found in a list."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from mitoscope.store.encoding import insert_columns


def read_tags(connection: sqlite3.Connection) -> dict[int, list[str]]:
    """Return the tags of the slides that have any, in order."""
    found: dict[int, list[str]] = {}
    for slide_id, tag in connection.execute("SELECT slide_id, tag FROM slide_tag ORDER BY slide_id, tag"):
        found.setdefault(slide_id, []).append(tag)
    return found


def write_tags(connection: sqlite3.Connection, slide_id: int, tags: Iterable[str]) -> list[str]:
    """Give a slide these tags in place of those that it has; return them in order."""
    wanted = sorted(set(tags))
    connection.execute("DELETE FROM slide_tag WHERE slide_id = ?", (slide_id,))
    insert_columns(connection, "slide_tag", slide_id=[slide_id] * len(wanted), tag=wanted)
    return wanted
