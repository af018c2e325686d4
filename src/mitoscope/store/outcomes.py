"""Classes that a rule or a review settles, written as labels of a consensus beside those of the raters."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConflictError, FormatError
from mitoscope.store import present
from mitoscope.store.actions import last_event
from mitoscope.store.chain import extend_with
from mitoscope.store.encoding import id_list, insert_columns, null_where_nan
from mitoscope.store.opinions import CROWD_THRESHOLD, Policy, agreed, agreed_by, read_opinions
from mitoscope.store.records import Rater
from mitoscope.store.terms import CONSENSUS_RATER
from mitoscope.store.vocabulary import intern_raters
from mitoscope.truth import disputes

Ids = NDArray[np.int64]

_CHANGED_SQL = "SELECT DISTINCT cell_id FROM event WHERE seq > ?"
_CELLS_SQL = """
SELECT c.id, c.slide_id, c.shuffle, n.label_id IS NOT NULL,
       (SELECT NOT is_listed FROM round WHERE id = :round) OR EXISTS (
           SELECT 1 FROM round_cell AS l WHERE (l.cell_id, l.round_id) = (c.id, :round))
FROM cell AS c
LEFT JOIN label_now AS n ON (n.cell_id, n.rater_id, n.round_id) = (c.id, :rater, :round)
WHERE c.is_deleted = 0 AND c.id IN (SELECT value FROM json_each(:cells)) ORDER BY c.id
"""
_LABEL_NOW_SQL = """
INSERT INTO label_now (cell_id, rater_id, round_id, label_id, score, first_seq, last_seq)
SELECT cell_id, rater_id, round_id, label_id, score, seq, seq FROM event WHERE seq >= ?
ON CONFLICT DO UPDATE SET label_id = excluded.label_id, score = excluded.score, last_seq = excluded.last_seq
"""


@dataclass(frozen=True, eq=False)
class Standing:
    """How live cells stand to a rule, in order of their ids, as of an event.

    Parameters
    ----------
    seq : int
        The last event that was read.
    cell_id : ndarray of int64, shape (n,)
        The cells.
    label_id : ndarray of int64, shape (n,)
        What the rule makes of their labels, 0 where it leaves them open.
    recorded_id : ndarray of int64, shape (n,)
        What is recorded of them, 0 where nothing is.
    is_disputed : ndarray of bool, shape (n,)
        Whether two experts differ and nobody has decided.
    """

    seq: int
    cell_id: Ids
    label_id: Ids
    recorded_id: Ids
    is_disputed: NDArray[np.bool_]

    @classmethod
    def read(
        cls,
        connection: sqlite3.Connection,
        policy: Policy,
        *,
        threshold: float = CROWD_THRESHOLD,
        cells: Collection[int] | None = None,
    ) -> Standing:
        """Return how cells, by default all, stand now."""
        view, recorded = agreed_by(connection, (policy, Policy.RECORDED), threshold=threshold, cells=cells)
        found = disputes(read_opinions(connection, view.cell_id, cells=cells), len(view.cell_id))
        seq = last_event(connection)
        return cls(seq, view.cell_id, view.label_id, recorded.label_id, found.is_open)

    def brought_up_to_date(
        self, connection: sqlite3.Connection, policy: Policy, *, threshold: float = CROWD_THRESHOLD
    ) -> Standing:
        """Return how the same cells stand now; only those are read anew of which something was said since."""
        changed = [cell for (cell,) in connection.execute(_CHANGED_SQL, (self.seq,))]
        if not changed:
            return self
        kept = ~np.isin(self.cell_id, changed)
        anew = Standing.read(connection, policy, threshold=threshold, cells=changed)
        order = np.argsort(np.r_[self.cell_id[kept], anew.cell_id])

        def joined(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([old[kept], new])[order]

        return Standing(
            anew.seq,
            joined(self.cell_id, anew.cell_id),
            joined(self.label_id, anew.label_id),
            joined(self.recorded_id, anew.recorded_id),
            joined(self.is_disputed, anew.is_disputed),
        )


def record_outcome(
    connection: sqlite3.Connection,
    label_of: Mapping[int, int],
    round_id: int,
    *,
    rater: Rater = CONSENSUS_RATER,
    scores: Mapping[int, float] | None = None,
) -> int:
    """Record what cells were settled as, as labels of a consensus; return how many were not so before.

    A cell whose recorded class is the same keeps it.

    Parameters
    ----------
    label_of : mapping of int to int
        Cell id → label id.
    round_id : int
        The round of the outcome.
    rater : Rater
        In whose name, of kind consensus.
    scores : mapping of int to float, optional
        Cell id → score in [0, 1] to be kept with the label.
    """
    view = agreed(connection, Policy.RECORDED, cells=label_of)
    known = dict(zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True))
    news = {cell: label for cell, label in label_of.items() if known.get(cell) != label}
    return record_labels(connection, news, round_id, rater=rater, scores=scores)


def record_labels(
    connection: sqlite3.Connection,
    label_of: Mapping[int, int],
    round_id: int,
    *,
    rater: Rater = CONSENSUS_RATER,
    scores: Mapping[int, float] | None = None,
) -> int:
    """Record a label of each of many cells, as `actions.record` does one, in one pass; return how many.

    Raises
    ------
    ConflictError
        If a cell is deleted or not there.
    FormatError
        If a score is not in [0, 1].
    """
    (rater_id,) = intern_raters(connection, [rater]).tolist()
    if not label_of:
        return 0
    values = {"rater": rater_id, "round": round_id, "cells": id_list(label_of)}
    rows = connection.execute(_CELLS_SQL, values).fetchall()
    cell, slide, shuffle, was_labelled, counts = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    if len(cell) != len(label_of):
        gone = min(label_of.keys() - set(cell.tolist()))
        raise ConflictError("is deleted or not there", where=f"cell {gone}", mend="read it again")
    score = np.array([(scores or {}).get(id_, np.nan) for id_ in cell.tolist()])
    if (bad := ~np.isnan(score) & ~((score >= 0) & (score <= 1))).any():
        worst = int(np.flatnonzero(bad)[0])
        raise FormatError(f"score {score[worst]:g} is not in [0, 1]", where=f"cell {cell[worst]}")
    n, begin, now = len(cell), last_event(connection) + 1, time.time()
    label = [label_of[id_] for id_ in cell.tolist()]
    insert_columns(
        connection,
        "event",
        seq=range(begin, begin + n),
        kind=["label"] * n,
        cell_id=cell.tolist(),
        rater_id=[rater_id] * n,
        round_id=[round_id] * n,
        label_id=label,
        time_s=[now] * n,
        score=null_where_nan(score),
    )
    extend_with(
        connection,
        "event",
        begin,
        n,
        kind="label",
        cell_id=cell,
        rater_id=rater_id,
        round_id=round_id,
        label_id=label,
        time_s=now,
        score=score,
    )
    connection.execute(_LABEL_NOW_SQL, (begin,))
    new = (counts == 1) & (was_labelled == 0)
    present.add_labels(
        connection, np.full(n, round_id)[new], np.full(n, rater_id)[new], slide[new], shuffle[new]
    )
    return n
