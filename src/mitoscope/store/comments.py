"""Comments of raters on cells: all are kept; the last of a rater in a round holds, an empty one is none."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from mitoscope.store.encoding import insert, well_formed
from mitoscope.store.sight import ALONE, OWN, PENDING, Sight


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody remarks on a cell."""

    cell_id: int
    public_id: int
    rater_id: int
    rater: str
    text: str
    time_s: float


_SEEN_SQL = """
SELECT m.cell_id, c.public_id, m.rater_id, w.name, m.text, m.time_s
FROM comment AS m JOIN cell AS c ON c.id = m.cell_id JOIN rater AS w ON w.id = m.rater_id
WHERE c.slide_id = :slide AND c.is_deleted = 0 AND m.text <> ''
  AND m.id = (SELECT max(l.id) FROM comment AS l
              WHERE (l.cell_id, l.rater_id, l.round_id) = (m.cell_id, m.rater_id, m.round_id))
  AND ((m.rater_id = :rater AND m.round_id = :round) OR (:others AND NOT {pending} AND NOT {alone})){own}
ORDER BY m.id
"""


@well_formed()
def comments_seen(connection: sqlite3.Connection, sight: Sight, slide_id: int) -> list[Comment]:
    """Return the comments on the cells of a slide that a rater sees in a round, the oldest first.

    One's own of the round always. Those of others are shown as their labels are: not in a blinded round, and
    not on cells that the rater is yet to read blinded elsewhere, nor from a case that the rater counts alone.
    """
    own, alone = f" AND {OWN}" if sight.own_only else "", ALONE.replace("n.", "m.")
    sql = _SEEN_SQL.format(pending=PENDING, alone=alone, own=own)
    others = sight.shows_labels and not sight.is_blinded
    values = sight.values() | {"slide": slide_id, "others": others}
    return [Comment(*row) for row in connection.execute(sql, values)]


def write_comment(
    connection: sqlite3.Connection, cell_id: int, text: str, *, rater_id: int, round_id: int
) -> None:
    """Keep what a rater remarks on a cell in a round; an empty text takes the last remark back."""
    whose = {"cell_id": cell_id, "rater_id": rater_id, "round_id": round_id}
    insert(connection, "comment", **whose, text=text, time_s=time.time())


_COUNT_SQL = """
SELECT count(*) FROM comment AS m JOIN cell AS c ON c.id = m.cell_id JOIN slide AS s ON s.id = c.slide_id
WHERE m.text <> '' AND s.name IN (SELECT value FROM json_each(:names))
  AND m.id = (SELECT max(l.id) FROM comment AS l
              WHERE (l.cell_id, l.rater_id, l.round_id) = (m.cell_id, m.rater_id, m.round_id))
"""
_TAGS_SQL = """
SELECT count(*) FROM slide_tag AS t JOIN slide AS s ON s.id = t.slide_id
WHERE s.name IN (SELECT value FROM json_each(:names))
"""


def remarks_left_out(connection: sqlite3.Connection, names: Iterable[str]) -> tuple[str, ...]:
    """Say how many comments and tags of slides stay in the study: no format of annotations carries them."""
    values = {"names": json.dumps(list(names))}
    counts = {
        what: connection.execute(sql, values).fetchone()[0]
        for what, sql in (("comments on cells", _COUNT_SQL), ("tags of slides", _TAGS_SQL))
    }
    return tuple(f"not exported, kept in the study: {what} ({n})" for what, n in counts.items() if n)
