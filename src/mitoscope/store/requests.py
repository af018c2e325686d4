"""Requests that are done once, however often they are sent."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from mitoscope.errors import KeyReusedError

Answer = dict[str, Any]


def once(
    connection: sqlite3.Connection, key: str, rater_id: int, *, what: str, act: Callable[[], Answer]
) -> Answer:
    """Act, or return the answer of the first time; inside of a transaction that writes.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    key : str
        Chosen by the client, one a request.
    rater_id : int
        Who asks.
    what : str
        The request: a key that comes with another one is refused.
    act : callable
        Does it and returns the answer, as JSON values.

    Raises
    ------
    KeyReusedError
        If the key was used for another request.
    """
    row = connection.execute("SELECT rater_id, what, answer FROM request WHERE key = ?", (key,)).fetchone()
    if row is None:
        answer = act()
        connection.execute(
            "INSERT INTO request (key, rater_id, what, answer, time_s) VALUES (?, ?, ?, ?, ?)",
            (key, rater_id, what, json.dumps(answer, ensure_ascii=False, allow_nan=False), time.time()),
        )
        return answer | {"is_repeated": False}
    if row[:2] != (rater_id, what):
        raise KeyReusedError("this key was used for another action", where="key", mend="choose a new key")
    known: Answer = json.loads(row[2])
    return known | {"is_repeated": True}


def was_done(connection: sqlite3.Connection, key: str, rater_id: int) -> bool:
    """Whether a rater's request of a key was done before."""
    sql = "SELECT 1 FROM request WHERE (key, rater_id) = (?, ?)"
    return connection.execute(sql, (key, rater_id)).fetchone() is not None
