"""Which cell a rater sees next, and how far the work is."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from mitoscope.errors import StoreError
from mitoscope.store.reading_order import NATURAL, ReadingOrder
from mitoscope.store.schema import BUCKET_SHIFT, EVERY_CELL, WHOLE_SLIDE

_SLIDES_SQL = """
SELECT s.slide_id FROM scope_tally AS s
LEFT JOIN rater_tally AS r
  ON (r.round_id, r.rater_id, r.slide_id, r.bucket) = (:round, :rater, s.slide_id, s.bucket)
WHERE s.scope = :scope AND s.bucket = :whole AND s.cells > ifnull(r.cells, 0)
ORDER BY s.slide_id
"""
_BUCKETS_SQL = """
SELECT s.bucket FROM scope_tally AS s
LEFT JOIN rater_tally AS r
  ON (r.round_id, r.rater_id, r.slide_id, r.bucket) = (:round, :rater, s.slide_id, s.bucket)
WHERE s.scope = :scope AND s.slide_id = :slide AND s.bucket >= 0 AND s.cells > ifnull(r.cells, 0)
"""
_UNLABELLED = """
AND NOT EXISTS (SELECT 1 FROM label_now AS n WHERE n.label_id IS NOT NULL
                AND (n.cell_id, n.rater_id, n.round_id) = (c.id, :rater, :round))
"""
_EVERY_CELL_SQL = f"""
SELECT c.id FROM cell AS c
WHERE c.slide_id = :slide AND c.shuffle >= :low AND c.shuffle < :high AND c.is_deleted = 0 {_UNLABELLED}
ORDER BY (c.shuffle & :mask) * :factor & :mask, c.id
"""  # noqa: S608 constant parts
_LISTED_SQL = f"""
SELECT c.id FROM round_cell AS l CROSS JOIN cell AS c ON c.id = l.cell_id
WHERE l.round_id = :round AND l.slide_id = :slide AND l.shuffle >= :low AND l.shuffle < :high
  AND c.is_deleted = 0 {_UNLABELLED}
ORDER BY (l.shuffle & :mask) * :factor & :mask, c.id
"""  # noqa: S608 constant parts
_PROGRESS_SQL = """
SELECT s.slide_id, ifnull(r.cells, 0), s.cells FROM scope_tally AS s
LEFT JOIN rater_tally AS r
  ON (r.round_id, r.rater_id, r.slide_id, r.bucket) = (:round, :rater, s.slide_id, s.bucket)
WHERE s.scope = :scope AND s.bucket = :whole
ORDER BY s.slide_id
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many cells of a slide a rater has labelled in a round, of how many."""

    labelled: int
    cells: int


def _parameters(connection: sqlite3.Connection, rater_id: int, round_id: int) -> dict[str, int]:
    row = connection.execute("SELECT is_listed FROM round WHERE id = ?", (round_id,)).fetchone()
    if row is None:
        raise StoreError(f"no round {round_id}", mend="open the round first")
    scope = round_id if row[0] else EVERY_CELL
    return {"round": round_id, "rater": rater_id, "scope": scope, "whole": WHOLE_SLIDE}


def next_unlabelled(
    connection: sqlite3.Connection,
    rater_id: int,
    round_id: int,
    *,
    slide_id: int | None = None,
    skip: Collection[int] = (),
) -> int | None:
    """Return the next cell that a rater has not labelled in a round, or None when all are done.

    Slides come in order, the cells of a slide in its random order.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    rater_id, round_id : int
        Whose, and in which round. A round with a list covers its list, another all cells.
    slide_id : int, optional
        One slide only.
    skip : collection of int
        Cells that the rater passes over for now.
    """
    slides = None if slide_id is None else [slide_id]
    return next(iter(next_cells(connection, rater_id, round_id, n=1, slides=slides, skip=skip)), None)


def next_cells(
    connection: sqlite3.Connection,
    rater_id: int,
    round_id: int,
    *,
    n: int,
    slides: Collection[int] | None = None,
    skip: Collection[int] = (),
    order: ReadingOrder = NATURAL,
) -> list[int]:
    """Return the next cells that a rater has not labelled in a round, at most n.

    Slides come in order, the cells of a slide in a random order: the slide's, or the rater's own.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    rater_id, round_id : int
        Whose, and in which round.
    n : int
        How many at most.
    slides : collection of int, optional
        These slides only.
    skip : collection of int
        Cells that the rater passes over for now.
    order : ReadingOrder
        The rater's own, see :mod:`mitoscope.store.reading_order`.
    """
    values = _parameters(connection, rater_id, round_id) | {"mask": order.mask, "factor": order.factor}
    wanted = [one for (one,) in connection.execute(_SLIDES_SQL, values) if slides is None or one in slides]
    found: list[int] = []
    for slide in wanted:
        values["slide"] = slide
        buckets = [bucket for (bucket,) in connection.execute(_BUCKETS_SQL, values)]
        for bucket in sorted(buckets, key=order.place_of_bucket):
            found += _first(connection, values, bucket, skip, n - len(found))
            if len(found) >= n:
                return found
    return found


def _first(
    connection: sqlite3.Connection, values: dict[str, int], bucket: int, skip: Collection[int], n: int
) -> list[int]:
    place = {"low": bucket << BUCKET_SHIFT, "high": (bucket + 1) << BUCKET_SHIFT}
    sql = _EVERY_CELL_SQL if values["scope"] == EVERY_CELL else _LISTED_SQL
    cursor = connection.execute(sql, values | place)
    return list(islice((int(cell) for (cell,) in cursor if cell not in skip), n))


def read_progress(connection: sqlite3.Connection, rater_id: int, round_id: int) -> dict[int, Progress]:
    """Return a rater's progress in a round by slide."""
    rows = connection.execute(_PROGRESS_SQL, _parameters(connection, rater_id, round_id))
    return {slide: Progress(labelled, cells) for slide, labelled, cells in rows}


_LAST_SQL = """
SELECT n.cell_id FROM label_now AS n JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
WHERE (n.rater_id, n.round_id) = (?, ?) AND n.label_id IS NOT NULL ORDER BY n.last_seq DESC LIMIT ?
"""


def last_labelled(connection: sqlite3.Connection, rater_id: int, round_id: int, *, n: int) -> list[int]:
    """Return the live cells that a rater labelled last in a round, the newest first, at most n."""
    return [cell for (cell,) in connection.execute(_LAST_SQL, (rater_id, round_id, n))]
