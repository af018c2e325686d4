"""Who may come in: each rater has a link with a token, and each browser that came by it a cookie.

Only hashes are kept: who reads the file cannot come in with what stands there.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3
import time
from dataclasses import dataclass
from enum import StrEnum

from mitoscope.errors import NotFoundError
from mitoscope.store.encoding import exists, insert, put
from mitoscope.truth import RaterKind

_TOKEN_BYTES = 24
VISIT_S = 30 * 24 * 3600.0
"""A browser is known for 30 days after it came by a link."""


class Role(StrEnum):
    """What somebody may do."""

    LEAD = "lead"
    """Assigns the work and sees everybody's; a rater besides."""
    RATER = "rater"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who came in: the rater's id, role and kind, and whether the door is still open."""

    rater_id: int
    role: Role
    is_open: bool
    kind: RaterKind = RaterKind.EXPERT


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def grant(connection: sqlite3.Connection, rater_id: int, role: Role) -> None:
    """Let a rater in, or change the role of one who is."""
    keys = ("rater_id", "is_open", "made_s")
    put(connection, "access", *keys, rater_id=rater_id, role=str(role), is_open=1, made_s=time.time())


def set_open(connection: sqlite3.Connection, rater_id: int, *, is_open: bool) -> None:
    """Open or close the door for a rater; a closed one ends the visits too."""
    _known(connection, rater_id)
    connection.execute("UPDATE access SET is_open = ? WHERE rater_id = ?", (int(is_open), rater_id))
    if not is_open:
        end_visits(connection, rater_id)


def renew_token(connection: sqlite3.Connection, rater_id: int, token: str | None = None) -> str:
    """Return a new token for a rater's link, drawn or as stated; the one before no longer opens.

    Raises
    ------
    NotFoundError
        If the rater was never let in.
    """
    _known(connection, rater_id)
    token = token or secrets.token_urlsafe(_TOKEN_BYTES)
    connection.execute("UPDATE access SET token_sha256 = ? WHERE rater_id = ?", (_digest(token), rater_id))
    return token


def token_of(secret: bytes, key: str, rater_id: int) -> str:
    """Return the token that a request for a link makes: the same each time that the request is repeated.

    It follows from the key of the request, which the browser chose and the study does not keep
    (:func:`mitoscope.store.actions.once`): who reads the file cannot come in with what stands there.

    Parameters
    ----------
    secret : bytes
        Of the study.
    key : str
        Of the request.
    rater_id : int
        Whose link it is.
    """
    made = hashlib.blake2b(f"link {rater_id} {key}".encode(), key=secret, digest_size=_TOKEN_BYTES).digest()
    return base64.urlsafe_b64encode(made).decode()


def end_visits(connection: sqlite3.Connection, rater_id: int, *, but: str | None = None) -> None:
    """Forget the browsers of a rater, except the one of a cookie: they came by a link that is no more."""
    connection.execute(
        "DELETE FROM visit WHERE rater_id = ? AND cookie_sha256 <> ?", (rater_id, _digest(but or ""))
    )


def _known(connection: sqlite3.Connection, rater_id: int) -> None:
    if not exists(connection, "access", rater_id=rater_id):
        raise NotFoundError("no such rater with access", mend="add the rater first")


def begin_visit(connection: sqlite3.Connection, token: str, *, spends: bool = False) -> str | None:
    """Return the cookie for a browser that comes with a token, or None where the token opens nothing.

    Where that `spends` the token, it opens nothing from then on.
    """
    row = connection.execute(
        "SELECT rater_id FROM access WHERE token_sha256 = ? AND is_open = 1", (_digest(token),)
    ).fetchone()
    if row is None:
        return None
    cookie = secrets.token_urlsafe(_TOKEN_BYTES)
    now = time.time()
    connection.execute("DELETE FROM visit WHERE begun_s < ?", (now - VISIT_S,))
    insert(connection, "visit", cookie_sha256=_digest(cookie), rater_id=row[0], begun_s=now)
    if spends:
        connection.execute("UPDATE access SET token_sha256 = NULL WHERE rater_id = ?", (row[0],))
    return cookie


_VISITOR_SQL = """
SELECT a.rater_id, a.role, a.is_open, r.kind FROM access AS a JOIN rater AS r ON r.id = a.rater_id
"""


def find_visitor(connection: sqlite3.Connection, cookie: str) -> Visitor | None:
    """Return who comes with a cookie, or None."""
    row = connection.execute(
        f"{_VISITOR_SQL} JOIN visit AS v ON v.rater_id = a.rater_id "
        "WHERE v.cookie_sha256 = ? AND v.begun_s >= ?",
        (_digest(cookie), time.time() - VISIT_S),
    ).fetchone()
    return _visitor(row)


def find_token_holder(connection: sqlite3.Connection, token: str) -> Visitor | None:
    """Return whose link a token is of, or None: a script states it with each request and begins no visit."""
    sql = f"{_VISITOR_SQL} WHERE a.token_sha256 = ? AND a.is_open = 1"
    return _visitor(connection.execute(sql, (_digest(token),)).fetchone())


def end_visit(connection: sqlite3.Connection, cookie: str) -> None:
    """Forget a browser."""
    connection.execute("DELETE FROM visit WHERE cookie_sha256 = ?", (_digest(cookie),))


def visitor_of(connection: sqlite3.Connection, rater_id: int) -> Visitor | None:
    """Return a rater as a visitor, or None where the rater may not come in."""
    return _visitor(connection.execute(f"{_VISITOR_SQL} WHERE a.rater_id = ?", (rater_id,)).fetchone())


def _visitor(row: tuple[int, str, int, str] | None) -> Visitor | None:
    return None if row is None else Visitor(row[0], Role(row[1]), bool(row[2]), RaterKind(row[3]))


_PEOPLE_SQL = """
SELECT r.id, r.name, r.kind, a.role, ifnull(a.is_open, 0), a.token_sha256 IS NOT NULL, ifnull(n.labels, 0),
       e.last_s
FROM rater AS r LEFT JOIN access AS a ON a.rater_id = r.id
LEFT JOIN (SELECT rater_id, count(label_id) AS labels FROM label_now GROUP BY rater_id) AS n
  ON n.rater_id = r.id
LEFT JOIN (SELECT rater_id, max(time_s) AS last_s FROM event GROUP BY rater_id) AS e ON e.rater_id = r.id
ORDER BY r.id
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A rater of the study and the rater's way in.

    The role is None for a rater who was never let in; ``is_open`` and ``has_link`` say whether the rater may
    come in and has a link to do so, ``labels`` how many labels given still stand, ``last_s`` when the rater
    last acted, in seconds since 1970.
    """

    id: int
    name: str
    kind: RaterKind
    role: Role | None
    is_open: bool
    has_link: bool
    labels: int
    last_s: float | None


def read_people(connection: sqlite3.Connection) -> list[Person]:
    """Return all raters of the study in order of their ids."""
    return [
        Person(id_, name, RaterKind(kind), role and Role(role), bool(is_open), bool(has_link), labels, last_s)
        for id_, name, kind, role, is_open, has_link, labels, last_s in connection.execute(_PEOPLE_SQL)
    ]


def open_raters(connection: sqlite3.Connection) -> set[int]:
    """Return the raters who may come in."""
    return {id_ for (id_,) in connection.execute("SELECT rater_id FROM access WHERE is_open = 1")}
