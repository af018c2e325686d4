"""The agreed class of a study's cells: the rules are those of `truth`, the opinions those of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.encoding import id_list, well_formed
from mitoscope.store.records import RoundKind
from mitoscope.store.snapshot import Copy
from mitoscope.truth import CROWD_THRESHOLD, Opinions, Policy, RaterKind, agreed_classes

__all__ = ["CROWD_THRESHOLD", "Agreed", "Policy", "agreed", "agreed_by", "read_opinions"]

# By cell and rater; infinity stands for no score, which no score can be.
_OPINIONS_SQL = """
SELECT cell_id, rater_id, ifnull(label_id, -1), ifnull(score, 9e999), first_seq, last_seq, round_id
FROM label_now {where} ORDER BY cell_id, rater_id, round_id
"""
_OPINION_ROW = np.dtype(
    [
        ("cell", np.int64),
        ("rater", np.int64),
        ("label", np.int64),
        ("score", np.float64),
        ("first", np.int64),
        ("last", np.int64),
        ("round", np.int64),
    ]
)
_CELLS_SQL = "SELECT id, slide_id FROM cell WHERE is_deleted = 0 {among} ORDER BY id"
_AMONG = "{name} IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, eq=False)
class Agreed:
    """The agreed class of live cells, in order of their ids.

    Parameters
    ----------
    cell_id : ndarray of int64, shape (n,)
        Ids of the cells.
    slide_id : ndarray of int64, shape (n,)
        Their slides.
    label_id : ndarray of int64, shape (n,)
        The agreed label; 0 where there is none.
    agreement : ndarray of float64, shape (n,)
        Share of the raters who gave it, in [0, 1]; NaN where there is no class.
    """

    cell_id: NDArray[np.int64]
    slide_id: NDArray[np.int64]
    label_id: NDArray[np.int64]
    agreement: NDArray[np.float64]


@well_formed()
def read_opinions(
    connection: sqlite3.Connection, cell_id: NDArray[np.int64], *, cells: Collection[int] | None = None
) -> Opinions:
    """Return the last word of each rater on cells, as rows of their ids, ascending, shape (n,).

    Where `cells` are given, no others are looked up.
    """
    rows = _label_rows(connection) if cells is None else _labels_of(connection, cells)
    rows = rows[np.isin(rows["cell"], cell_id)]
    numbers = {str(kind): number for number, kind in enumerate(RaterKind)}
    kinds = {id_: numbers[kind] for id_, kind in connection.execute("SELECT id, kind FROM rater")}
    kind_of = np.zeros(max(kinds, default=0) + 1, dtype=np.int64)
    kind_of[list(kinds)] = list(kinds.values())
    # The last round in which a rater spoke of a cell decides; what is withdrawn there is no opinion.
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (rows["cell"][1:] != rows["cell"][:-1]) | (rows["rater"][1:] != rows["rater"][:-1])
    starts = np.flatnonzero(begins)
    if len(starts):
        first = np.minimum.reduceat(rows["first"], starts)
        last = np.repeat(np.maximum.reduceat(rows["last"], starts), np.diff(np.r_[starts, len(rows)]))
        rows = rows[rows["last"] == last]
    else:
        first = np.empty(0, dtype=np.int64)
    has_class = rows["label"] >= 0
    rows, first = rows[has_class], first[has_class]
    scores = np.where(np.isposinf(rows["score"]), np.nan, rows["score"])
    row = np.searchsorted(cell_id, rows["cell"])
    parts = {id_: RoundKind(kind).part for id_, kind in connection.execute("SELECT id, kind FROM round")}
    part_of = np.zeros(max(parts, default=0) + 1, dtype=np.int64)
    part_of[list(parts)] = list(parts.values())
    return Opinions(
        row,
        rows["rater"],
        kind_of[rows["rater"]],
        rows["label"],
        scores,
        first,
        rows["last"],
        part_of[rows["round"]],
    )


def _label_rows(connection: sqlite3.Connection) -> NDArray[Any]:
    """Return the labels that hold; of a copy of the store those of its last copy, brought up to date."""
    if not isinstance(connection, Copy):
        return _labels_of(connection)
    (last,) = connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()
    rows: NDArray[Any]
    rows, seen = connection.kept.get("labels", (np.empty(0, dtype=_OPINION_ROW), 0))
    if seen != last:
        sql = "SELECT DISTINCT cell_id FROM event WHERE seq > ?"
        changed = np.fromiter((cell for (cell,) in connection.execute(sql, (seen,))), dtype=np.int64)
        anew = _labels_of(connection, changed.tolist() if seen else None)
        rows = np.concatenate([rows[~np.isin(rows["cell"], changed)], anew])
        rows = rows[np.lexsort((rows["round"], rows["rater"], rows["cell"]))]
        connection.kept["labels"] = rows, last
    return rows


def _labels_of(connection: sqlite3.Connection, cells: Collection[int] | None = None) -> NDArray[Any]:
    where = "" if cells is None else f"WHERE {_AMONG.format(name='cell_id')}"
    values = () if cells is None else (id_list(cells),)
    return np.fromiter(connection.execute(_OPINIONS_SQL.format(where=where), values), dtype=_OPINION_ROW)


def live_cells(connection: sqlite3.Connection) -> NDArray[np.int64]:
    """Return the ids of the live cells, ascending."""
    return _live(connection)["id"]


def _live(connection: sqlite3.Connection, cells: Collection[int] | None = None) -> NDArray[Any]:
    row = np.dtype([("id", np.int64), ("slide", np.int64)])
    among = "" if cells is None else f"AND {_AMONG.format(name='id')}"
    values = () if cells is None else (id_list(cells),)
    return np.fromiter(connection.execute(_CELLS_SQL.format(among=among), values), dtype=row)


def agreed(
    connection: sqlite3.Connection,
    policy: Policy,
    *,
    threshold: float = CROWD_THRESHOLD,
    cells: Collection[int] | None = None,
) -> Agreed:
    """Return the agreed class of live cells.

    Parameters
    ----------
    policy : Policy
        How labels become one.
    threshold : float
        Smallest score of the crowd policy, in [0, 1].
    cells : collection of int, optional
        Those that are asked for; by default all.
    """
    (found,) = agreed_by(connection, [policy], threshold=threshold, cells=cells)
    return found


@well_formed()
def agreed_by(
    connection: sqlite3.Connection,
    policies: Sequence[Policy],
    *,
    threshold: float = CROWD_THRESHOLD,
    cells: Collection[int] | None = None,
) -> list[Agreed]:
    """Return the agreed class of live cells under each of several policies; labels are read once."""
    live = _live(connection, cells)
    opinions = read_opinions(connection, live["id"], cells=cells)
    classes = [
        agreed_classes(opinions, len(live), Policy(policy), threshold=threshold) for policy in policies
    ]
    return [
        Agreed(live["id"], live["slide"], np.maximum(class_.label, 0), class_.agreement) for class_ in classes
    ]
