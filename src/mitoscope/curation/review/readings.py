"""What experts said of cells in certain rounds: the first, the second and the third of each cell."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.consensus import consensus_of_two, majority_of_three
from mitoscope.curation.ratings import NO_LABEL
from mitoscope.store.encoding import well_formed

# A rater's label is the last over the rounds, the order of raters that in which they first spoke there.
_READINGS_SQL = """
SELECT n.cell_id, n.rater_id, n.label_id, max(n.last_seq), min(n.first_seq) AS spoke
FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id AND r.kind = 'expert'
WHERE n.round_id IN (SELECT value FROM json_each(?)) AND n.label_id IS NOT NULL
GROUP BY n.cell_id, n.rater_id ORDER BY n.cell_id, spoke
"""


@dataclass(frozen=True, eq=False)
class Readings:
    """Labels of cells by the turn of the expert.

    Parameters
    ----------
    cell_id : ndarray of int64, shape (n,)
        Ids, ascending.
    label_id : ndarray of int64, shape (n, 3)
        Label of the first, second and third expert, or :data:`~mitoscope.curation.ratings.NO_LABEL`.
    """

    cell_id: NDArray[np.int64]
    label_id: NDArray[np.int64]

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """Whether a second reading is missing, shape (n,)."""
        return np.asarray(self.label_id[:, 1] == NO_LABEL)

    @property
    def disputed(self) -> NDArray[np.bool_]:
        """Whether the first two differ, shape (n,)."""
        both = consensus_of_two(self.label_id[:, 0], self.label_id[:, 1])
        return np.asarray((both == NO_LABEL) & ~self.waiting)

    @property
    def outcome(self) -> NDArray[np.int64]:
        """What two of three agree on, or :data:`~mitoscope.curation.ratings.NO_LABEL`, shape (n,)."""
        return majority_of_three(*self.label_id.T)


@well_formed()
def read_readings(
    connection: sqlite3.Connection, cells: Collection[int], *, rounds: Collection[int], third: int | None
) -> Readings:
    """Return the readings of some cells.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    cells : collection of int
        Ids of the cells.
    rounds : collection of int
        In which the first two experts read; a third one there counts where no third round is open.
    third : int, optional
        The round of the third expert; who speaks there decides, unless it is one of the first two.
    """
    ids = np.array(sorted(cells), dtype=np.int64)
    row_of = {cell: row for row, cell in enumerate(ids.tolist())}
    label = np.full((len(ids), 3), NO_LABEL, dtype=np.int64)
    who = np.full((len(ids), 3), NO_LABEL, dtype=np.int64)
    for cell, rater, label_id, *_ in connection.execute(_READINGS_SQL, (_json(rounds),)):
        row = row_of.get(cell)
        turn = 3 if row is None else int((who[row] != NO_LABEL).sum())
        if turn < 3:
            who[row, turn], label[row, turn] = rater, label_id
    if third is not None:
        label[:, 2] = NO_LABEL
        for cell, rater, label_id, *_ in connection.execute(_READINGS_SQL, (_json([third]),)):
            row = row_of.get(cell)
            # Who has read a cell cannot decide about it a second time.
            if row is not None and rater not in who[row, :2]:
                label[row, 2] = label_id
    return Readings(ids, label)


def _json(ids: Collection[int]) -> str:
    return "[" + ", ".join(str(int(one)) for one in ids) + "]"
