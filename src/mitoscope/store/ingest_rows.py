"""The many rows of an import: cells, label events and their projections, in bulk."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.store import tally
from mitoscope.store.columns import Cells
from mitoscope.store.encoding import attributes_text, null_where_nan, vertices_blob
from mitoscope.store.public_ids import draw_public_ids
from mitoscope.store.records import Study

Ids = NDArray[np.int64]

_CELL_SQL = """
INSERT INTO cell (id, slide_id, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0, z, is_deleted, shuffle,
                  public_id, guid, external_id, vertices_px0, attributes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_CREATE_SQL = """
INSERT INTO event (seq, kind, cell_id, time_s, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0,
                   vertices_px0)
SELECT ? + id, 'create', id, ?, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0, vertices_px0
FROM cell WHERE id >= ? ORDER BY id
"""
_INDEX_SQL = """
INSERT INTO cell_index (cell_id, x_min, x_max, y_min, y_max, slide_min, slide_max)
SELECT id, x_min_px0, x_max_px0, y_min_px0, y_max_px0, slide_id, slide_id
FROM cell WHERE id >= ? AND is_deleted = 0
"""


_DELETE_SQL = """
INSERT INTO event (seq, kind, cell_id, time_s)
SELECT ? - 1 + row_number() OVER (ORDER BY id), 'delete', id, ?
FROM cell WHERE id >= ? AND is_deleted = 1
"""


def _next_id(connection: sqlite3.Connection, table: str, column: str = "id") -> int:
    return int(connection.execute(f"SELECT ifnull(max({column}), 0) + 1 FROM {table}").fetchone()[0])  # noqa: S608


def add_cells(connection: sqlite3.Connection, cells: Cells, slide_ids: Ids) -> Ids:
    """Write cells with their creation events and return their ids."""
    n = len(cells)
    ids = np.arange(n, dtype=np.int64) + _next_id(connection, "cell")
    if n == 0:
        return ids
    slide_id, shuffle = slide_ids[cells.slide], tally.shuffles(ids, study_seed(connection))
    connection.executemany(
        _CELL_SQL,
        zip(
            ids.tolist(),
            slide_id.tolist(),
            cells.shape.tolist(),
            *cells.bounds_px0.T.tolist(),
            cells.z.tolist(),
            cells.deleted.astype(np.int64).tolist(),
            shuffle.tolist(),
            draw_public_ids(connection, n),
            cells.guid.tolist(),
            cells.external_id.tolist(),
            [vertices_blob(cells.vertices_px0.get(row)) for row in range(n)],
            [attributes_text(cells.attributes.get(row)) for row in range(n)],
            strict=True,
        ),
    )
    first, seq = int(ids[0]), _next_id(connection, "event", "seq")
    connection.execute(_CREATE_SQL, (seq - first, time.time(), first))
    connection.execute(_INDEX_SQL, (first,))
    live = ~cells.deleted
    tally.add_cells(connection, slide_id[live], shuffle[live])
    return ids


_LABEL_SQL = """
INSERT INTO event (seq, kind, cell_id, rater_id, round_id, label_id, time_s, score, seconds, attributes)
VALUES (?, 'label', ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NOW_SQL = """
INSERT INTO label_now (cell_id, rater_id, round_id, label_id, score, first_seq, last_seq)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class EventIds:
    """The store's ids by the study's indexes."""

    cell: Ids
    rater: Ids
    round: Ids
    label: Ids


def add_label_events(connection: sqlite3.Connection, study: Study, ids: EventIds, *, slide_ids: Ids) -> None:
    """Write the label events of cells that are new, in order, and what follows from them."""
    events, n = study.events, len(study.events)
    if n == 0:
        return
    seq = np.arange(n) + _next_id(connection, "event", "seq")
    cell, rater, round_ = ids.cell[events.cell], ids.rater[events.rater], ids.round[events.round]
    label = [None if one < 0 else int(ids.label[one]) for one in events.label.tolist()]
    score = null_where_nan(events.score)
    connection.executemany(
        _LABEL_SQL,
        zip(
            seq.tolist(),
            cell.tolist(),
            rater.tolist(),
            round_.tolist(),
            label,
            null_where_nan(events.time_s),
            score,
            null_where_nan(events.seconds),
            [attributes_text(events.attributes.get(row)) for row in range(n)],
            strict=True,
        ),
    )
    first, last = _first_and_last(cell, rater, round_)
    connection.executemany(
        _NOW_SQL,
        zip(
            cell[last].tolist(),
            rater[last].tolist(),
            round_[last].tolist(),
            [label[row] for row in last.tolist()],
            [score[row] for row in last.tolist()],
            seq[first].tolist(),
            seq[last].tolist(),
            strict=True,
        ),
    )
    _count_labels(connection, study, ids, rows=last, slide_ids=slide_ids)


def _first_and_last(cell: Ids, rater: Ids, round_: Ids) -> tuple[Ids, Ids]:
    """Return the first and the last row of each (cell, rater, round), in the order of these keys."""
    order = np.lexsort((round_, rater, cell))
    keys = np.column_stack([cell, rater, round_])[order]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    return order[starts], order[np.r_[starts[1:], len(order)] - 1]


def _count_labels(
    connection: sqlite3.Connection, study: Study, ids: EventIds, *, rows: Ids, slide_ids: Ids
) -> None:
    events = study.events
    listed = [id_ for (id_,) in connection.execute("SELECT id FROM round WHERE is_listed = 1")]
    counted = (events.label[rows] >= 0) & ~study.cells.deleted[events.cell[rows]]
    # New cells are on no list yet: labels of a listed round count when their cells are listed.
    rows = rows[counted & ~np.isin(ids.round[events.round[rows]], listed)]
    cell = events.cell[rows]
    tally.add_labels(
        connection,
        ids.round[events.round[rows]],
        ids.rater[events.rater[rows]],
        slide_ids[study.cells.slide[cell]],
        tally.shuffles(ids.cell[cell], study_seed(connection)),
    )


def study_seed(connection: sqlite3.Connection) -> int:
    """Return the seed of the study's random orders."""
    return int(connection.execute("SELECT seed FROM study").fetchone()[0])


def add_deletions(connection: sqlite3.Connection, cell_ids: Ids) -> None:
    """Write a deletion event for each new cell that its source marks as deleted."""
    if len(cell_ids):
        seq = _next_id(connection, "event", "seq")
        connection.execute(_DELETE_SQL, (seq, time.time(), int(cell_ids[0])))
