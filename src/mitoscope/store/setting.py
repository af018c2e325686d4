"""What a study remembers by name: the key of its tokens, its policy, where its slides lie."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from mitoscope.errors import StoreDamagedError


def read_setting(connection: sqlite3.Connection, name: str, default: Any = None) -> Any:
    """Return what stands under a name as JSON, or the default.

    Raises
    ------
    StoreDamagedError
        If it is not JSON.
    """
    row = connection.execute("SELECT content FROM setting WHERE name = ?", (name,)).fetchone()
    if row is None:
        return default
    try:
        return json.loads(row[0])
    except ValueError:
        raise StoreDamagedError(f"the setting {name!r} is not JSON", where="store") from None


def write_setting(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Put a JSON value under a name."""
    connection.execute(
        "INSERT INTO setting (name, content) VALUES (?, ?) "
        "ON CONFLICT DO UPDATE SET content = excluded.content",
        (name, json.dumps(value, ensure_ascii=False, allow_nan=False)),
    )


def read_identity(connection: sqlite3.Connection) -> tuple[str, str]:
    """Return the name and the UUID of the study."""
    name, uuid = connection.execute("SELECT name, uuid FROM study").fetchone()
    return name, uuid
