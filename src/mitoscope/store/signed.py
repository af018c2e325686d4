"""Signed results: what a rater stands for, with the time; it cannot be changed afterwards."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from mitoscope.store.chain import ChainHead, head_over
from mitoscope.store.encoding import attributes_from, found, insert, well_formed


@dataclass(frozen=True, eq=False)
class SignedResult:
    """A result; ``content`` is what was signed, as JSON values, ``chain`` the link that holds it."""

    id: int
    slide_id: int
    round_id: int
    rater_id: int
    rater: str
    time_s: float
    content: dict[str, Any]
    chain: ChainHead | None


_SQL = """
SELECT s.id, s.slide_id, s.round_id, s.rater_id, r.name, s.time_s, s.content
FROM signed_result AS s JOIN rater AS r ON r.id = s.rater_id
"""


def sign(
    connection: sqlite3.Connection,
    content: dict[str, Any],
    *,
    slide_id: int,
    round_id: int,
    rater_id: int,
) -> SignedResult:
    """Keep a result under a rater's name."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    where = {"slide_id": slide_id, "round_id": round_id, "rater_id": rater_id}
    return read_signed(
        connection, insert(connection, "signed_result", **where, time_s=time.time(), content=text)
    )


@well_formed()
def read_signed(connection: sqlite3.Connection, id_: int) -> SignedResult:
    """Return a signed result.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    row = connection.execute(f"{_SQL} WHERE s.id = ?", (id_,)).fetchone()
    return _signed(connection, found(row, "such result", mend="read the list again"))


@well_formed()
def read_all_signed(connection: sqlite3.Connection, slide_id: int | None = None) -> list[SignedResult]:
    """Return the signed results, of one slide or of all, the newest first."""
    rows = connection.execute(
        f"{_SQL} WHERE ?1 IS NULL OR s.slide_id = ?1 ORDER BY s.id DESC", (slide_id,)
    ).fetchall()
    return [_signed(connection, row) for row in rows]


def _signed(connection: sqlite3.Connection, row: tuple[Any, ...]) -> SignedResult:
    id_, slide_id, round_id, rater_id, rater, time_s, content = row
    chain = head_over(connection, "signed_result", id_)
    return SignedResult(id_, slide_id, round_id, rater_id, rater, time_s, attributes_from(content), chain)
