"""What follows from an event: the present state of the cells, kept beside the events that made it.

"The next cell this rater has not labelled" must not become slower the more is labelled. The random order of
a slide is cut into 1,024 buckets; two small tables hold for each bucket (and for the slide as a whole) the
number of cells, and the number a rater has labelled in a round. The first bucket in which they differ holds
the next cell, and only there are cells looked at one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.encoding import GEOMETRY, insert, put
from mitoscope.store.public_ids import draw_public_ids
from mitoscope.store.schema import BUCKET_SHIFT, EVERY_CELL, SHUFFLE_BITS, WHOLE_SLIDE

_SCOPE_SQL = """
INSERT INTO scope_tally (scope, slide_id, bucket, cells) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET cells = cells + excluded.cells
"""
# A first row cannot be negative (CHECK), so a decrement is an update of its own.
_SCOPE_LESS_SQL = "UPDATE scope_tally SET cells = cells - 1 WHERE (scope, slide_id, bucket) = (?, ?, ?)"
_RATER_SQL = """
INSERT INTO rater_tally (round_id, rater_id, slide_id, bucket, cells) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET cells = cells + excluded.cells
"""
_RATER_LESS_SQL = """
UPDATE rater_tally SET cells = cells - 1 WHERE (round_id, rater_id, slide_id, bucket) = (?, ?, ?, ?)
"""

SCOPE_COUNTS_SQL = f"""
SELECT 0 AS scope, slide_id, shuffle >> {BUCKET_SHIFT} AS bucket, count(*) AS cells
FROM cell WHERE is_deleted = 0 GROUP BY slide_id, bucket
UNION ALL
SELECT round_id, l.slide_id, l.shuffle >> {BUCKET_SHIFT} AS bucket, count(*)
FROM round_cell AS l JOIN cell AS c ON c.id = l.cell_id AND c.is_deleted = 0
GROUP BY round_id, l.slide_id, bucket
"""  # noqa: S608 a constant
"""What ``scope_tally`` must hold for its buckets."""
RATER_COUNTS_SQL = f"""
SELECT n.round_id, n.rater_id, c.slide_id, c.shuffle >> {BUCKET_SHIFT} AS bucket, count(*) AS cells
FROM label_now AS n
JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
JOIN round AS r ON r.id = n.round_id
WHERE n.label_id IS NOT NULL AND (r.is_listed = 0 OR EXISTS (
    SELECT 1 FROM round_cell AS l WHERE l.cell_id = n.cell_id AND l.round_id = n.round_id))
GROUP BY n.round_id, n.rater_id, c.slide_id, bucket
"""  # noqa: S608 a constant
"""What ``rater_tally`` must hold for its buckets."""


def shuffles(ids: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the place of each cell id in the random order: 40 bits of splitmix64.

    It depends on the id and the study's seed and on nothing else, so that the order gives nothing away
    about labels (promise 10).
    """
    with np.errstate(over="ignore"):
        z = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed & 0xFFFFFFFFFFFF)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - SHUFFLE_BITS)).astype(np.int64)


def _counts(*columns: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """Count equal rows by bucket (the last column) and, with the bucket WHOLE_SLIDE, without it."""
    for part in (columns, (*columns[:-1], np.full(len(columns[-1]), WHOLE_SLIDE))):
        # One number a row: sorting rows of numbers takes ten times as long.
        sizes = [int(column.max(initial=0)) + 2 for column in part]
        key = np.ravel_multi_index([column + 1 for column in part], [size + 1 for size in sizes])
        keys, counts = np.unique(key, return_counts=True)
        rows = np.unravel_index(keys, [size + 1 for size in sizes])
        yield from zip(*((column - 1).tolist() for column in rows), counts.tolist(), strict=True)


def add_cells(
    connection: sqlite3.Connection,
    slide_id: NDArray[np.int64],
    shuffle: NDArray[np.int64],
    *,
    scope: int = EVERY_CELL,
) -> None:
    """Count live cells that are new in a scope."""
    rows = _counts(np.full(len(slide_id), scope), slide_id, shuffle >> BUCKET_SHIFT)
    connection.executemany(_SCOPE_SQL, rows)


def add_labels(
    connection: sqlite3.Connection,
    round_id: NDArray[np.int64],
    rater_id: NDArray[np.int64],
    slide_id: NDArray[np.int64],
    shuffle: NDArray[np.int64],
) -> None:
    """Count live cells that a rater has labelled in a round."""
    rows = _counts(round_id, rater_id, slide_id, shuffle >> BUCKET_SHIFT)
    connection.executemany(_RATER_SQL, rows)


def change_scope(
    connection: sqlite3.Connection, scopes: Iterable[int], *, slide_id: int, shuffle: int, by: int
) -> None:
    """Count one cell more or less (``by`` +1 or -1) in each scope."""
    keys = [
        (scope, slide_id, bucket) for scope in scopes for bucket in (shuffle >> BUCKET_SHIFT, WHOLE_SLIDE)
    ]
    if by > 0:
        connection.executemany(_SCOPE_SQL, [(*key, 1) for key in keys])
    else:
        connection.executemany(_SCOPE_LESS_SQL, keys)


def change_rater(
    connection: sqlite3.Connection,
    pairs: Iterable[tuple[int, int]],
    *,
    slide_id: int,
    shuffle: int,
    by: int,
) -> None:
    """Count one labelled cell more or less for each pair of round and rater."""
    keys = [(*pair, slide_id, bucket) for pair in pairs for bucket in (shuffle >> BUCKET_SHIFT, WHOLE_SLIDE)]
    if by > 0:
        connection.executemany(_RATER_SQL, [(*key, 1) for key in keys])
    else:
        connection.executemany(_RATER_LESS_SQL, keys)


def study_seed(connection: sqlite3.Connection) -> int:
    """Return the seed of the study's random orders."""
    return int(connection.execute("SELECT seed FROM study").fetchone()[0])


INDEX_SQL = """
INSERT INTO cell_index (cell_id, x_min, x_max, y_min, y_max, slide_min, slide_max)
SELECT id, x_min_px0, x_max_px0, y_min_px0, y_max_px0, slide_id, slide_id FROM cell WHERE
"""
"""Puts cells into the index; a condition follows."""
_INDEX_ONE_SQL = f"{INDEX_SQL} id = ?"
_MOVE_SQL = """
UPDATE cell SET shape = ?, x_min_px0 = ?, y_min_px0 = ?, x_max_px0 = ?, y_max_px0 = ?, vertices_px0 = ?
WHERE id = ?
"""


def create_cell(connection: sqlite3.Connection, slide_id: int, geometry: Sequence[Any]) -> int:
    """Write a new cell and return its id; its creation event comes after it, which refers to it."""
    (cell_id,) = connection.execute("SELECT ifnull(max(id), 0) + 1 FROM cell").fetchone()
    shuffle = int(shuffles(np.array([cell_id]), study_seed(connection))[0])
    (public_id,) = draw_public_ids(connection, 1)
    columns = dict(zip(GEOMETRY, geometry, strict=True))
    return insert(
        connection, "cell", id=cell_id, slide_id=slide_id, shuffle=shuffle, public_id=public_id, **columns
    )


def apply(connection: sqlite3.Connection, seq: int, kind: str, cell_id: int, payload: Sequence[Any]) -> None:
    """Bring the state of a cell to what it is after an event.

    What comes with the event is rater, round, label and score of a label; shape, bounds and vertices of a
    creation or a move.
    """
    if kind == "label":
        _apply_label(connection, seq, cell_id, payload)
    elif kind == "move":
        connection.execute(_MOVE_SQL, (*payload, cell_id))
        connection.execute("DELETE FROM cell_index WHERE cell_id = ?", (cell_id,))
        connection.execute(_INDEX_ONE_SQL, (cell_id,))
    else:
        _apply_presence(connection, cell_id, is_there=kind != "delete", is_new=kind == "create")


def _place(connection: sqlite3.Connection, cell_id: int) -> tuple[int, int]:
    row = connection.execute("SELECT slide_id, shuffle FROM cell WHERE id = ?", (cell_id,)).fetchone()
    return int(row[0]), int(row[1])


def _apply_presence(connection: sqlite3.Connection, cell_id: int, *, is_there: bool, is_new: bool) -> None:
    slide_id, shuffle = _place(connection, cell_id)
    if not is_new:
        connection.execute("UPDATE cell SET is_deleted = ? WHERE id = ?", (int(not is_there), cell_id))
    if is_there:
        connection.execute(_INDEX_ONE_SQL, (cell_id,))
    else:
        connection.execute("DELETE FROM cell_index WHERE cell_id = ?", (cell_id,))
    by = 1 if is_there else -1
    lists = connection.execute("SELECT round_id FROM round_cell WHERE cell_id = ?", (cell_id,))
    scopes = [EVERY_CELL, *(round_id for (round_id,) in lists)]
    change_scope(connection, scopes, slide_id=slide_id, shuffle=shuffle, by=by)
    pairs = [pair for pair in _labelled_in(connection, cell_id) if _counts_in(connection, cell_id, pair[0])]
    change_rater(connection, pairs, slide_id=slide_id, shuffle=shuffle, by=by)


def _labelled_in(connection: sqlite3.Connection, cell_id: int) -> list[tuple[int, int]]:
    return connection.execute(
        "SELECT round_id, rater_id FROM label_now WHERE cell_id = ? AND label_id IS NOT NULL", (cell_id,)
    ).fetchall()


def _counts_in(connection: sqlite3.Connection, cell_id: int, round_id: int) -> bool:
    """Whether a label of the cell counts in a round: the round covers all cells, or lists this one."""
    (is_listed,) = connection.execute("SELECT is_listed FROM round WHERE id = ?", (round_id,)).fetchone()
    sql = "SELECT 1 FROM round_cell WHERE cell_id = ? AND round_id = ?"
    return not is_listed or connection.execute(sql, (cell_id, round_id)).fetchone() is not None


def _apply_label(connection: sqlite3.Connection, seq: int, cell_id: int, payload: Sequence[Any]) -> None:
    rater_id, round_id, label_id, score = payload
    before = connection.execute(
        "SELECT label_id FROM label_now WHERE (cell_id, rater_id, round_id) = (?, ?, ?)",
        (cell_id, rater_id, round_id),
    ).fetchone()
    key = {"cell_id": cell_id, "rater_id": rater_id, "round_id": round_id, "first_seq": seq}
    put(connection, "label_now", *key, **key, label_id=label_id, score=score, last_seq=seq)
    was_there = before is not None and before[0] is not None
    if was_there != (label_id is not None) and _counts_in(connection, cell_id, round_id):
        slide_id, shuffle = _place(connection, cell_id)
        by = -1 if was_there else 1
        change_rater(connection, [(round_id, rater_id)], slide_id=slide_id, shuffle=shuffle, by=by)
