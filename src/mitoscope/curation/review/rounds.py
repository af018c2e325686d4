"""The rounds of a review in a store: found by their names, opened once.

A review of the name NAME is one round ``NAME``, or some ``NAME, bin 1 of 10``; then ``NAME, second read``
where its first reading was on the board; ``NAME, third expert``; and ``NAME, outcome``.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from mitoscope.errors import NotFoundError, StoreError
from mitoscope.store.kinds import RoundKind
from mitoscope.store.vocabulary import read_rounds

SECOND, THIRD, OUTCOME = "second read", "third expert", "outcome"
_BIN = re.compile(r"bin \d+ of \d+")


def bin_name(name: str, number: int, bins: int) -> str:
    """Return the name of the round of a bin, from 1; of the review itself where it has one bin."""
    return name if bins == 1 else f"{name}, bin {number} of {bins}"


@dataclass(frozen=True, slots=True)
class ReviewRounds:
    """The rounds of a review by their ids.

    Parameters
    ----------
    name : str
        Of the review.
    kind : RoundKind
        Of its first rounds.
    first : tuple of int
        Its round, or one a bin, bins of high scores first.
    second, third : int, optional
        The second read of a board, and the third expert's.
    """

    name: str
    kind: RoundKind
    first: tuple[int, ...]
    second: int | None = None
    third: int | None = None

    @property
    def read(self) -> tuple[int, ...]:
        """Rounds in which the first two readings are given."""
        return self.first if self.second is None else (*self.first, self.second)

    @property
    def scope(self) -> tuple[int, ...]:
        """Rounds whose cells need two readings: of a board the second read's, once it is open."""
        return self.first if self.second is None else (self.second,)


def find_rounds(connection: sqlite3.Connection, name: str) -> ReviewRounds | None:
    """Return the rounds of a review, or None where there is none of that name."""
    ids = {one.name: id_ for id_, one in read_rounds(connection).items()}
    kinds = {id_: one.kind for id_, one in read_rounds(connection).items()}
    bins = [n for n in ids if n.startswith(f"{name}, ") and _BIN.fullmatch(n.removeprefix(f"{name}, "))]
    first = tuple(ids[one] for one in ([name] if name in ids else bins))
    if not first:
        return None
    kind = kinds[first[0]]
    return ReviewRounds(name, kind, first, ids.get(f"{name}, {SECOND}"), ids.get(f"{name}, {THIRD}"))


def rounds_of(connection: sqlite3.Connection, name: str) -> ReviewRounds:
    """Return the rounds of a review.

    Raises
    ------
    NotFoundError
        If there is no review of that name.
    StoreError
        If its round covers all cells: it is none.
    """
    found = find_rounds(connection, name)
    if found is None:
        known = ", ".join(one.name for one in read_rounds(connection).values())
        raise NotFoundError(f"no review of the name {name!r}", mend=f"rounds are {known}")
    for id_ in found.first:
        (listed,) = connection.execute("SELECT is_listed FROM round WHERE id = ?", (id_,)).fetchone()
        if not listed:
            raise StoreError("a round over all cells, not a review", where=f"round {name!r}")
    return found


def listed_cells(connection: sqlite3.Connection, rounds: tuple[int, ...]) -> list[int]:
    """Return the live cells listed in any of some rounds, in order of their ids."""
    sql = (
        "SELECT DISTINCT c.id FROM round_cell AS l JOIN cell AS c ON c.id = l.cell_id AND c.is_deleted = 0 "
        "WHERE l.round_id IN (SELECT value FROM json_each(?)) ORDER BY c.id"
    )
    return [cell for (cell,) in connection.execute(sql, (f"[{', '.join(map(str, rounds))}]",))]
