"""Who may see and do what: the one place where blinding and permission are decided (promises 10 and 32).

:func:`permit` is asked by every operation on a study, with :data:`RULES` as its table: whose operation it is,
whether it belongs to a round, and whether a rater who is reading blinded is kept from it. How the cells of a
round look to the rater follows from the :class:`Sight` that it returns.

In a blinded round a rater sees where cells are, and of labels only the own ones of that round. Shape and size
of a cell come from whoever drew it and stay hidden too. A rater who is still to read a cell blinded somewhere
does not see in any other round what others said of it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import BlindedError, ForbiddenError, NotFoundError, RoundClosedError
from mitoscope.store.access import Role, Visitor
from mitoscope.store.columns import Shape
from mitoscope.store.encoding import vertices_from, well_formed
from mitoscope.store.records import RoundKind
from mitoscope.store.terms import CONSENSUS_RATER, RoundRow, is_assigned, read_round_row, read_round_rows

_ASK = "ask the lead of the study"


class Operation(StrEnum):
    """What somebody wants of a study."""

    LOOK = "look"
    """At slides, their regions and one's own rounds."""
    DRAW = "draw"
    """Regions and regions of interest."""
    READ = "read"
    """The cells of a round."""
    WORK = "work"
    """Label, screen, answer and sign in a round."""
    LEAD = "lead"
    """People, rounds, classes and the progress of all."""
    COMPARE = "compare"
    """What raters said, side by side: figures of the study, agreement, exports, answers of the crowd."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When an operation is allowed.

    Parameters
    ----------
    role : Role
        Who may; a lead may also do what a rater may.
    in_round : bool
        Whether it is about a round, in which the rater must work; a lead may look into any.
    while_open : bool
        Whether the round must be open.
    unblinded : bool
        Whether somebody who is reading blinded is kept from it.
    """

    role: Role = Role.RATER
    in_round: bool = False
    while_open: bool = False
    unblinded: bool = False


RULES: dict[Operation, Rule] = {
    Operation.LOOK: Rule(),
    Operation.DRAW: Rule(),
    Operation.READ: Rule(in_round=True),
    Operation.WORK: Rule(in_round=True, while_open=True),
    Operation.LEAD: Rule(Role.LEAD),
    Operation.COMPARE: Rule(Role.LEAD, unblinded=True),
}
"""Role × round × blinding: what is not allowed here is refused."""

VISIBLE = """
(e.kind <> 'label' OR (e.rater_id = :speaker AND e.round_id = :round) OR NOT :blinded)
"""
"""Events e that the rater may know of."""
LAST_VISIBLE_OPEN = "(SELECT max(e.seq) FROM event AS e WHERE e.cell_id = c.id)"
"""The last of them at a cell c in a round that is not blinded."""
LAST_VISIBLE_BLINDED = """
max(ifnull(n.last_seq, 0), ifnull((SELECT min(e.seq) FROM event AS e WHERE e.cell_id = c.id), 0),
    ifnull((SELECT max(e.seq) FROM event AS e
            WHERE e.cell_id = c.id AND e.kind IN ('move', 'delete', 'restore')), 0))
"""
"""The same in a blinded round, where n are the rater's own present labels: these know their last event.

The first event of a cell is its creation; changes, which are few, have an index: no label is looked at."""
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
        In whose name labels are given there: the rater, or a consensus; 0 for one that has not spoken yet.
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


@dataclass(frozen=True, slots=True)
class Assignment:
    """A rater in a round: the round, how the rater sees its cells, and the rater's name."""

    row: RoundRow
    sight: Sight
    rater: str

    @property
    def entered_by(self) -> str | None:
        """Who is at the keyboard, where several speak with one voice."""
        return None if self.row.terms.speaks_as == "rater" else self.rater


@overload
def permit(connection: sqlite3.Connection, visitor: Visitor, operation: Operation) -> None: ...


@overload
def permit(
    connection: sqlite3.Connection,
    visitor: Visitor,
    operation: Operation,
    *,
    round_id: int,
    slide_id: int | None = None,
) -> Assignment: ...


def permit(
    connection: sqlite3.Connection,
    visitor: Visitor,
    operation: Operation,
    *,
    round_id: int | None = None,
    slide_id: int | None = None,
) -> Assignment | None:
    """Allow an operation, or refuse it.

    Parameters
    ----------
    visitor : Visitor
        Who asks.
    operation : Operation
        For what.
    round_id : int, optional
        Of an operation in a round.
    slide_id : int, optional
        The slide of the round that it is about.

    Returns
    -------
    Assignment or None
        How the rater sees the cells of the round; None for an operation outside of rounds.

    Raises
    ------
    ForbiddenError
        If somebody else may do it, the round is closed, or the rater is reading blinded.
    NotFoundError
        If there is no such round, or no such slide in it.
    """
    rule = RULES[operation]
    if rule.role is Role.LEAD and visitor.role is not Role.LEAD:
        raise ForbiddenError("only the lead of the study may do this", mend=_ASK)
    if rule.unblinded:
        _check_unblinded(connection, visitor.rater_id)
    if not rule.in_round:
        return None
    row = read_round_row(connection, round_id or 0)
    if visitor.role is not Role.LEAD and not is_assigned(connection, row.id, visitor.rater_id):
        raise ForbiddenError("you do not work in this round", mend=_ASK)
    if rule.while_open and not row.terms.is_open:
        raise RoundClosedError("this round is closed", mend=f"{_ASK} to open it")
    if slide_id is not None and not _covers(connection, row, slide_id):
        raise NotFoundError("there is no such slide in this round", mend="read the rounds again")
    (name,) = connection.execute("SELECT name FROM rater WHERE id = ?", (visitor.rater_id,)).fetchone()
    return Assignment(row, _sight_of(connection, row, visitor.rater_id), name)


def _check_unblinded(connection: sqlite3.Connection, rater_id: int) -> None:
    rounds = _blinded_rounds(connection, rater_id)
    if rounds:
        mend = f"finish and close {rounds[0].name!r} first"
        raise BlindedError("you are reading blinded yourself", mend=mend)


def _covers(connection: sqlite3.Connection, row: RoundRow, slide_id: int) -> bool:
    known = connection.execute("SELECT 1 FROM slide WHERE id = ?", (slide_id,)).fetchone()
    return known is not None and (row.terms.slides is None or slide_id in row.terms.slides)


def _sight_of(connection: sqlite3.Connection, row: RoundRow, rater_id: int) -> Sight:
    speaker = rater_id
    if row.terms.speaks_as == "consensus":
        found = connection.execute("SELECT id FROM rater WHERE name = ?", (CONSENSUS_RATER.name,)).fetchone()
        speaker = 0 if found is None else found[0]
    return Sight(
        rater_id=rater_id,
        round_id=row.id,
        speaker_id=speaker,
        is_blinded=row.is_blinded,
        shows_labels=row.terms.shows_labels,
        own_only=row.terms.shows_cells == "own",
        pending=tuple(round_.id for round_ in _blinded_rounds(connection, rater_id) if round_.id != row.id),
    )


def _blinded_rounds(connection: sqlite3.Connection, rater_id: int) -> list[RoundRow]:
    """Return the open rounds in which a rater reads cells of others without their labels."""
    mine = {
        one
        for (one,) in connection.execute("SELECT round_id FROM assignment WHERE rater_id = ?", (rater_id,))
    }
    return [
        row
        for id_, row in read_round_rows(connection).items()
        if id_ in mine and row.is_blinded and row.terms.is_open and row.terms.shows_cells == "all"
    ]


def sees_results(connection: sqlite3.Connection, visitor: Visitor, *, slide_id: int, rater_id: int) -> bool:
    """Whether somebody may read a result that a rater signed: it tells what that rater said of cells.

    One's own always; those of others not while one is still reading that slide blinded.
    """
    if visitor.rater_id == rater_id:
        return True
    rounds = _blinded_rounds(connection, visitor.rater_id)
    return not any(row.terms.slides is None or slide_id in row.terms.slides for row in rounds)


_UNREAD_SQL = f"""
SELECT 1 FROM board_place AS b JOIN cell AS c ON c.id = b.cell_id
WHERE b.board_id = :board AND {PENDING} LIMIT 1
"""  # noqa: S608 constant parts


def check_board(connection: sqlite3.Connection, sight: Sight, board_id: int) -> None:
    """Refuse a board, which shows the classes of its cells, to who is yet to read one of them blinded.

    Raises
    ------
    BlindedError
        Where that is so.
    """
    if not sight.pending:
        return
    if connection.execute(_UNREAD_SQL, sight.values() | {"board": board_id}).fetchone() is not None:
        mend = "finish your blinded rounds first"
        raise BlindedError("you are still reading cells of this board blinded", mend=mend)


_OF_KNOWN_CELLS = (RoundKind.SECOND_READ, RoundKind.THIRD_EXPERT, RoundKind.CONSENSUS)
"""Rounds about cells that are there; where the round says so, a reader may add what was missed (CCMCT)."""


def check_cell(connection: sqlite3.Connection, mine: Assignment, cell_id: int, *, kind: str) -> None:
    """Allow an action on a cell, or refuse it.

    Parameters
    ----------
    mine : Assignment
        Who, and in which round.
    cell_id : int
        The cell; 0 for one to be created.
    kind : str
        Of the action, see :class:`mitoscope.store.actions.CellEvent`.

    Raises
    ------
    NotFoundError
        If the round has no such cell, or the rater does not see it there.
    ForbiddenError
        If the round is about given cells: none can be added, and those that others found stay where they are.
    """
    row, sight = mine.row, mine.sight
    if kind == "create":
        if (row.is_listed or row.kind in _OF_KNOWN_CELLS) and not row.terms.settings.get("may_add"):
            raise ForbiddenError("this round is about known cells; no cell can be added", mend="label these")
        return
    if not takes(connection, row, cell_id) or not _shows(connection, sight, cell_id):
        raise _no_cell()
    if kind == "label" or not (row.is_blinded or row.is_listed):
        return
    sql = "SELECT 1 FROM event WHERE cell_id = ? AND kind = 'create' AND rater_id IN (?, ?)"
    made = connection.execute(sql, (cell_id, sight.rater_id, sight.speaker_id)).fetchone()
    if made is None:
        what = "somebody else found this cell: here it can be labelled, not moved or deleted"
        raise ForbiddenError(what, mend=_ASK)


def _no_cell() -> NotFoundError:
    return NotFoundError("there is no such cell in this round", mend="read the cells again")


def takes(connection: sqlite3.Connection, row: RoundRow, cell_id: int) -> bool:
    """Whether a cell belongs to a round: it is on its list, or the round covers all cells of its slides."""
    if row.is_listed and row.kind is not RoundKind.UNSTATED:
        sql = "SELECT 1 FROM round_cell WHERE (cell_id, round_id) = (?, ?)"
        return connection.execute(sql, (cell_id, row.id)).fetchone() is not None
    slide = connection.execute("SELECT slide_id FROM cell WHERE id = ?", (cell_id,)).fetchone()
    return slide is not None and (row.terms.slides is None or slide[0] in row.terms.slides)


def _shows(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> bool:
    if not sight.own_only:
        return True
    sql = f"SELECT 1 FROM cell AS c WHERE c.id = :cell AND {OWN}"  # noqa: S608 constant parts
    return connection.execute(sql, sight.values() | {"cell": cell_id}).fetchone() is not None


def last_visible(connection: sqlite3.Connection, cell_id: int, *, rater_id: int, round_id: int) -> int:
    """Return the last event of a cell that a rater sees in a round.

    In a blinded round these are changes of the cell itself and the rater's own labels in this round: the
    number gives nothing away about the labels of others (promise 10). In an open round all events count.
    """
    row = connection.execute("SELECT is_blinded FROM round WHERE id = ?", (round_id,)).fetchone()
    values = {
        "cell": cell_id,
        "speaker": rater_id,
        "round": round_id,
        "blinded": 0 if row is None else row[0],
    }
    return _last_visible(connection, values)


def _last_visible(connection: sqlite3.Connection, values: dict[str, Any]) -> int:
    sql = f"SELECT ifnull(max(seq), 0) FROM event AS e WHERE cell_id = :cell AND {VISIBLE}"  # noqa: S608
    (seq,) = connection.execute(sql, values).fetchone()
    return int(seq)


_OTHERS_SQL = f"""
SELECT n.rater_id, w.name, n.label_id, r.name,
       (SELECT time_s FROM event WHERE seq = n.last_seq)
FROM label_now AS n JOIN rater AS w ON w.id = n.rater_id JOIN round AS r ON r.id = n.round_id
JOIN cell AS c ON c.id = n.cell_id
WHERE n.cell_id = :cell AND n.label_id IS NOT NULL AND w.kind <> 'model'
  AND NOT (n.rater_id = :speaker AND n.round_id = :round) AND NOT {PENDING}
ORDER BY n.first_seq
"""  # noqa: S608 constant parts
_CELL_SQL = """
SELECT c.public_id, c.slide_id, c.shape, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, c.vertices_px0,
       c.is_deleted, n.label_id,
       (SELECT max(m.score) FROM label_now AS m JOIN rater AS r ON r.id = m.rater_id AND r.kind = 'model'
        WHERE m.cell_id = c.id)
FROM cell AS c
LEFT JOIN label_now AS n ON (n.cell_id, n.rater_id, n.round_id) = (c.id, :speaker, :round)
WHERE c.id = :cell
"""


@dataclass(frozen=True, slots=True)
class OtherLabel:
    """What somebody else said of a cell."""

    rater_id: int
    rater: str
    label_id: int
    round: str
    time_s: float | None


@dataclass(frozen=True, eq=False)
class SeenCell:
    """One cell as a rater sees it; see :class:`mitoscope.store.slide_cells.SeenCells`."""

    cell_id: int
    public_id: int
    slide_id: int
    shape: int
    bounds_px0: tuple[float, float, float, float]
    vertices_px0: NDArray[np.float64] | None
    is_deleted: bool
    label_id: int
    score: float | None
    seen: int
    others: tuple[OtherLabel, ...]

    @property
    def centre_px0(self) -> tuple[float, float]:
        """The middle of its bounds."""
        x_min, y_min, x_max, y_max = self.bounds_px0
        return (x_min + x_max) / 2, (y_min + y_max) / 2


@well_formed()
def cell_seen(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> SeenCell:
    """Return one cell as a rater sees it.

    Raises
    ------
    NotFoundError
        If there is no such cell, or the rater does not see it in this round.
    """
    values = sight.values() | {"cell": cell_id}
    row = connection.execute(_CELL_SQL, values).fetchone()
    if row is None or not _shows(connection, sight, cell_id):
        raise _no_cell()
    public_id, slide, shape, *bounds, vertices, is_deleted, label, score = row
    x_min, y_min, x_max, y_max = bounds
    if sight.is_blinded:
        x, y = (x_min + x_max) / 2, (y_min + y_max) / 2
        shape, x_min, y_min, x_max, y_max, vertices, score = int(Shape.SPOT), x, y, x, y, None, None
    others = connection.execute(_OTHERS_SQL, values).fetchall() if sight.shows_labels else []
    return SeenCell(
        cell_id=cell_id,
        public_id=public_id,
        slide_id=slide,
        shape=shape,
        bounds_px0=(x_min, y_min, x_max, y_max),
        vertices_px0=None if vertices is None else vertices_from(vertices),
        is_deleted=bool(is_deleted),
        label_id=label or 0,
        score=score,
        seen=_last_visible(connection, values),
        others=tuple(OtherLabel(*other) for other in others),
    )
