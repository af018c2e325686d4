"""Suspicious cells: those whose neighbours are of another class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.board.coordinates import NEIGHBOURS
from mitoscope.curation.board.neighbours import nearest
from mitoscope.errors import FormatError


@dataclass(frozen=True, eq=False)
class Suspicion:
    """How much the neighbours of each cell speak against its class.

    Parameters
    ----------
    disagreement : ndarray of float64, shape (n,)
        In [0, 1]: the share of votes for other classes among the nearest cells. The votes of a class are
        weighed by its rarity, since of a common class there are more neighbours everywhere.
    expected : tuple of str, shape (n,)
        The class that the neighbours vote for.
    order : ndarray of int64, shape (n,)
        Rows by descending disagreement; of equal ones that with the nearer neighbours first.
    """

    disagreement: NDArray[np.float64]
    expected: tuple[str, ...]
    order: NDArray[np.int64]


def suspicion(
    points: NDArray[np.floating], label: Sequence[str], *, neighbours: int = NEIGHBOURS
) -> Suspicion:
    """Rank cells by the disagreement with their neighbours.

    Parameters
    ----------
    points : ndarray of float, shape (n, d)
        Embeddings; or places on the board, where only that is known.
    label : sequence of str, shape (n,)
        Present class of each cell.
    neighbours : int
        That vote; fewer where there are fewer cells.

    Raises
    ------
    FormatError
        If labels and points are not of one length, or there are fewer than two cells.
    NonFiniteError
        If a point is NaN or infinite.
    """
    if len(label) != len(points) or len(label) < 2:
        raise FormatError(f"{len(points)} points and {len(label)} labels", where="board")
    names = tuple(sorted(set(label)))
    own = np.array([names.index(one) for one in label])
    index, distance = nearest(points, min(neighbours, len(label) - 1))
    share = np.bincount(own, minlength=len(names)) / len(own)
    votes = np.stack([(own[index] == one).sum(axis=1) / share[one] for one in range(len(names))], axis=1)
    votes /= votes.sum(axis=1, keepdims=True)
    disagreement = 1 - votes[np.arange(len(own)), own]
    order = np.lexsort((np.arange(len(own)), distance.mean(axis=1), -disagreement))
    expected = tuple(names[one] for one in votes.argmax(axis=1).tolist())
    return Suspicion(disagreement, expected, order.astype(np.int64))
