"""Reviews: cells that two experts read independently, and a third where they differ; each with its rounds."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from mitoscope.errors import ConflictError, NotFoundError
from mitoscope.store.encoding import id_list, insert, well_formed
from mitoscope.store.records import Round, RoundKind
from mitoscope.store.vocabulary import intern_rounds


class ReviewPart(StrEnum):
    """What a round is in its review."""

    FIRST = "first"
    """In which both experts read, or in which the first relabels on a board."""
    SECOND = "second read"
    """Of what was relabelled on a board."""
    THIRD = "third expert"
    OUTCOME = "outcome"
    """What two of three agree on, as labels of a consensus."""
    PROPOSALS = "proposals"
    """In which a model made the cells."""


_KIND_OF_PART = {
    ReviewPart.SECOND: RoundKind.SECOND_READ,
    ReviewPart.THIRD: RoundKind.THIRD_EXPERT,
    ReviewPart.OUTCOME: RoundKind.CONSENSUS,
    ReviewPart.PROPOSALS: RoundKind.UNSTATED,
}


@dataclass(frozen=True, slots=True)
class Review:
    """A review and its rounds by their ids.

    Parameters
    ----------
    id : int
        Of the review.
    name : str
        Its name.
    kind : RoundKind
        Of its first rounds; ``third expert`` where a third decides over what was read in other rounds.
    first : tuple of int
        Its round, or one a bin, bins of high scores first.
    second, third, outcome, proposals : int, optional
        Further rounds, where they are open.
    """

    id: int
    name: str
    kind: RoundKind
    first: tuple[int, ...]
    second: int | None = None
    third: int | None = None
    outcome: int | None = None
    proposals: int | None = None

    @property
    def read(self) -> tuple[int, ...] | None:
        """Rounds in which the first two readings are given; None for all but the third expert's."""
        if self.kind is RoundKind.THIRD_EXPERT:
            return None
        return self.first if self.second is None else (*self.first, self.second)

    @property
    def scope(self) -> tuple[int, ...]:
        """Rounds whose cells need two readings: of a board the second read's, once it is open."""
        if self.kind is RoundKind.THIRD_EXPERT:
            return () if self.third is None else (self.third,)
        return self.first if self.second is None else (self.second,)


@well_formed()
def find_review(connection: sqlite3.Connection, name: str) -> Review | None:
    """Return a review with its rounds, or None where there is none of that name."""
    row = connection.execute("SELECT id, kind FROM review WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    rounds = connection.execute(
        "SELECT part, round_id FROM review_round WHERE review_id = ? ORDER BY round_id", (row[0],)
    ).fetchall()
    one = {ReviewPart(part): id_ for part, id_ in rounds}
    return Review(
        row[0],
        name,
        RoundKind(row[1]),
        tuple(id_ for part, id_ in rounds if part == ReviewPart.FIRST),
        one.get(ReviewPart.SECOND),
        one.get(ReviewPart.THIRD),
        one.get(ReviewPart.OUTCOME),
        one.get(ReviewPart.PROPOSALS),
    )


def read_review(connection: sqlite3.Connection, name: str) -> Review:
    """Return a review with its rounds.

    Raises
    ------
    NotFoundError
        If there is no review of that name.
    """
    found = find_review(connection, name)
    if found is None:
        known = [known for (known,) in connection.execute("SELECT name FROM review ORDER BY id")]
        mend = f"reviews are {', '.join(known) or 'none yet'}"
        raise NotFoundError(f"no review of the name {name!r}", mend=mend)
    return found


def read_reviews(connection: sqlite3.Connection) -> list[Review]:
    """Return all reviews with their rounds, in the order in which they were opened."""
    names = connection.execute("SELECT name FROM review ORDER BY id").fetchall()
    return [read_review(connection, name) for (name,) in names]


def review_of_round(connection: sqlite3.Connection, round_id: int) -> str | None:
    """Return the name of the review of candidates that a round belongs to as a first reading, or None."""
    row = connection.execute(
        "SELECT v.name FROM review AS v JOIN review_round AS p ON p.review_id = v.id "
        "WHERE (p.round_id, p.part, v.kind) = (?, ?, ?)",
        (round_id, str(ReviewPart.FIRST), str(RoundKind.CANDIDATE_REVIEW)),
    ).fetchone()
    return None if row is None else str(row[0])


def add_review(connection: sqlite3.Connection, name: str, kind: RoundKind) -> Review:
    """Open a review that has no round yet.

    Raises
    ------
    ConflictError
        If there is a review or a round of that name: the round's labels and settings are left alone.
    """
    if find_review(connection, name) is not None:
        mend = "choose another name"
        raise ConflictError("there is another review of that name", where=f"review {name!r}", mend=mend)
    _refuse_taken(connection, name, name)
    insert(connection, "review", name=name, kind=str(kind))
    return read_review(connection, name)


def open_part(
    connection: sqlite3.Connection, review: Review, part: ReviewPart, *, name: str | None = None
) -> int:
    """Return the round of a part of a review, opened where it is not open yet.

    Parameters
    ----------
    review : Review
        The review.
    part : ReviewPart
        First rounds are always opened anew.
    name : str, optional
        Of the round, by default that of the review and the part.

    Raises
    ------
    ConflictError
        If a round of that name is no part of the review: its labels and settings are left alone.
    """
    known = {
        ReviewPart.SECOND: review.second,
        ReviewPart.THIRD: review.third,
        ReviewPart.OUTCOME: review.outcome,
        ReviewPart.PROPOSALS: review.proposals,
    }.get(part)
    if known is not None:
        return known
    title = name or (review.name if part is ReviewPart.FIRST else f"{review.name}, {part}")
    _refuse_taken(connection, title, review.name)
    kind = _KIND_OF_PART.get(part, review.kind)
    reads = part in (ReviewPart.FIRST, ReviewPart.SECOND, ReviewPart.THIRD)
    (id_,) = intern_rounds(
        connection,
        [Round(title, kind)],
        is_blinded=reads and kind is not RoundKind.BOARD_REVIEW,
        is_listed=reads,
    ).tolist()
    insert(connection, "review_round", round_id=id_, review_id=review.id, part=str(part))
    return int(id_)


def _refuse_taken(connection: sqlite3.Connection, title: str, review: str) -> None:
    taken = connection.execute("SELECT kind FROM round WHERE name = ?", (title,)).fetchone()
    if taken is not None:
        what = f"there is a round of the name {title!r} already ({taken[0]})"
        raise ConflictError(what, where=f"review {review!r}", mend="choose another name")


def listed_cells(connection: sqlite3.Connection, rounds: Collection[int]) -> list[int]:
    """Return the live cells listed in any of some rounds, in order of their ids."""
    sql = (
        "SELECT DISTINCT c.id FROM round_cell AS l JOIN cell AS c ON c.id = l.cell_id AND c.is_deleted = 0 "
        "WHERE l.round_id IN (SELECT value FROM json_each(?)) ORDER BY c.id"
    )
    return [cell for (cell,) in connection.execute(sql, (id_list(rounds),))]


def listed_in_reviews(connection: sqlite3.Connection) -> set[int]:
    """Return the cells that some review of candidates asks of in its first reading."""
    sql = (
        "SELECT DISTINCT l.cell_id FROM round_cell AS l JOIN review_round AS p ON p.round_id = l.round_id "
        "JOIN review AS v ON v.id = p.review_id WHERE (v.kind, p.part) = (?, ?)"
    )
    values = (str(RoundKind.CANDIDATE_REVIEW), str(ReviewPart.FIRST))
    return {cell for (cell,) in connection.execute(sql, values)}


def rounds_of_cells(connection: sqlite3.Connection, rounds: Collection[int]) -> dict[int, int]:
    """Return the round on whose list each cell stands, the last of several."""
    sql = (
        "SELECT cell_id, round_id FROM round_cell "
        "WHERE round_id IN (SELECT value FROM json_each(?)) ORDER BY round_id"
    )
    return dict(connection.execute(sql, (id_list(rounds),)).fetchall())


# A rater's label is the last over the rounds, the order of raters that in which they first spoke there.
_READINGS_SQL = """
SELECT n.cell_id, n.rater_id, n.label_id, max(n.last_seq), min(n.first_seq) AS spoke
FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id AND r.kind = 'expert'
WHERE (n.round_id IN (SELECT value FROM json_each(:rounds))) = :among AND n.label_id IS NOT NULL
GROUP BY n.cell_id, n.rater_id ORDER BY n.cell_id, spoke
"""


@well_formed()
def read_turns(
    connection: sqlite3.Connection, rounds: Collection[int], *, among: bool = True
) -> list[tuple[int, int, int]]:
    """Return cell, expert and label of what experts said in some rounds, or in all others, in their order."""
    values = {"rounds": id_list(rounds), "among": int(among)}
    return [(cell, rater, label) for cell, rater, label, *_ in connection.execute(_READINGS_SQL, values)]


def relabelled_on(connection: sqlite3.Connection, round_id: int) -> dict[int, int]:
    """Return the label that an expert last gave to each cell in a round."""
    sql = (
        "SELECT n.cell_id, n.label_id, max(n.last_seq) FROM label_now AS n "
        "JOIN rater AS r ON r.id = n.rater_id AND r.kind = 'expert' "
        "WHERE n.round_id = ? AND n.label_id IS NOT NULL GROUP BY n.cell_id ORDER BY n.cell_id"
    )
    return {cell: label for cell, label, _ in connection.execute(sql, (round_id,))}


def said_by(connection: sqlite3.Connection, rater_id: int, rounds: Collection[int]) -> dict[int, int | None]:
    """Return what a rater said of cells in some rounds; None where the label was withdrawn."""
    sql = (
        "SELECT cell_id, label_id FROM label_now "
        "WHERE rater_id = ? AND round_id IN (SELECT value FROM json_each(?))"
    )
    return dict(connection.execute(sql, (rater_id, id_list(rounds))).fetchall())


def scores_in(connection: sqlite3.Connection, round_id: int) -> dict[int, float]:
    """Return the scores that were given with labels in a round, by cell."""
    sql = "SELECT cell_id, score FROM label_now WHERE round_id = ? AND score IS NOT NULL"
    return dict(connection.execute(sql, (round_id,)).fetchall())
