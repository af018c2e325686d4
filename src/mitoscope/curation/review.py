"""Reviews: cells that two experts read independently, then a third where they differ.

Candidates, hard examples and relabelled cells of a board all go this way (CCMCT, CMC and MIDOG++). Each step
looks at the store as it is and can be repeated: what is done already is not done twice.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import IncompleteRunError, StoreError
from mitoscope.store import (
    CONSENSUS_RATER,
    CellEvent,
    Policy,
    Rater,
    RaterKind,
    Review,
    ReviewPart,
    RoundKind,
    Store,
    add_review,
    agreed,
    disputed,
    find_review,
    id_of,
    intern_raters,
    list_cells,
    listed_cells,
    open_part,
    read_labels,
    read_raters,
    read_review,
    read_turns,
    record,
    record_outcome,
    relabelled_on,
    rounds_of_cells,
    said_by,
)
from mitoscope.truth import NO_CLASS, majority_of_three

Ids = NDArray[np.int64]


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
        Disputed cells that no third has read.
    unresolved : int
        Disputed cells on which the third agrees with neither: they stay without a class.
    unrecorded : int
        Cells on which two agree and whose class was not recorded yet.
    outcome : mapping of str to int
        Cells by the label on which two agree.
    """

    name: str
    cells: int
    read: Mapping[str, int]
    waiting: int
    disputed: int
    undecided: int
    unresolved: int
    unrecorded: int
    outcome: Mapping[str, int]

    @property
    def next_step(self) -> str:
        """What is to be done now."""
        if self.waiting:
            return "two experts read"
        if self.undecided:
            return "a third expert decides"
        return "conclude it" if self.unrecorded else "done"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a review came to: labels written now, cells that had theirs already, cells left open."""

    label_of: Mapping[int, int]
    written: int
    unchanged: int
    open: int


@dataclass(frozen=True, eq=False)
class Readings:
    """Labels of cells by the turn of the expert.

    Parameters
    ----------
    cell_id : ndarray of int64, shape (n,)
        Ids, ascending.
    label_id : ndarray of int64, shape (n, 3)
        Label of the first, second and third expert, or `NO_CLASS`.
    """

    cell_id: Ids
    label_id: Ids

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """Whether a second reading is missing, shape (n,)."""
        return np.asarray(self.label_id[:, 1] == NO_CLASS)

    @property
    def disputed(self) -> NDArray[np.bool_]:
        """Whether the first two differ, shape (n,)."""
        return np.asarray((self.label_id[:, 0] != self.label_id[:, 1]) & ~self.waiting)

    @property
    def undecided(self) -> NDArray[np.bool_]:
        """Whether a disputed cell waits for the third expert, shape (n,)."""
        return np.asarray(self.disputed & (self.label_id[:, 2] == NO_CLASS))

    def with_unread(self, label_id: int) -> Readings:
        """Return the readings with a label for the cells that nobody has read."""
        label = self.label_id.copy()
        label[label[:, 0] == NO_CLASS, :2] = label_id
        return Readings(self.cell_id, label)

    @property
    def outcome(self) -> Ids:
        """What two of three agree on, or `NO_CLASS`, shape (n,)."""
        return majority_of_three(*self.label_id.T)


def open_review(
    store: Store, name: str, cells: Collection[int], *, kind: RoundKind = RoundKind.CANDIDATE_REVIEW
) -> int:
    """Open a review of known cells, or add cells to it, and return how many are new in it.

    The experts do not see each other's labels, nor those given before; on a board they do.

    Raises
    ------
    StoreError
        If there is no cell, or a cell is not there.
    ConflictError
        If a round has that name, or a review of another kind.
    """
    if not cells:
        raise StoreError("no cells to review", where=f"review {name!r}")
    with store.writing() as connection:
        review = find_review(connection, name)
        if review is not None and (review.kind is not kind or len(review.first) != 1):
            review = add_review(connection, name, kind)  # refuses it
        if review is None:
            review = add_review(connection, name, kind)
            round_id = open_part(connection, review, ReviewPart.FIRST)
        else:
            (round_id,) = review.first
        return list_cells(connection, round_id, cells)


def open_third(store: Store, name: str) -> int:
    """Put all cells on which the first two experts of the study differ before a third; return how many.

    Their readings were given in any rounds; `conclude` then records what two of three agree on.

    Raises
    ------
    ConflictError
        If there is a round or another review of that name.
    """
    with store.writing() as connection:
        cells = disputed(connection)
        review = find_review(connection, name)
        if review is None:
            review = add_review(connection, name, RoundKind.THIRD_EXPERT)
        elif review.kind is not RoundKind.THIRD_EXPERT:
            add_review(connection, name, RoundKind.THIRD_EXPERT)  # refuses it
        round_id = open_part(connection, review, ReviewPart.THIRD, name=name)
        return list_cells(connection, round_id, cells)


def review_state(store: Store, name: str) -> ReviewState:
    """Return how far a review is.

    Raises
    ------
    NotFoundError
        If there is no review of that name.
    """
    with store.reading() as connection:
        review = read_review(connection, name)
        readings = _readings(connection, review)
        labels = {id_: label.name for id_, label in read_labels(connection).items()}
        outcome = readings.outcome
        decided = outcome != NO_CLASS
        view = agreed(connection, Policy.RECORDED)
        recorded = view.label_id[np.searchsorted(view.cell_id, readings.cell_id)]
        return ReviewState(
            name=name,
            cells=len(readings.cell_id),
            read=_read_by(connection, review, readings),
            waiting=int(readings.waiting.sum()),
            disputed=int(readings.disputed.sum()),
            undecided=int(readings.undecided.sum()),
            unresolved=int((readings.disputed & ~readings.undecided & ~decided).sum()),
            unrecorded=int((decided & (recorded != outcome)).sum()),
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
    NotFoundError
        If there is no review of that name.
    """
    with store.writing() as connection:
        review = read_review(connection, name)
        readings = _readings(connection, review)
        _refuse_half_done(connection, review, readings, partial=partial)
        wanted = readings.cell_id[readings.disputed].tolist()
        if not wanted:
            return 0
        return list_cells(connection, open_part(connection, review, ReviewPart.THIRD), wanted)


def conclude(
    store: Store,
    name: str,
    *,
    partial: bool = False,
    unread: str | None = None,
    rater: Rater = CONSENSUS_RATER,
) -> Outcome:
    """Record what two of three agree on as labels of a consensus rater, in one transaction.

    Repeating it writes nothing new. A cell left open keeps what was recorded of it before.

    Parameters
    ----------
    store : Store
        Open for writing.
    name : str
        Of the review.
    partial : bool
        Go on although cells still wait for a reading or for the third expert; they are left open.
    unread : str, optional
        Class of the cells that nobody has read: candidates of low scores are non-mitotic (CMC).
    rater : Rater
        In whose name the outcome stands.

    Raises
    ------
    IncompleteRunError
        If cells still wait for a reading, or for the third expert.
    NotFoundError
        If there is no review of that name, or no such class in the study.
    """
    with store.writing() as connection:
        review = read_review(connection, name)
        readings = _readings(connection, review)
        if unread is not None:
            readings = readings.with_unread(id_of(connection, "label", unread))
        _refuse_half_done(connection, review, readings, partial=partial)
        undecided = int(readings.undecided.sum())
        if undecided and not partial:
            what = f"{undecided} disputed cells wait for a third expert"
            mend = "let the third read them, or continue with --partial"
            raise IncompleteRunError(what, where=f"review {name!r}", mend=mend)
        decided = readings.outcome != NO_CLASS
        cells, labels = readings.cell_id[decided].tolist(), readings.outcome[decided].tolist()
        label_of = dict(zip(cells, labels, strict=True))
        round_id = open_part(connection, review, ReviewPart.OUTCOME)
        written = record_outcome(connection, label_of, round_id, rater=rater)
        return Outcome(label_of, written, len(label_of) - written, int((~decided).sum()))


def answer(store: Store, name: str, rater: str, label_of: Mapping[int, str], *, third: bool = False) -> int:
    """Record the labels of an expert who read elsewhere, e.g. from crops; return how many are new.

    All in one transaction, into the rounds of the review as if given there. A label that the expert has given
    already is not given again.

    Parameters
    ----------
    store : Store
        Open for writing.
    name : str
        Of the review.
    rater : str
        Name of the expert.
    label_of : mapping of int to str
        Cell id → name of a label of the study.
    third : bool
        In the round of the third expert.

    Raises
    ------
    StoreError
        If there is no such review, cell of it, or label; or no third round yet.
    """
    with store.writing() as connection:
        review = read_review(connection, name)
        third = third or review.kind is RoundKind.THIRD_EXPERT
        if third and review.third is None:
            raise StoreError("no third expert was asked", where=f"review {name!r}", mend="use --third-expert")
        wanted = (review.third or 0,) if third else review.read or ()
        round_of = rounds_of_cells(connection, wanted)
        odd = sorted(set(label_of) - set(round_of))
        if odd:
            raise StoreError(
                "not in the review", where=f"cell {odd[0]}", mend=f"it is not listed in {name!r}"
            )
        (rater_id,) = intern_raters(connection, [Rater(rater, RaterKind.EXPERT)]).tolist()
        said = {round_: said_by(connection, rater_id, [round_]) for round_ in wanted}
        new = 0
        for cell, label in label_of.items():
            label_id = id_of(connection, "label", label)
            if said[round_of[cell]].get(cell) != label_id:
                record(connection, CellEvent("label", cell, rater_id, round_of[cell], label_id=label_id))
                new += 1
        return new


def open_board(store: Store, name: str, cells: Collection[int]) -> int:
    """Open the round in which an expert sees the board and present classes; return how many cells are new.

    The expert labels only what is wrong on the board: a cell without a label there keeps its class.
    """
    return open_review(store, name, cells, kind=RoundKind.BOARD_REVIEW)


def relabelled(store: Store, name: str, before: Mapping[int, int]) -> dict[int, int]:
    """Return the cells that have another label on the board than before, and that label.

    Parameters
    ----------
    store : Store
    name : str
        Of the board's review.
    before : mapping of int to int
        Cell id → label id before the board.

    Raises
    ------
    NotFoundError
        If there is no review of that name.
    """
    with store.reading() as connection:
        (board,) = read_review(connection, name).first
        now = relabelled_on(connection, board)
    return {cell: label for cell, label in now.items() if before.get(cell) != label}


def ask_second(store: Store, name: str, before: Mapping[int, int]) -> int:
    """Put the relabelled cells before a second expert, blinded, without the board; return how many are new.

    From here on the review goes its usual way: the label on the board is the first reading, that of the
    second expert the second; `ask_third` and `conclude` follow.

    Raises
    ------
    IncompleteRunError
        If nothing was relabelled on the board: there is nothing to read.
    NotFoundError
        If there is no review of that name.
    """
    changed = relabelled(store, name, before)
    if not changed:
        what = "no cell was relabelled on the board"
        raise IncompleteRunError(what, where=f"review {name!r}", mend="label what is wrong on it first")
    with store.writing() as connection:
        review = read_review(connection, name)
        return list_cells(connection, open_part(connection, review, ReviewPart.SECOND), changed)


def _readings(connection: sqlite3.Connection, review: Review) -> Readings:
    """Return the readings of the cells of a review.

    Of several who read, the first two count: a further one there decides nothing, as in `truth.disputes`. In
    the third round the last to speak decides, unless it is one of the first two.
    """
    ids = np.array(listed_cells(connection, review.scope), dtype=np.int64)
    row_of = {cell: row for row, cell in enumerate(ids.tolist())}
    label = np.full((len(ids), 3), NO_CLASS, dtype=np.int64)
    who = np.full((len(ids), 2), NO_CLASS, dtype=np.int64)
    for cell, rater, label_id in _turns(connection, review):
        row = row_of.get(cell)
        turn = 2 if row is None else int((who[row] != NO_CLASS).sum())
        if turn < 2:
            who[row, turn], label[row, turn] = rater, label_id
    if review.third is not None:
        for cell, rater, label_id in read_turns(connection, [review.third]):
            row = row_of.get(cell)
            # Who has read a cell cannot decide about it a second time.
            if row is not None and rater not in who[row]:
                label[row, 2] = label_id
    return Readings(ids, label)


def _turns(connection: sqlite3.Connection, review: Review) -> list[tuple[int, int, int]]:
    if review.read is None:
        return read_turns(connection, review.scope, among=False)
    return read_turns(connection, review.read)


def _read_by(connection: sqlite3.Connection, review: Review, readings: Readings) -> dict[str, int]:
    names = {id_: rater.name for id_, rater in read_raters(connection).items()}
    cells = set(readings.cell_id.tolist())
    done = Counter(rater for cell, rater, _ in _turns(connection, review) if cell in cells)
    return {names[rater]: done[rater] for rater in sorted(done)}


def _refuse_half_done(
    connection: sqlite3.Connection, review: Review, readings: Readings, *, partial: bool
) -> None:
    waiting = int(readings.waiting.sum())
    if not waiting or partial:
        return
    read = _read_by(connection, review, readings)
    said = ", ".join(f"{name} {count}" for name, count in read.items()) or "nobody has begun"
    raise IncompleteRunError(
        f"{waiting} of {len(readings.cell_id)} cells wait for a reading ({said})",
        where=f"review {review.name!r}",
        mend="let the raters finish, or continue with --partial",
    )
