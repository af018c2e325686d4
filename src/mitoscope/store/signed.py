"""Signed results: what a rater stands for, with the time; it cannot be changed afterwards.

A correction is a new result that names the one it replaces. Both stay; the one that none replaces is current.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from mitoscope.errors import ConflictError
from mitoscope.store.chain import ChainHead, head_over
from mitoscope.store.encoding import attributes_from, found, insert, well_formed


@dataclass(frozen=True, eq=False)
class SignedResult:
    """A result; ``content`` is what was signed, as JSON values, ``chain`` the link that holds it.

    ``replaced_by`` is the id of the result that corrects it, None while it is current.
    """

    id: int
    slide_id: int
    round_id: int
    rater_id: int
    rater: str
    time_s: float
    content: dict[str, Any]
    chain: ChainHead | None
    replaced_by: int | None = None

    @property
    def replaces(self) -> int | None:
        """Id of the result that it corrects."""
        named: int | None = self.content.get(_REPLACES)
        return named


_REPLACES = "replaces"
_SQL = f"""
SELECT s.id, s.slide_id, s.round_id, s.rater_id, r.name, s.time_s, s.content,
       (SELECT min(o.id) FROM signed_result AS o
        WHERE o.slide_id = s.slide_id AND json_extract(o.content, '$.{_REPLACES}') = s.id)
FROM signed_result AS s JOIN rater AS r ON r.id = s.rater_id
"""  # noqa: S608 constant parts


def sign(
    connection: sqlite3.Connection,
    content: dict[str, Any],
    *,
    slide_id: int,
    round_id: int,
    rater_id: int,
    replaces: int | None = None,
) -> SignedResult:
    """Keep a result under a rater's name.

    Parameters
    ----------
    content : dict
        What is signed, as JSON values.
    replaces : int, optional
        Id of the rater's own result of that slide that this one corrects.

    Raises
    ------
    ConflictError
        If the result to be replaced is not the rater's, is of another slide, or was replaced before.
    NotFoundError
        If there is no such result.
    """
    if replaces is not None:
        before = read_signed(connection, replaces)
        if (before.slide_id, before.rater_id) != (slide_id, rater_id):
            raise ConflictError(
                "somebody else signed that result, or it is of another slide",
                where="result",
                mend="only your own results can be corrected",
            )
        if before.replaced_by is not None:
            raise ConflictError(
                "another result has replaced it already",
                where="result",
                mend="correct that one",
            )
    text = json.dumps({**content, _REPLACES: replaces}, ensure_ascii=False, allow_nan=False)
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


def signed_slides(connection: sqlite3.Connection, round_id: int, rater_id: int) -> tuple[int, ...]:
    """Return the slides that a rater has signed in a round."""
    sql = "SELECT DISTINCT slide_id FROM signed_result WHERE (round_id, rater_id) = (?, ?)"
    return tuple(slide for (slide,) in connection.execute(sql, (round_id, rater_id)))


def _signed(connection: sqlite3.Connection, row: tuple[Any, ...]) -> SignedResult:
    id_, slide_id, round_id, rater_id, rater, time_s, content, replaced_by = row
    chain = head_over(connection, "signed_result", id_)
    return SignedResult(
        id_, slide_id, round_id, rater_id, rater, time_s, attributes_from(content), chain, replaced_by
    )
