"""A review: cells that two experts read independently, then a third where they differ.

Candidates, hard examples and relabelled cells of a board all go this way (CCMCT, CMC and MIDOG++). Each step
looks at the store as it is and can be repeated: what is done already is not done twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mitoscope.curation.ratings import NO_LABEL
from mitoscope.curation.review.readings import Readings, read_readings
from mitoscope.curation.review.rounds import (
    OUTCOME,
    THIRD,
    ReviewRounds,
    find_rounds,
    listed_cells,
    rounds_of,
)
from mitoscope.errors import IncompleteRunError, StoreError
from mitoscope.store.actions import Action, record
from mitoscope.store.kinds import RoundKind
from mitoscope.store.lists import list_cells
from mitoscope.store.records import Rater, Round
from mitoscope.store.store import Store
from mitoscope.store.terms import CONSENSUS_RATER
from mitoscope.store.vocabulary import intern_raters, intern_rounds, read_labels, read_raters

_DONE_SQL = """
SELECT n.rater_id, count(DISTINCT n.cell_id) FROM label_now AS n
JOIN rater AS r ON r.id = n.rater_id AND r.kind = 'expert'
WHERE n.round_id = :round AND n.label_id IS NOT NULL
  AND n.cell_id IN (SELECT value FROM json_each(:cells)) GROUP BY n.rater_id
"""


@dataclass(frozen=True, slots=True)
class ReviewState:
    """How far a review is.

    Parameters
    ----------
    name : str
        Of the review.
    cells : int
        Live cells that it covers.
    read : mapping of str to int
        Cells that each expert has read, in the rounds before the third's.
    waiting : int
        Cells without two readings.
    disputed : int
        Cells on which the first two differ.
    undecided : int
        Disputed cells on which no third has decided.
    outcome : mapping of str to int
        Cells by the label on which two agree.
    """

    name: str
    cells: int
    read: Mapping[str, int]
    waiting: int
    disputed: int
    undecided: int
    outcome: Mapping[str, int]

    @property
    def next_step(self) -> str:
        """What is to be done now."""
        if self.waiting:
            return "two experts read"
        return "a third expert decides" if self.undecided else "done"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a review came to: labels written now, cells that had theirs already, cells left open."""

    label_of: Mapping[int, int]
    written: int
    unchanged: int
    open: int


def open_review(
    store: Store, name: str, cells: Collection[int], *, kind: RoundKind = RoundKind.CANDIDATE_REVIEW
) -> int:
    """Open a review of known cells and return how many are new in it.

    The experts do not see each other's labels, nor those given before.

    Raises
    ------
    StoreError
        If there is no cell, a cell is not there, or a round of that name is of another kind.
    """
    if not cells:
        raise StoreError("no cells to review", where=f"review {name!r}")
    with store.writing() as connection:
        blinded = kind is not RoundKind.BOARD_REVIEW
        rounds = intern_rounds(connection, [Round(name, kind)], is_blinded=blinded, is_listed=True)
        return list_cells(connection, int(rounds[0]), cells)


def review_state(store: Store, name: str) -> ReviewState:
    """Return how far a review is.

    Raises
    ------
    StoreError
        If there is no review of that name.
    """
    with store.reading() as connection:
        rounds = rounds_of(connection, name)
        readings = _readings(connection, rounds)
        labels = {id_: label.name for id_, label in read_labels(connection).items()}
        outcome = readings.outcome
        return ReviewState(
            name=name,
            cells=len(readings.cell_id),
            read=_read_by(connection, rounds, readings),
            waiting=int(readings.waiting.sum()),
            disputed=int(readings.disputed.sum()),
            undecided=int((readings.disputed & (outcome == NO_LABEL)).sum()),
            outcome={labels[id_]: int((outcome == id_).sum()) for id_ in labels if (outcome == id_).any()},
        )


def ask_third(store: Store, name: str, *, partial: bool = False) -> int:
    """Put the disputed cells before a third expert, who does not see the two labels; return how many are new.

    Parameters
    ----------
    store : Store
        Open for writing.
    name : str
        Of the review.
    partial : bool
        Go on although cells still wait for a reading; the others follow when this is repeated.

    Raises
    ------
    IncompleteRunError
        If cells still wait for a reading.
    StoreError
        If there is no review of that name.
    """
    with store.writing() as connection:
        rounds = rounds_of(connection, name)
        readings = _readings(connection, rounds)
        _refuse_half_done(connection, rounds, readings, partial=partial)
        disputed = readings.cell_id[readings.disputed].tolist()
        if not disputed:
            return 0
        third = Round(f"{name}, {THIRD}", RoundKind.THIRD_EXPERT)
        (id_,) = intern_rounds(connection, [third], is_blinded=True, is_listed=True).tolist()
        return list_cells(connection, id_, disputed)


def conclude(store: Store, name: str, *, partial: bool = False, rater: Rater = CONSENSUS_RATER) -> Outcome:
    """Record what two of three agree on as labels of a consensus rater, in one transaction.

    Repeating it writes nothing new. A cell left open keeps what was recorded of it before.

    Raises
    ------
    IncompleteRunError
        If cells still wait for a reading, or for the third expert.
    StoreError
        If there is no review of that name.
    """
    with store.writing() as connection:
        rounds = rounds_of(connection, name)
        readings = _readings(connection, rounds)
        _refuse_half_done(connection, rounds, readings, partial=partial)
        undecided = readings.disputed & (readings.label_id[:, 2] == NO_LABEL)
        if undecided.any() and not partial:
            what = f"{int(undecided.sum())} disputed cells wait for a third expert"
            mend = "let the third read them, or go on with --partial"
            raise IncompleteRunError(what, where=f"review {name!r}", mend=mend)
        decided = readings.outcome != NO_LABEL
        cells, labels = readings.cell_id[decided].tolist(), readings.outcome[decided].tolist()
        label_of = dict(zip(cells, labels, strict=True))
        written = _write_outcome(connection, name, label_of, rater)
        return Outcome(label_of, written, len(label_of) - written, int((~decided).sum()))


def _readings(connection: sqlite3.Connection, rounds: ReviewRounds) -> Readings:
    cells = listed_cells(connection, rounds.scope)
    return read_readings(connection, cells, rounds=rounds.read, third=rounds.third)


def _read_by(connection: sqlite3.Connection, rounds: ReviewRounds, readings: Readings) -> dict[str, int]:
    names = {id_: rater.name for id_, rater in read_raters(connection).items()}
    cells = f"[{', '.join(map(str, readings.cell_id.tolist()))}]"
    done: dict[str, int] = {}
    for round_ in rounds.read:
        for rater, count in connection.execute(_DONE_SQL, {"round": round_, "cells": cells}):
            done[names[rater]] = done.get(names[rater], 0) + count
    return done


def _refuse_half_done(
    connection: sqlite3.Connection, rounds: ReviewRounds, readings: Readings, *, partial: bool
) -> None:
    waiting = int(readings.waiting.sum())
    if not waiting or partial:
        return
    read = _read_by(connection, rounds, readings)
    said = ", ".join(f"{name} {count}" for name, count in read.items()) or "nobody has begun"
    raise IncompleteRunError(
        f"{waiting} of {len(readings.cell_id)} cells wait for a reading ({said})",
        where=f"review {rounds.name!r}",
        mend="let the raters finish, or go on with --partial",
    )


def _write_outcome(
    connection: sqlite3.Connection, name: str, label_of: Mapping[int, int], rater: Rater
) -> int:
    (rater_id,) = intern_raters(connection, [rater]).tolist()
    (round_id,) = intern_rounds(connection, [Round(f"{name}, {OUTCOME}", RoundKind.CONSENSUS)]).tolist()
    known = dict(connection.execute("SELECT cell_id, label_id FROM agreed_recorded").fetchall())
    news = {cell: label for cell, label in label_of.items() if known.get(cell) != label}
    for cell, label in news.items():
        record(connection, Action("label", cell, rater_id, round_id, label_id=label))
    return len(news)


def is_open(store: Store, name: str) -> bool:
    """Whether there is a review of that name."""
    with store.reading() as connection:
        return find_rounds(connection, name) is not None
