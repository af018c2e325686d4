"""The AnnotationStore of TIAToolbox: SQLite with a place, a geometry and JSON properties of each object."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mitoscope.errors import FormatError
from mitoscope.exchange.foreign.findings import FindingList, ForeignFindings
from mitoscope.exchange.foreign.layouts import CLASSES, SCORES
from mitoscope.exchange.sliderunner.schema import open_sqlite

MAGIC: Final = b"SQLite format 3\0"
_COLUMNS: Final = frozenset({"cx", "cy", "properties"})


def is_annotation_store(path: Path) -> bool:
    """Return whether an SQLite file has the table of an AnnotationStore."""
    try:
        with open_sqlite(path) as db:
            kind = db.execute("SELECT type FROM sqlite_schema WHERE name = 'annotations'").fetchone()
            columns = {row[1] for row in db.execute("PRAGMA table_info(annotations)")}
            return kind == ("table",) and columns >= _COLUMNS
    except (FormatError, sqlite3.Error):
        return False


def read_store_findings(path: Path) -> ForeignFindings:
    """Read the centre, class and score of each object.

    Raises
    ------
    FormatError
        If it is damaged.
    """
    found = FindingList(path)
    try:
        with open_sqlite(path) as db:
            for number, x, y, text in db.execute(
                "SELECT id, cx, cy, properties FROM annotations ORDER BY id"
            ):
                where = f"annotations, id {number}"
                stated = _properties(text, path, where)
                score, label = _first(stated, SCORES), _first(stated, CLASSES)
                found.add(x, y, score=score, label=label, where=where)
    except sqlite3.Error as error:
        raise FormatError(f"a damaged SQLite file ({error})", where=path) from None
    return found.finish("TIAToolbox")


def _properties(text: object, path: Path, where: str) -> dict[str, Any]:
    try:
        stated = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        raise FormatError("properties that are not JSON", where=f"{path}: {where}") from None
    return {str(key).casefold(): value for key, value in stated.items()} if isinstance(stated, dict) else {}


def _first(stated: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((stated[name] for name in names if stated.get(name) is not None), None)
