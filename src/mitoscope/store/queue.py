"""Which cells a round covers, which of them a rater sees next, and how far the work is.

A round covers all cells or a list of them: disputed ones for a third expert, candidates, a board.

The cells of a slide lie in 1,024 buckets of a random order (:mod:`mitoscope.store.present`). A rater's own
order takes the buckets in another sequence and, inside of a bucket, the cells: both are permuted by an odd
factor, which is one to one in arithmetic modulo a power of two. The order depends on the seed and on the
cells' places in the random order, and on nothing that anybody said (promise 10).
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mitoscope.errors import StoreError
from mitoscope.store import present
from mitoscope.store.encoding import id_list, insert
from mitoscope.store.opinions import live_cells, read_opinions
from mitoscope.store.schema import BUCKET_SHIFT, EVERY_CELL, SHUFFLE_BITS, WHOLE_SLIDE
from mitoscope.truth import disputes

_SEED_BITS = 60
_BUCKETS = 1 << (SHUFFLE_BITS - BUCKET_SHIFT)


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
# By slide: of its 1,025 tallies only the one of the whole is read.
_PROGRESS = """
FROM slide CROSS JOIN scope_tally AS s ON (s.scope, s.slide_id, s.bucket) = (:scope, slide.id, :whole)
LEFT JOIN rater_tally AS r
  ON (r.round_id, r.rater_id, r.slide_id, r.bucket) = (:round, :rater, s.slide_id, s.bucket)
"""
_PROGRESS_SQL = f"SELECT s.slide_id, ifnull(r.cells, 0), s.cells {_PROGRESS} ORDER BY slide.id"
_TOTAL_SQL = f"""
SELECT total(r.cells), total(s.cells) {_PROGRESS}
WHERE :slides IS NULL OR slide.id IN (SELECT value FROM json_each(:slides))
"""  # noqa: S608 constant parts


_SLIDES_SQL = f"SELECT s.slide_id {_PROGRESS} WHERE s.cells > ifnull(r.cells, 0) ORDER BY slide.id"


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """An order of reading by a seed below 2⁶⁰; 0 is the slide's own random order."""

    seed: int

    @property
    def mask(self) -> int:
        """Bits of a cell's place inside of its bucket."""
        return (1 << BUCKET_SHIFT) - 1

    @property
    def factor(self) -> int:
        """Odd factor by which places inside of a bucket are permuted."""
        return ((self.seed & self.mask) | 1) if self.seed else 1

    def place_of_bucket(self, bucket: int) -> int:
        """Return when a bucket comes, from 0."""
        if not self.seed:
            return bucket
        rest = self.seed >> BUCKET_SHIFT
        return (bucket * (2 * rest + 1) + rest // _BUCKETS) % _BUCKETS


NATURAL = ReadingOrder(0)
"""The slide's own random order."""


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
    rater_id, round_id : int
        Whose, and in which round.
    n : int
        How many at most.
    slides : collection of int, optional
        These slides only.
    skip : collection of int
        Cells that the rater passes over for now.
    order : ReadingOrder
        The rater's own, see `reading_order`.
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


def total_progress(
    connection: sqlite3.Connection, rater_id: int, round_id: int, *, slides: Collection[int] | None = None
) -> Progress:
    """Return a rater's progress in a round over all slides, or over some."""
    values = _parameters(connection, rater_id, round_id)
    chosen = None if slides is None else id_list(slides)
    labelled, cells = connection.execute(_TOTAL_SQL, values | {"slides": chosen}).fetchone()
    return Progress(int(labelled), int(cells))


_LAST_SQL = """
SELECT n.cell_id FROM label_now AS n CROSS JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
WHERE (n.rater_id, n.round_id) = (?, ?) AND n.label_id IS NOT NULL ORDER BY n.last_seq DESC LIMIT ?
"""


def last_labelled(connection: sqlite3.Connection, rater_id: int, round_id: int, *, n: int) -> list[int]:
    """Return the live cells that a rater labelled last in a round, the newest first, at most n."""
    return [cell for (cell,) in connection.execute(_LAST_SQL, (rater_id, round_id, n))]


def reading_order(connection: sqlite3.Connection, round_id: int, rater_id: int) -> ReadingOrder:
    """Return a rater's order in a round, drawing its seed the first time; inside of a writing transaction."""
    known = drawn_order(connection, round_id, rater_id)
    if known is not None:
        return known
    seed = secrets.randbits(_SEED_BITS) | 1
    insert(connection, "reading_order", round_id=round_id, rater_id=rater_id, seed=seed)
    return ReadingOrder(seed)


def drawn_order(connection: sqlite3.Connection, round_id: int, rater_id: int) -> ReadingOrder | None:
    """Return a rater's order in a round, None where it was not drawn yet."""
    sql = "SELECT seed FROM reading_order WHERE (round_id, rater_id) = (?, ?)"
    row = connection.execute(sql, (round_id, rater_id)).fetchone()
    return None if row is None else ReadingOrder(row[0])


_MEMBERS_SQL = """
SELECT c.id, c.slide_id, c.shuffle, c.is_deleted FROM cell AS c
WHERE c.id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM round_cell AS l WHERE l.cell_id = c.id AND l.round_id = ?)
ORDER BY c.id
"""
_LABELLED_SQL = """
SELECT n.rater_id, c.slide_id, c.shuffle FROM label_now AS n
JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
WHERE n.round_id = ? AND n.label_id IS NOT NULL AND n.cell_id IN (SELECT value FROM json_each(?))
"""


def list_cells(connection: sqlite3.Connection, round_id: int, cell_ids: Iterable[int]) -> int:
    """Add cells to the list of a round and return how many are new on it.

    Raises
    ------
    StoreError
        If the round covers all cells, or there is no such round or cell.
    """
    row = connection.execute("SELECT name, is_listed FROM round WHERE id = ?", (round_id,)).fetchone()
    if row is None or not row[1] or round_id == EVERY_CELL:
        name = f"round {round_id}" if row is None else f"round {row[0]!r}"
        raise StoreError("covers no list of cells", where=name, mend="open the round with a list")
    wanted = sorted(set(cell_ids))
    sql = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM cell) LIMIT 1"
    unknown = connection.execute(sql, (id_list(wanted),)).fetchone()
    if unknown is not None:
        raise StoreError("no such cell", where=f"cell {unknown[0]}")
    members = connection.execute(_MEMBERS_SQL, (id_list(wanted), round_id)).fetchall()
    connection.executemany(
        "INSERT INTO round_cell (round_id, cell_id, slide_id, shuffle) VALUES (?, ?, ?, ?)",
        ((round_id, cell, slide, shuffle) for cell, slide, shuffle, _ in members),
    )
    live = np.array([row[1:3] for row in members if not row[3]], dtype=np.int64).reshape(-1, 2)
    present.add_cells(connection, live[:, 0], live[:, 1], scope=round_id)
    _count_labels(connection, round_id, [row[0] for row in members])
    return len(members)


def _count_labels(connection: sqlite3.Connection, round_id: int, cell_ids: list[int]) -> None:
    rows = connection.execute(_LABELLED_SQL, (round_id, id_list(cell_ids))).fetchall()
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    present.add_labels(connection, np.full(len(table), round_id), table[:, 0], table[:, 1], table[:, 2])


def disputed(connection: sqlite3.Connection, *, with_decided: bool = False) -> list[int]:
    """Return the live cells on which the first two experts differ and nobody has decided.

    The rule is :func:`mitoscope.truth.disputes`; ``with_decided`` also gives those that are decided.
    """
    cells = live_cells(connection)
    found = disputes(read_opinions(connection, cells), len(cells))
    ids: list[int] = cells[found.differ if with_decided else found.is_open].tolist()
    return ids


_ADDED_SQL = """
SELECT c.id FROM event AS e JOIN cell AS c ON c.id = e.cell_id AND c.is_deleted = 0
JOIN round_terms AS t ON t.round_id = e.round_id
WHERE e.kind = 'create' AND json_extract(t.settings, '$.may_add')
  AND (SELECT count(DISTINCT n.rater_id) FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id
       WHERE n.cell_id = c.id AND n.label_id IS NOT NULL AND r.kind = 'expert') < 2
ORDER BY c.id
"""


def added_cells(connection: sqlite3.Connection) -> list[int]:
    """Return the live cells that were added in a round about known cells and wait for a second expert."""
    return [cell for (cell,) in connection.execute(_ADDED_SQL)]


def count_listed(connection: sqlite3.Connection, round_id: int) -> int:
    """Return how many cells stand on the list of a round."""
    (n,) = connection.execute("SELECT count(*) FROM round_cell WHERE round_id = ?", (round_id,)).fetchone()
    return int(n)


# By the index on raters: labels of other rounds are not looked at.
_ROUND_LABELS_SQL = """
SELECT n.cell_id, n.rater_id, n.label_id, c.slide_id
FROM rater CROSS JOIN label_now AS n INDEXED BY label_by_rater ON n.rater_id = rater.id
JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
WHERE n.round_id = ? AND n.label_id IS NOT NULL ORDER BY n.first_seq
"""
_MADE_SQL = """
SELECT c.id, c.slide_id, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, n.score
FROM event AS e JOIN cell AS c ON c.id = e.cell_id AND c.is_deleted = 0
LEFT JOIN label_now AS n ON (n.cell_id, n.rater_id, n.round_id) = (c.id, e.rater_id, e.round_id)
  AND n.label_id IS NOT NULL
WHERE e.kind = 'create' AND (e.round_id, e.rater_id) = (?, ?) ORDER BY c.id
"""


def labels_in_round(connection: sqlite3.Connection, round_id: int) -> list[tuple[int, int, int, int]]:
    """Return cell, rater, label and slide of what stands in a round, in the order of the first words."""
    rows: list[tuple[int, int, int, int]] = connection.execute(_ROUND_LABELS_SQL, (round_id,)).fetchall()
    return rows


@dataclass(frozen=True, slots=True)
class MadeCell:
    """A live cell that a rater made in a round: its corners, and the score of its label, None without one."""

    id: int
    slide_id: int
    corners_px0: tuple[float, float, float, float]
    score: float | None


def cells_made(connection: sqlite3.Connection, round_id: int, rater_id: int) -> list[MadeCell]:
    """Return the live cells that a rater made in a round."""
    return [
        MadeCell(id_, slide, (left, top, right, bottom), score)
        for id_, slide, left, top, right, bottom, score in connection.execute(_MADE_SQL, (round_id, rater_id))
    ]
