"""What experts said of the same cells, side by side: whether they differ, and which two classes they gave."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.encoding import id_list, well_formed
from mitoscope.store.opinions import live_cells, read_opinions
from mitoscope.truth import NO_CLASS, Opinions, RaterKind, disputes, first_three

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReadingCounts:
    """How the readings of a study stand, by the rule of :func:`mitoscope.truth.disputes`.

    Parameters
    ----------
    read_twice : int
        Live cells that two experts have read.
    differ : int
        Of these, on which the first two differ.
    open : int
        Of these, about which nobody has decided yet.
    """

    read_twice: int
    differ: int
    open: int


@dataclass(frozen=True, eq=False)
class RaterPair:
    """Two experts, and on how many cells they gave which classes.

    Parameters
    ----------
    one_id, other_id : int
        The raters.
    label_id : ndarray of int64, shape (k,)
        The classes that either gave.
    counts : ndarray of int64, shape (k, k)
        Cells by the class of the one (row) and of the other (column).
    """

    one_id: int
    other_id: int
    label_id: _Ints
    counts: _Ints


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """A cell and where it is, in level-0 px of its slide."""

    public_id: int
    slide_id: int
    x_px0: float
    y_px0: float


def compare_experts(connection: sqlite3.Connection) -> tuple[ReadingCounts, list[RaterPair]]:
    """Return how the readings stand, and what every two experts said of the cells that both have read."""
    cells = live_cells(connection)
    opinions = read_opinions(connection, cells)
    return _counts(opinions, len(cells)), _pairs(opinions.of_kinds(RaterKind.EXPERT), len(cells))


def _counts(opinions: Opinions, cells: int) -> ReadingCounts:
    first, second, _ = first_three(opinions, cells).T
    found = disputes(opinions, cells)
    read = (first != NO_CLASS) & (second != NO_CLASS)
    return ReadingCounts(int(read.sum()), int(found.differ.sum()), int(found.is_open.sum()))


def _pairs(experts: Opinions, cells: int) -> list[RaterPair]:
    labels_of = {rater: _labels(experts, rater, cells) for rater in np.unique(experts.rater).tolist()}
    found = []
    for one, other in combinations(labels_of, 2):
        both = (labels_of[one] != NO_CLASS) & (labels_of[other] != NO_CLASS)
        if both.any():
            found.append(_pair(one, other, labels_of[one][both], labels_of[other][both]))
    return found


_PLACES_SQL = """
SELECT public_id, slide_id, (x_min_px0 + x_max_px0) / 2, (y_min_px0 + y_max_px0) / 2 FROM cell
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY public_id LIMIT ? OFFSET ?
"""


@well_formed()
def cells_compared(
    connection: sqlite3.Connection,
    raters: tuple[int, int],
    labels: tuple[int, int],
    *,
    n: int,
    skip: int = 0,
) -> list[ComparedCell]:
    """Return cells to which two experts gave these classes, the one the first and the other the second.

    They come in an order that has nothing to do with when they were made.
    """
    cells = live_cells(connection)
    experts = read_opinions(connection, cells).of_kinds(RaterKind.EXPERT)
    chosen = np.ones(len(cells), dtype=np.bool_)
    for rater, label in zip(raters, labels, strict=True):
        chosen &= _labels(experts, rater, len(cells)) == label
    ids = id_list(cells[chosen].tolist())
    return [ComparedCell(*row) for row in connection.execute(_PLACES_SQL, (ids, n, skip))]


def _labels(experts: Opinions, rater: int, cells: int) -> _Ints:
    label = np.full(cells, NO_CLASS, dtype=np.int64)
    mine = experts.rater == rater
    label[experts.cell[mine]] = experts.label[mine]
    return label


def _pair(one: int, other: int, first: _Ints, second: _Ints) -> RaterPair:
    labels, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (place[: len(first)], place[len(first) :]), 1)
    return RaterPair(one, other, labels, counts)
