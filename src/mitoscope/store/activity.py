"""Who did what when, beside cells and labels: rounds, people, rules, exports; and to whom that is news.

Activities are append-only and chained. The trail joins them with what other tables keep in their own rows:
regions and signatures.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from mitoscope.store.encoding import exists, insert, put, well_formed


class ActivityKind(StrEnum):
    """What is done."""

    ROUND_OPENED = "opened the round"
    ROUND_CLOSED = "closed the round"
    ROUND_REOPENED = "reopened the round"
    ROUND_CHANGED = "changed the round"
    ASSIGNED = "assigned"
    RELEASED = "took out of the round"
    REVIEW_OPENED = "opened the review"
    THIRD_ASKED = "asked a third expert"
    REVIEW_CONCLUDED = "concluded the review"
    READ = "was read by all"
    """Of a round: everybody who works in it has read all of its cells."""
    LET_IN = "added"
    ROLE_CHANGED = "changed the role of"
    LINK_RENEWED = "renewed the link of"
    SHUT_OUT = "closed the access of"
    LET_IN_AGAIN = "reopened the access of"
    RULE_SET = "set the rule of the study"
    SETTLED = "recorded the agreed classes"
    CLASSES_CHANGED = "changed the classes"
    EXPORTED = "exported"
    IMPORTED = "imported"
    FROZEN = "froze the version"
    SLIDES_ADDED = "added the slide"
    RESOLUTION_STATED = "stated the resolution of"
    SEARCH_CHANGED = "changed the search of"
    TILES_ADDED = "added tiles to"
    TILE_ANSWERED = "stated the known answer of a tile of"
    TILES_CONCLUDED = "took the results of"


@dataclass(frozen=True, slots=True)
class Activity:
    """Something done.

    Parameters
    ----------
    id : int
        Ascending.
    time_s : float
        When, in seconds since 1970.
    rater_id : int or None
        By whom; None where the program noticed it.
    kind : str
        What, see `ActivityKind`; of other tables in their words.
    subject : str
        To what: the name of a round, a person, a slide.
    round_id : int or None
        The round, where it is one.
    detail : str
        Further words.
    """

    id: int
    time_s: float
    rater_id: int | None
    kind: str
    subject: str
    round_id: int | None = None
    detail: str = ""


def write_activity(
    connection: sqlite3.Connection,
    rater_id: int | None,
    kind: ActivityKind,
    subject: str = "",
    *,
    round_id: int | None = None,
    concerns: Collection[int] = (),
    detail: str = "",
) -> None:
    """Note an activity, inside of the transaction that does it.

    Parameters
    ----------
    rater_id : int or None
        Who does it.
    kind : ActivityKind
        What.
    subject, detail : str
        To what, and further words.
    round_id : int, optional
        The round.
    concerns : collection of int
        Raters to whom it is news.
    """
    insert(
        connection,
        "activity",
        time_s=time.time(),
        rater_id=rater_id,
        kind=str(kind),
        subject=subject,
        round_id=round_id,
        concerns=json.dumps(sorted(set(concerns))),
        detail=detail,
    )


_NEWS_SQL = """
SELECT d.id, d.time_s, d.rater_id, d.kind, d.subject, d.round_id, d.detail FROM activity AS d
WHERE d.id > ifnull((SELECT activity_id FROM news_seen WHERE rater_id = :rater), 0)
  AND EXISTS (SELECT 1 FROM json_each(d.concerns) AS c WHERE c.value = :rater)
ORDER BY d.id DESC LIMIT :n
"""


@well_formed()
def read_news(connection: sqlite3.Connection, rater_id: int, *, n: int = 20) -> list[Activity]:
    """Return the activities that concern a rater and were not put away yet, the newest first."""
    return [Activity(*row) for row in connection.execute(_NEWS_SQL, {"rater": rater_id, "n": n})]


def put_news_away(connection: sqlite3.Connection, rater_id: int, activity_id: int) -> None:
    """Take all news up to an activity as seen by a rater."""
    put(connection, "news_seen", "rater_id", rater_id=rater_id, activity_id=activity_id)


def notes_of_reviews(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what was left out of reviews when they were opened, by their names."""
    sql = "SELECT subject, detail FROM activity WHERE kind = ? ORDER BY id"
    return dict(connection.execute(sql, (str(ActivityKind.REVIEW_OPENED),)).fetchall())


def was_read(connection: sqlite3.Connection, round_id: int) -> bool:
    """Whether it is noted that all of a round was read."""
    return exists(connection, "activity", round_id=round_id, kind=str(ActivityKind.READ))


_TRAIL_SQL = """
SELECT * FROM (
    SELECT id, time_s, rater_id, kind, subject, round_id, detail, 0 AS table_ FROM activity
    UNION ALL
    SELECT e.seq, e.time_s, e.rater_id,
           CASE e.action WHEN 'create' THEN 'drew' WHEN 'edit' THEN 'changed'
                         WHEN 'delete' THEN 'removed' ELSE 'restored' END || ' the region',
           s.name, NULL, e.kind, 1
    FROM region_event AS e JOIN slide AS s ON s.id = e.slide_id
    UNION ALL
    SELECT r.id, r.time_s, r.rater_id, 'signed the count of', s.name, r.round_id, '', 2
    FROM signed_result AS r JOIN slide AS s ON s.id = r.slide_id
)
ORDER BY time_s DESC, table_, id DESC LIMIT :n OFFSET :skip
"""


@well_formed()
def read_trail(connection: sqlite3.Connection, *, n: int, skip: int = 0) -> list[Activity]:
    """Return who did what when, the newest first: activities, regions and signatures, but no labels."""
    return [Activity(*row[:-1]) for row in connection.execute(_TRAIL_SQL, {"n": n, "skip": skip})]
