"""The terms of a round: who works in it, on which slides, and what they are shown."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mitoscope.store.encoding import exists, found, id_list, put, well_formed
from mitoscope.store.records import Rater, RoundKind
from mitoscope.truth import RaterKind

ShowsCells = Literal["own", "all"]
SpeaksAs = Literal["rater", "consensus"]
CONSENSUS_RATER = Rater("consensus", RaterKind.CONSENSUS)
"""In whose name experts speak with one voice, and settled classes are recorded."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds in a round.

    Parameters
    ----------
    is_open : bool
        Whether work goes on.
    shows_labels : bool
        Whether a cell comes with the labels that others gave it; never in a blinded round.
    shows_cells : str
        ``own``: a rater sees the cells that the rater has made or labelled there, as in a first screening;
        ``all``: every cell.
    speaks_as : str
        ``rater``, or ``consensus``: several experts at one screen label with one voice.
    slides : tuple of int, optional
        Ids; by default all of the study.
    settings : mapping
        Further JSON values, e.g. the size of the fields of a screening.
    """

    is_open: bool = True
    shows_labels: bool = False
    shows_cells: ShowsCells = "all"
    speaks_as: SpeaksAs = "rater"
    slides: tuple[int, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def of_kind(cls, kind: RoundKind) -> Terms:
        """Return the terms on which the papers worked in a round of a kind."""
        if kind is RoundKind.SCREENING:
            return cls(shows_cells="own")
        if kind is RoundKind.CONSENSUS:
            return cls(shows_labels=True, speaks_as="consensus")
        return cls(shows_labels=kind in (RoundKind.UNSTATED, RoundKind.BOARD_REVIEW))


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A round with its terms."""

    id: int
    name: str
    kind: RoundKind
    is_blinded: bool
    is_listed: bool
    terms: Terms


_ROUNDS_SQL = """
SELECT r.id, r.name, r.kind, r.is_blinded, r.is_listed,
       t.is_open, t.shows_labels, t.shows_cells, t.speaks_as, t.slides, t.settings
FROM round AS r LEFT JOIN round_terms AS t ON t.round_id = r.id
"""


@well_formed()
def read_round_rows(connection: sqlite3.Connection) -> dict[int, RoundRow]:
    """Return all rounds with their terms by id, in order; a round without terms has those of its kind."""
    return {row[0]: _round_row(row) for row in connection.execute(f"{_ROUNDS_SQL} ORDER BY r.id")}


@well_formed()
def read_round_row(connection: sqlite3.Connection, round_id: int) -> RoundRow:
    """Return a round with its terms.

    Raises
    ------
    NotFoundError
        If there is no such round.
    """
    row = connection.execute(f"{_ROUNDS_SQL} WHERE r.id = ?", (round_id,)).fetchone()
    return _round_row(found(row, f"round {round_id}", mend="open the round first"))


def _round_row(row: tuple[Any, ...]) -> RoundRow:
    id_, name, kind, is_blinded, is_listed, is_open, *rest = row
    terms = Terms.of_kind(RoundKind(kind)) if is_open is None else _terms(bool(is_open), *rest)
    if is_blinded:
        terms = replace(terms, shows_labels=False)
    return RoundRow(id_, name, RoundKind(kind), bool(is_blinded), bool(is_listed), terms)


def _terms(
    is_open: bool, shows_labels: int, shows_cells: str, speaks_as: str, slides: str | None, settings: str
) -> Terms:
    return Terms(
        is_open=is_open,
        shows_labels=bool(shows_labels),
        shows_cells="own" if shows_cells == "own" else "all",
        speaks_as="consensus" if speaks_as == "consensus" else "rater",
        slides=None if slides is None else tuple(json.loads(slides)),
        settings=json.loads(settings),
    )


def write_terms(connection: sqlite3.Connection, round_id: int, terms: Terms) -> None:
    """Set the terms of a round."""
    put(
        connection,
        "round_terms",
        "round_id",
        round_id=round_id,
        is_open=terms.is_open,
        shows_labels=terms.shows_labels,
        shows_cells=terms.shows_cells,
        speaks_as=terms.speaks_as,
        slides=None if terms.slides is None else id_list(terms.slides),
        settings=json.dumps(dict(terms.settings), ensure_ascii=False, allow_nan=False),
    )


def assign(connection: sqlite3.Connection, round_id: int, rater_ids: Collection[int]) -> None:
    """Set who works in a round; what others did there stays."""
    connection.execute("DELETE FROM assignment WHERE round_id = ?", (round_id,))
    rows = [(round_id, rater) for rater in sorted(set(rater_ids))]
    connection.executemany("INSERT INTO assignment (round_id, rater_id) VALUES (?, ?)", rows)


def read_assignments(connection: sqlite3.Connection) -> dict[int, list[int]]:
    """Return the raters of each round that has any."""
    found: dict[int, list[int]] = {}
    for round_id, rater_id in connection.execute("SELECT round_id, rater_id FROM assignment ORDER BY 1, 2"):
        found.setdefault(round_id, []).append(rater_id)
    return found


def is_assigned(connection: sqlite3.Connection, round_id: int, rater_id: int) -> bool:
    """Whether a rater works in a round."""
    return exists(connection, "assignment", round_id=round_id, rater_id=rater_id)


def read_position(connection: sqlite3.Connection, round_id: int, rater_id: int) -> Any:
    """Return where a rater was in a round, in JSON values of the page, or None."""
    sql = "SELECT content FROM position WHERE (round_id, rater_id) = (?, ?)"
    row = connection.execute(sql, (round_id, rater_id)).fetchone()
    return None if row is None else json.loads(row[0])


def write_position(connection: sqlite3.Connection, round_id: int, rater_id: int, content: Any) -> None:
    """Keep where a rater is in a round."""
    text, whose = json.dumps(content, ensure_ascii=False), {"round_id": round_id, "rater_id": rater_id}
    put(connection, "position", *whose, **whose, content=text, time_s=time.time())
