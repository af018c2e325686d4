"""The tables of a SlideRunner database, its annotation types, triggers and functions (FACTS A1, A2)."""

from __future__ import annotations

import random
import sqlite3
import time
import uuid
from enum import IntEnum

USER_VERSION = 3
"""The version that SlideRunner brings every file to when it opens it; it reads 0 to 3."""


class AnnotationType(IntEnum):
    """``Annotations.type``."""

    SPOT = 1
    AREA = 2
    POLYGON = 3
    SPECIAL_SPOT = 4
    CIRCLE = 5
    IMAGE = 6
    UNKNOWN = 255


_UID = "INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE"
TABLES: dict[str, dict[str, str]] = {
    "Slides": {
        "uid": _UID,
        "filename": "TEXT",
        "width": "INTEGER",
        "height": "INTEGER",
        "directory": "TEXT",
        "uuid": "TEXT",
        "exactImageID": "TEXT",
        "EXACTUSER": "INTEGER DEFAULT 0",
    },
    "Annotations": {
        "uid": _UID,
        "slide": "INTEGER",
        "guid": "TEXT",
        "lastModified": "REAL DEFAULT 0",
        "deleted": "INTEGER DEFAULT 0",
        "type": "INTEGER",
        "agreedClass": "INTEGER",
        "description": "TEXT",
        "clickable": "INTEGER DEFAULT 1",
    },
    "Annotations_coordinates": {
        "uid": _UID,
        "coordinateX": "INTEGER",
        "coordinateY": "INTEGER",
        "coordinateZ": "INTEGER DEFAULT 0",
        "slide": "INTEGER",
        "annoId": "INTEGER",
        "orderIdx": "INTEGER",
    },
    "Annotations_label": {
        "uid": _UID,
        "person": "INTEGER",
        "class": "INTEGER",
        "exact_id": "INTEGER",
        "annoId": "INTEGER",
    },
    "Classes": {"uid": _UID, "name": "TEXT", "clickable": "INTEGER DEFAULT 1", "color": "TEXT"},
    "Persons": {"uid": _UID, "name": "TEXT", "isExactUser": "INTEGER DEFAULT 0"},
    "Log": {"uid": "INTEGER PRIMARY KEY AUTOINCREMENT", "dateTime": "FLOAT", "labelId": "INTEGER"},
}
"""Columns and their types as SlideRunner creates them; older files lack some, and their order differs."""
REQUIRED = {
    "Slides": {"uid", "filename"},
    "Annotations": {"uid", "slide", "type"},
    "Annotations_coordinates": {"coordinateX", "coordinateY", "annoId"},
    "Annotations_label": {"uid", "person", "class", "annoId"},
    "Classes": {"uid", "name"},
    "Persons": {"uid", "name"},
}
"""What even the oldest files have; ``Log`` is optional."""

_TOUCHED_BY = (
    ("fromLabel", "Annotations_label", "annoId"),
    ("fromCoords", "Annotations_coordinates", "annoId"),
    ("", "Annotations", "uid"),
)


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the empty tables."""
    for table, columns in TABLES.items():
        body = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE `{table}` ({body})")


def create_triggers(connection: sqlite3.Connection) -> None:
    """Create SlideRunner's triggers; from now on every change needs :func:`register_functions`."""
    for part, table, key in _TOUCHED_BY:
        for event in ("UPDATE", "INSERT"):
            connection.execute(
                f"CREATE TRIGGER updateAnnotation_{part}{event} AFTER {event} ON {table} BEGIN "  # noqa: S608
                f"UPDATE Annotations SET lastModified=pycurrent_time() WHERE uid==new.{key}; END"
            )
    connection.execute(
        "CREATE TRIGGER updateAnnotation_ins AFTER INSERT ON Annotations BEGIN "
        "UPDATE Annotations SET guid=generate_uuid() WHERE uid==new.uid AND guid IS NULL; END"
    )
    connection.execute(
        "CREATE TRIGGER setRandomcolor AFTER INSERT ON Classes BEGIN "
        "UPDATE Classes SET color=randcolor() WHERE uid==new.uid AND color IS NULL; END"
    )


def register_functions(connection: sqlite3.Connection) -> None:
    """Register the three functions without which the triggers of a SlideRunner file fail."""
    connection.create_function("generate_uuid", 0, lambda: str(uuid.uuid4()))
    connection.create_function("pycurrent_time", 0, time.time)
    connection.create_function("randcolor", 0, lambda: f"#{random.randrange(0x1E1E1E, 0xFFFFFF):06x}")  # noqa: S311
