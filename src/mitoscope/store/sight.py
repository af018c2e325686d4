"""Who may see and do what: the one place where blinding and permission are decided (promises 10 and 32).

:func:`permit` is asked by every operation on a study, with :data:`RULES` as its table: whose operation it is,
whether it belongs to a round, and whether a rater who is reading blinded is kept from it. How the cells of a
round look to the rater follows from the :class:`Sight` that it returns.

In a blinded round a rater sees where cells are, and of labels only the own ones of that round. Shape and size
of a cell come from whoever drew it and stay hidden too. A rater who is still to read a cell blinded somewhere
does not see in any other round what others said of it. Who counts a case does not see, there or elsewhere,
what others found, called and signed in cases of the slide until the own count of it is signed. A rater sees
the slides of the own rounds and changes the outlines that the rater drew; the lead sees and changes all.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, overload

from mitoscope.errors import BlindedError, ForbiddenError, NotFoundError, RoundClosedError
from mitoscope.store.access import Role, Visitor
from mitoscope.store.records import RoundKind
from mitoscope.store.schema import WHOLE_SLIDE
from mitoscope.store.signed import SignedResult, signed_slides
from mitoscope.store.terms import CONSENSUS_RATER, RoundRow, is_assigned, read_round_row, read_round_rows
from mitoscope.truth import RaterKind

_ASK = "ask the lead of the study"


class Operation(StrEnum):
    """What somebody wants of a study."""

    LOOK = "look"
    """At a slide and its regions."""
    DRAW = "draw"
    """Regions and regions of interest on a slide."""
    ENTER = "enter"
    """A round, whatever it is about."""
    ANSWER = "answer"
    """On tiles of the crowd."""
    READ = "read"
    """The cells of a round."""
    WORK = "work"
    """Label, screen and sign in a round of cells."""
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
    of_cells : bool
        Whether the round must be about cells; in a task of the crowd there are only tiles.
    experts : bool
        Whether one of the crowd may not.
    unblinded : bool
        Whether somebody who is reading blinded is kept from it.
    """

    role: Role = Role.RATER
    in_round: bool = False
    while_open: bool = False
    of_cells: bool = False
    experts: bool = False
    unblinded: bool = False


RULES: dict[Operation, Rule] = {
    Operation.LOOK: Rule(),
    Operation.DRAW: Rule(experts=True),
    Operation.ENTER: Rule(in_round=True),
    Operation.ANSWER: Rule(in_round=True, while_open=True),
    Operation.READ: Rule(in_round=True, of_cells=True),
    Operation.WORK: Rule(in_round=True, while_open=True, of_cells=True),
    Operation.LEAD: Rule(Role.LEAD),
    Operation.COMPARE: Rule(Role.LEAD, unblinded=True),
}
"""Role × round × blinding: what is not allowed here is refused."""
CROWD_TASKS = (RoundKind.CROWD_BOXES, RoundKind.CROWD_TILES)


def _unsigned(of: str, slide: str = "c.slide_id") -> str:
    """Return the condition that something was done by others in a case of a slide that is counted alone."""
    return f"""
({of}.round_id IN (SELECT value FROM json_each(:alone)) AND {of}.rater_id NOT IN (:rater, :speaker)
 AND {slide} IN (SELECT value FROM json_each(:counting)))
"""  # noqa: S608 constant parts


VISIBLE = f"""
(e.kind <> 'label' OR (e.rater_id = :speaker AND e.round_id = :round)
 OR NOT (:blinded OR {_unsigned("e", "(SELECT o.slide_id FROM cell AS o WHERE o.id = e.cell_id)")}))
"""  # noqa: S608 constant parts
"""Events e that the rater may know of."""
LAST_VISIBLE_OPEN = "(SELECT max(e.seq) FROM event AS e WHERE e.cell_id = c.id)"
"""The last of them at a cell c in a round that is not blinded."""
LAST_VISIBLE_ALONE = f"(SELECT max(e.seq) FROM event AS e WHERE e.cell_id = c.id AND {VISIBLE})"  # noqa: S608
"""The same in a case that the rater counts alone."""
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
ALONE = _unsigned("n")
"""Present labels n of cells c that others gave in a case which the rater still counts alone."""
FOUND_ALONE = f"""
EXISTS (SELECT 1 FROM event AS e WHERE e.cell_id = c.id AND e.kind = 'create' AND {_unsigned("e")})
"""  # noqa: S608 constant parts
"""Cells c that others found in such a case."""


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
    alone : tuple of int
        The cases of the study, where the rater counts one of them; else none.
    counting : tuple of int
        The slides that the rater counts, and has yet to sign.
    hides_found : bool
        Whether cells do not show that others found in these: in the case itself and in free labelling. In
        other rounds they are put before the rater, without what others said of them.
    """

    rater_id: int
    round_id: int
    speaker_id: int
    is_blinded: bool
    shows_labels: bool
    own_only: bool
    pending: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()
    counting: tuple[int, ...] = ()
    hides_found: bool = False

    def values(self) -> dict[str, Any]:
        """Return the parameters of the queries."""
        return {
            "rater": self.rater_id,
            "speaker": self.speaker_id,
            "round": self.round_id,
            "blinded": int(self.is_blinded),
            "pending": json.dumps(list(self.pending)),
            "alone": json.dumps(list(self.alone)),
            "counting": json.dumps(list(self.counting)),
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
def permit(
    connection: sqlite3.Connection, visitor: Visitor, operation: Operation, *, slide_id: int | None = None
) -> None: ...


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
        The slide that it is about.

    Returns
    -------
    Assignment or None
        How the rater sees the cells of the round; None for an operation outside of rounds.

    Raises
    ------
    ForbiddenError
        If somebody else may do it, the round is closed, or the rater is reading blinded.
    NotFoundError
        If there is no such round that a rater works in, or no such slide in it or among the rater's.
    """
    rule, is_lead = RULES[operation], visitor.role is Role.LEAD
    if rule.role is Role.LEAD and not is_lead:
        raise ForbiddenError("only the lead of the study may do this", mend=_ASK)
    if rule.unblinded:
        _check_unblinded(connection, visitor.rater_id)
    if not rule.in_round and slide_id is not None and slide_id not in slides_of(connection, visitor):
        raise NotFoundError("there is no such slide among yours", mend=_ASK)
    if rule.experts and visitor.kind is RaterKind.CROWD and not is_lead:
        raise ForbiddenError("outlines are drawn by experts", mend=_ASK)
    if not rule.in_round:
        return None
    row = read_round_row(connection, round_id or 0)
    if not is_lead and not is_assigned(connection, row.id, visitor.rater_id):
        raise ForbiddenError("you do not work in this round", mend=_ASK)
    if rule.of_cells and row.kind in CROWD_TASKS:
        raise ForbiddenError("this round is about tiles, not cells", mend="answer on its tiles")
    if rule.while_open and not row.terms.is_open:
        raise RoundClosedError("this round is closed", mend=f"{_ASK} to open it")
    if slide_id is not None and not _covers(connection, row, slide_id):
        raise NotFoundError("there is no such slide in this round", mend="read the rounds again")
    (name,) = connection.execute("SELECT name FROM rater WHERE id = ?", (visitor.rater_id,)).fetchone()
    return Assignment(row, _sight_of(connection, row, visitor), name)


def round_slides(connection: sqlite3.Connection, row: RoundRow) -> list[int]:
    """Return the slides of a round: those stated, those with its tiles or listed cells, or else all."""
    stated = None if row.terms.slides is None else set(row.terms.slides)
    found = (slide for (slide,) in connection.execute(_slides_sql(row), (row.id,)))
    return sorted(slide for slide in found if stated is None or slide in stated)


def _slides_sql(row: RoundRow) -> str:
    if row.kind in CROWD_TASKS:
        return "SELECT DISTINCT slide_id FROM task_tile WHERE round_id = ?1"
    if row.is_listed and row.kind is not RoundKind.UNSTATED:
        return f"SELECT slide_id FROM scope_tally WHERE scope = ?1 AND bucket = {WHOLE_SLIDE}"  # noqa: S608
    return "SELECT id AS slide_id FROM slide WHERE ?1 > 0"


def _covers(connection: sqlite3.Connection, row: RoundRow, slide_id: int) -> bool:
    """Whether a slide is one of a round."""
    sql = f"SELECT 1 FROM ({_slides_sql(row)}) WHERE slide_id = ?2"  # noqa: S608 constant parts
    is_there = connection.execute(sql, (row.id, slide_id)).fetchone() is not None
    return is_there and (row.terms.slides is None or slide_id in row.terms.slides)


def slides_of(connection: sqlite3.Connection, visitor: Visitor) -> set[int]:
    """Return the slides that somebody sees: those of the rater's rounds, open or closed; a lead sees all."""
    if visitor.role is Role.LEAD:
        return {slide for (slide,) in connection.execute("SELECT id FROM slide")}
    mine = _assigned(connection, visitor.rater_id)
    rows = read_round_rows(connection).values()
    return {slide for row in rows if row.id in mine for slide in round_slides(connection, row)}


def _check_unblinded(connection: sqlite3.Connection, rater_id: int) -> None:
    rounds = _blinded_rounds(connection, rater_id)
    if rounds:
        mend = f"finish and close {rounds[0].name!r} first"
        raise BlindedError("you are reading blinded yourself", mend=mend)


def _sight_of(connection: sqlite3.Connection, row: RoundRow, visitor: Visitor) -> Sight:
    speaker = rater_id = visitor.rater_id
    if row.terms.speaks_as == "consensus":
        found = connection.execute("SELECT id FROM rater WHERE name = ?", (CONSENSUS_RATER.name,)).fetchone()
        speaker = 0 if found is None else found[0]
    alone, counting = _counted_alone(connection, row.id, rater_id, visitor.role)
    return Sight(
        rater_id=rater_id,
        round_id=row.id,
        speaker_id=speaker,
        is_blinded=row.is_blinded,
        shows_labels=row.terms.shows_labels,
        own_only=row.terms.shows_cells == "own",
        pending=tuple(round_.id for round_ in _blinded_rounds(connection, rater_id) if round_.id != row.id),
        alone=alone,
        counting=counting,
        hides_found=bool(alone) and row.kind in (RoundKind.CASE_REVIEW, RoundKind.UNSTATED),
    )


def _assigned(connection: sqlite3.Connection, rater_id: int) -> set[int]:
    rows = connection.execute("SELECT round_id FROM assignment WHERE rater_id = ?", (rater_id,))
    return {round_id for (round_id,) in rows}


def _blinded_rounds(connection: sqlite3.Connection, rater_id: int) -> list[RoundRow]:
    """Return the open rounds in which a rater reads cells of others without their labels."""
    mine = _assigned(connection, rater_id)
    return [
        row
        for id_, row in read_round_rows(connection).items()
        if id_ in mine and row.is_blinded and row.terms.is_open and row.terms.shows_cells == "all"
    ]


def is_unblinded(connection: sqlite3.Connection, visitor: Visitor) -> bool:
    """Whether somebody is a lead who reads nothing blinded, and so may know what everybody said."""
    return visitor.role is Role.LEAD and not _blinded_rounds(connection, visitor.rater_id)


def sees_result(connection: sqlite3.Connection, visitor: Visitor, result: SignedResult) -> bool:
    """Whether somebody may read a signed result: it tells what a rater said of the cells of a slide.

    One's own always; those of others not while one is still reading that slide blinded. Then a lead sees all,
    and a rater those of the own rounds on slides that the rater has signed there too.
    """
    if visitor.rater_id == result.rater_id:
        return True
    rounds = _blinded_rounds(connection, visitor.rater_id)
    if any(_covers(connection, row, result.slide_id) for row in rounds):
        return False
    return visitor.role is Role.LEAD or (
        is_assigned(connection, result.round_id, visitor.rater_id)
        and result.slide_id in signed_slides(connection, result.round_id, visitor.rater_id)
    )


def check_drawn(
    connection: sqlite3.Connection, visitor: Visitor, *, slide_id: int, rater_id: int | None
) -> None:
    """Allow the change of an outline, or refuse it: a rater changes the own ones, a lead all.

    Parameters
    ----------
    visitor : Visitor
        Who asks.
    slide_id : int
        The slide that it is or was on.
    rater_id : int, optional
        Who drew it; None for one of a file.

    Raises
    ------
    NotFoundError
        If the slide is not among the visitor's.
    ForbiddenError
        If somebody else drew it, or one of the crowd asks.
    """
    permit(connection, visitor, Operation.DRAW, slide_id=slide_id)
    if visitor.role is not Role.LEAD and rater_id != visitor.rater_id:
        raise ForbiddenError("somebody else drew this", mend=_ASK)


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
    if not takes(connection, row, cell_id) or not shows(connection, sight, cell_id):
        raise no_such_cell()
    if kind == "label" or not (row.is_blinded or row.is_listed):
        return
    sql = "SELECT 1 FROM event WHERE cell_id = ? AND kind = 'create' AND rater_id IN (?, ?)"
    made = connection.execute(sql, (cell_id, sight.rater_id, sight.speaker_id)).fetchone()
    if made is None:
        what = "somebody else found this cell: here it can be labelled, not moved or deleted"
        raise ForbiddenError(what, mend=_ASK)


def no_such_cell() -> NotFoundError:
    """Return the refusal of a cell that does not show."""
    return NotFoundError("there is no such cell in this round", mend="read the cells again")


def takes(connection: sqlite3.Connection, row: RoundRow, cell_id: int) -> bool:
    """Whether a cell belongs to a round: it is on its list, or the round covers all cells of its slides."""
    if row.is_listed and row.kind is not RoundKind.UNSTATED:
        sql = "SELECT 1 FROM round_cell WHERE (cell_id, round_id) = (?, ?)"
        return connection.execute(sql, (cell_id, row.id)).fetchone() is not None
    slide = connection.execute("SELECT slide_id FROM cell WHERE id = ?", (cell_id,)).fetchone()
    return slide is not None and (row.terms.slides is None or slide[0] in row.terms.slides)


def shows(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> bool:
    """Whether a cell of the round shows to the rater."""
    if not sight.own_only and not sight.hides_found:
        return True
    seen = OWN if sight.own_only else f"NOT {FOUND_ALONE}"
    sql = f"SELECT 1 FROM cell AS c WHERE c.id = :cell AND {seen}"  # noqa: S608 constant parts
    return connection.execute(sql, sight.values() | {"cell": cell_id}).fetchone() is not None


def last_visible(connection: sqlite3.Connection, cell_id: int, *, rater_id: int, round_id: int) -> int:
    """Return the last event of a cell that a rater sees in a round.

    In a blinded round these are changes of the cell itself and the rater's own labels in this round: the
    number gives nothing away about the labels of others (promise 10). In an open round all events count, but
    in a case not the labels that others give it before the rater has signed it.
    """
    row = connection.execute(_ROUND_SQL, (rater_id, round_id)).fetchone() or (0, None)
    alone, counting = _counted_alone(connection, round_id, rater_id, row[1])
    sight = Sight(rater_id, round_id, rater_id, bool(row[0]), False, False, alone=alone, counting=counting)
    return last_seen(connection, sight.values() | {"cell": cell_id})


_ROUND_SQL = """
SELECT r.is_blinded, (SELECT a.role FROM access AS a WHERE a.rater_id = ?1) FROM round AS r WHERE r.id = ?2
"""


def _counted_alone(
    connection: sqlite3.Connection, round_id: int, rater_id: int, role: str | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return all cases, and the slides that a rater counts in this one or in open ones and has not signed.

    Nothing where the rater counts none; a lead sees all.
    """
    if role == Role.LEAD:
        return (), ()
    cases = [row for row in read_round_rows(connection).values() if row.kind is RoundKind.CASE_REVIEW]
    mine = _assigned(connection, rater_id) if cases else set()
    counting: set[int] = set()
    for row in cases:
        if row.id == round_id or (row.id in mine and row.terms.is_open):
            counting |= set(round_slides(connection, row)) - set(signed_slides(connection, row.id, rater_id))
    return (tuple(row.id for row in cases), tuple(sorted(counting))) if counting else ((), ())


def last_seen(connection: sqlite3.Connection, values: dict[str, Any]) -> int:
    """Return the last visible event of a cell, as :func:`last_visible`, by the parameters of a query."""
    sql = f"SELECT ifnull(max(seq), 0) FROM event AS e WHERE cell_id = :cell AND {VISIBLE}"  # noqa: S608
    (seq,) = connection.execute(sql, values).fetchone()
    return int(seq)
