"""The board's way to new labels (CODAEL): relabelled on it, read again without it, a third if need be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mitoscope.curation.review.review import open_review
from mitoscope.curation.review.rounds import SECOND, rounds_of
from mitoscope.errors import IncompleteRunError
from mitoscope.store.kinds import RoundKind
from mitoscope.store.lists import list_cells
from mitoscope.store.records import Round
from mitoscope.store.store import Store
from mitoscope.store.vocabulary import intern_rounds

_RELABELLED_SQL = """
SELECT n.cell_id, n.label_id, max(n.last_seq) FROM label_now AS n
JOIN rater AS r ON r.id = n.rater_id AND r.kind = 'expert'
WHERE n.round_id = ? AND n.label_id IS NOT NULL GROUP BY n.cell_id ORDER BY n.cell_id
"""


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
    StoreError
        If there is no review of that name.
    """
    with store.reading() as connection:
        (board,) = rounds_of(connection, name).first
        rows = connection.execute(_RELABELLED_SQL, (board,)).fetchall()
    return {cell: label for cell, label, _ in rows if before.get(cell) != label}


def ask_second(store: Store, name: str, before: Mapping[int, int]) -> int:
    """Put the relabelled cells before a second expert, blinded, without the board; return how many are new.

    From here on the review goes its usual way: the label on the board is the first reading, that of the
    second expert the second; ``ask_third`` and ``conclude`` follow.

    Raises
    ------
    IncompleteRunError
        If nothing was relabelled on the board: there is nothing to read.
    StoreError
        If there is no review of that name.
    """
    changed = relabelled(store, name, before)
    if not changed:
        what = "no cell was relabelled on the board"
        raise IncompleteRunError(what, where=f"review {name!r}", mend="label what is wrong on it first")
    with store.writing() as connection:
        second = Round(f"{name}, {SECOND}", RoundKind.SECOND_READ)
        (id_,) = intern_rounds(connection, [second], is_blinded=True, is_listed=True).tolist()
        return list_cells(connection, id_, changed)
