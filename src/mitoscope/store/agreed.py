"""The agreed class of a study's cells: the rules are those of `truth`, the opinions those of the store."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.encoding import well_formed
from mitoscope.truth import CROWD_THRESHOLD, Opinions, Policy, RaterKind, agreed_classes

__all__ = ["CROWD_THRESHOLD", "Agreed", "Policy", "agreed", "read_opinions"]

# What a rater last said of a cell over all rounds; the bare columns are those of the row with the maximum
# (SQLite's rule for a single max).
_OPINIONS_SQL = """
SELECT n.cell_id, n.rater_id, r.kind, n.label_id, n.score, min(n.first_seq) OVER (PARTITION BY n.cell_id,
n.rater_id),
       n.last_seq
FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id
"""


@dataclass(frozen=True, eq=False)
class Agreed:
    """The agreed class of all live cells, in order of their ids.

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
def read_opinions(connection: sqlite3.Connection, cell_id: NDArray[np.int64]) -> Opinions:
    """Return the last word of each rater on cells.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    cell_id : ndarray of int64, shape (n,)
        Ids, ascending; cells of the opinions are rows of it.
    """
    rows = connection.execute(_OPINIONS_SQL).fetchall()
    kinds = {str(kind): number for number, kind in enumerate(RaterKind)}
    cell, rater, kind, label, score, first, last = zip(*rows, strict=True) if rows else ((),) * 7
    columns = [np.array(values, dtype=np.int64) for values in (cell, rater, [kinds[one] for one in kind])]
    said = np.array([-1 if one is None else one for one in label], dtype=np.int64)
    scores = np.array([np.nan if one is None else one for one in score], dtype=np.float64)
    when = [np.array(values, dtype=np.int64) for values in (first, last)]
    # The last round in which a rater spoke of a cell decides; what is withdrawn there is no opinion.
    order = np.lexsort((when[1], columns[1], columns[0]))
    ends = np.ones(len(order), dtype=np.bool_)
    pairs = np.column_stack(columns[:2])[order]
    ends[:-1] = (pairs[1:] != pairs[:-1]).any(axis=1)
    known = order[ends]
    known = known[(said[known] >= 0) & np.isin(columns[0][known], cell_id)]
    row = np.searchsorted(cell_id, columns[0][known])
    return Opinions(
        row, columns[1][known], columns[2][known], said[known], scores[known], when[0][known], when[1][known]
    )


def live_cells(connection: sqlite3.Connection) -> NDArray[np.int64]:
    """Return the ids of the live cells, ascending."""
    rows = connection.execute("SELECT id FROM cell WHERE is_deleted = 0 ORDER BY id")
    return np.array([id_ for (id_,) in rows], dtype=np.int64)


@well_formed()
def agreed(connection: sqlite3.Connection, policy: Policy, *, threshold: float = CROWD_THRESHOLD) -> Agreed:
    """Return the agreed class of all live cells.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    policy : Policy
        How labels become one.
    threshold : float
        Smallest score of the crowd policy, in [0, 1].
    """
    cells = connection.execute("SELECT id, slide_id FROM cell WHERE is_deleted = 0 ORDER BY id").fetchall()
    table = np.array(cells, dtype=np.int64).reshape(-1, 2)
    opinions = read_opinions(connection, table[:, 0])
    found = agreed_classes(opinions, len(table), Policy(policy), threshold=threshold)
    return Agreed(table[:, 0], table[:, 1], np.maximum(found.label, 0), found.agreement)
