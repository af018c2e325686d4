"""How a rater looks at cells in a round: the one place where blinding is decided (promise 10).

In a blinded round a rater sees where cells are, and of labels only the own ones of that round. Shape and size
of a cell come from whoever drew it and stay hidden too. A rater who is still to read a cell blinded somewhere
does not see in any other round what others said of it. The conditions here are parts of the queries of
`cells_seen` and `cell_seen`.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from mitoscope.store.kinds import RoundKind
from mitoscope.store.terms import RoundRow, read_round_rows

VISIBLE = """
(e.kind <> 'label' OR (e.rater_id = :speaker AND e.round_id = :round) OR NOT :blinded)
"""
"""Events e that the rater may know of."""
PENDING = """
EXISTS (SELECT 1 FROM json_each(:pending) AS p JOIN round AS r ON r.id = p.value
        WHERE (r.is_listed = 0 OR EXISTS (SELECT 1 FROM round_cell AS l
                                          WHERE l.cell_id = c.id AND l.round_id = r.id))
          AND NOT EXISTS (SELECT 1 FROM label_now AS n WHERE n.label_id IS NOT NULL
                          AND (n.cell_id, n.rater_id, n.round_id) = (c.id, :rater, r.id)))
"""
"""Cells c that the rater is yet to read in another, blinded round."""
OWN = """
(EXISTS (SELECT 1 FROM event AS e WHERE e.cell_id = c.id AND e.kind = 'create'
         AND e.rater_id = :speaker AND e.round_id = :round)
 OR EXISTS (SELECT 1 FROM label_now AS n
            WHERE (n.cell_id, n.rater_id, n.round_id) = (c.id, :speaker, :round)))
"""
"""Cells c that the rater made or labelled in the round."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How a rater looks at the cells in a round.

    Parameters
    ----------
    rater_id, round_id : int
        Who, and in which round.
    speaker_id : int
        In whose name labels are given there: the rater, or a consensus.
    is_blinded : bool
        Whether the labels of others are hidden.
    shows_labels : bool
        Whether a single cell comes with what others said.
    own_only : bool
        Whether only cells show that the rater made or labelled there.
    pending : tuple of int
        Other rounds in which the rater is yet to read blinded.
    """

    rater_id: int
    round_id: int
    speaker_id: int
    is_blinded: bool
    shows_labels: bool
    own_only: bool
    pending: tuple[int, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return the parameters of the queries."""
        return {
            "rater": self.rater_id,
            "speaker": self.speaker_id,
            "round": self.round_id,
            "blinded": int(self.is_blinded),
            "pending": json.dumps(list(self.pending)),
        }


def sight_of(connection: sqlite3.Connection, row: RoundRow, rater_id: int, *, speaker_id: int) -> Sight:
    """Return how a rater looks at cells in a round."""
    return Sight(
        rater_id=rater_id,
        round_id=row.id,
        speaker_id=speaker_id,
        is_blinded=row.is_blinded,
        shows_labels=row.terms.shows_labels,
        own_only=row.terms.shows_cells == "own",
        pending=tuple(one for one in blinded_rounds(connection, rater_id) if one != row.id),
    )


def blinded_rounds(connection: sqlite3.Connection, rater_id: int) -> list[int]:
    """Return the open rounds in which a rater reads cells of others without their labels."""
    mine = {
        one
        for (one,) in connection.execute("SELECT round_id FROM assignment WHERE rater_id = ?", (rater_id,))
    }
    rows = read_round_rows(connection)
    return [
        id_
        for id_, row in rows.items()
        if id_ in mine and row.is_blinded and row.terms.is_open and row.terms.shows_cells == "all"
    ]


def is_own(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> bool:
    """Whether a rater made or labelled a cell in the round."""
    sql = f"SELECT 1 FROM cell AS c WHERE c.id = :cell AND {OWN}"  # noqa: S608 constant parts
    return connection.execute(sql, sight.values() | {"cell": cell_id}).fetchone() is not None


def is_made_by(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> bool:
    """Whether a rater made a cell, in any round."""
    sql = "SELECT 1 FROM event WHERE cell_id = ? AND kind = 'create' AND rater_id IN (?, ?)"
    row = connection.execute(sql, (cell_id, sight.rater_id, sight.speaker_id)).fetchone()
    return row is not None


def takes(connection: sqlite3.Connection, row: RoundRow, cell_id: int) -> bool:
    """Whether a cell belongs to a round: it is on its list, or the round covers all cells of its slides."""
    if row.is_listed and row.kind is not RoundKind.UNSTATED:
        sql = "SELECT 1 FROM round_cell WHERE (cell_id, round_id) = (?, ?)"
        return connection.execute(sql, (cell_id, row.id)).fetchone() is not None
    slide = connection.execute("SELECT slide_id FROM cell WHERE id = ?", (cell_id,)).fetchone()
    return slide is not None and (row.terms.slides is None or slide[0] in row.terms.slides)
