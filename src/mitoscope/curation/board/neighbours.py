"""Neighbours on the board: suspicious labels among them, and whether an embedding keeps who is near.

The second by trustworthiness and continuity (Venna and Kaski 2001).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mitoscope.curation.board.coordinates import NEIGHBOURS, check_points
from mitoscope.errors import ConfigError, FormatError

TREE_DIMENSIONS = 8
"""Above it a tree looks at nearly all points anyway."""
BLOCK_BYTES = 64 << 20
"""Of one block of distances in float64; blocks of equally many points are of the same rows."""
SAMPLE = 2_000
"""Crops whose neighbourhoods are looked at; each needs its distances to all others."""


def nearest(points: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the k nearest other points of each, nearest first, and their distances, both of shape (n, k).

    Parameters
    ----------
    points : ndarray of float, shape (n, d)
    k : int
        At most n − 1.

    Raises
    ------
    ConfigError
        If there are not so many others.
    FormatError, NonFiniteError
        If the points are not such.
    """
    checked = check_points(points, "points")
    if not 1 <= k < len(checked):
        raise ConfigError(f"{k} neighbours among {len(checked)} points", mend="ask for fewer neighbours")
    if checked.shape[1] <= TREE_DIMENSIONS:
        return _by_tree(checked, k)
    parts = [_nearest_of(block, k) for _, block in distance_blocks(checked)]
    return np.concatenate([index for index, _ in parts]), np.concatenate([far for _, far in parts])


def _by_tree(points: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    far, near = cKDTree(points).query(points, k=k + 1)
    distance, index = np.asarray(far), np.asarray(near)
    own = index == np.arange(len(points))[:, None]
    # Of many points at one place a point may not be among its own nearest: then the last goes instead.
    own[~own.any(axis=1), -1] = True
    shape = (len(points), k)
    return index[~own].reshape(shape).astype(np.int64), distance[~own].reshape(shape)


def distance_blocks(
    points: NDArray[np.float64], rows: NDArray[np.int64] | None = None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
    """Yield some rows at a time with their distances to all points, shape (rows, n); to itself infinite.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
    rows : ndarray of int64, optional
        Only these; all by default.
    """
    # Around their mean, so that float32, half the work in many dimensions, keeps the differences.
    dtype = np.float64 if points.shape[1] <= TREE_DIMENSIONS else np.float32
    centred = (points - points.mean(axis=0)).astype(dtype)
    squares = np.einsum("ij,ij->i", centred, centred)
    wanted = np.arange(len(points)) if rows is None else rows
    step = max(1, BLOCK_BYTES // (8 * max(len(points), 1)))
    for start in range(0, len(wanted), step):
        part = wanted[start : start + step]
        block = centred[part] @ centred.T
        block *= -2
        block += squares
        block += squares[part][:, None]
        np.maximum(block, 0, out=block)
        np.sqrt(block, out=block)
        block[np.arange(len(part)), part] = np.inf
        yield part, block


def _nearest_of(block: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    some = np.argpartition(block, k - 1, axis=1)[:, :k]
    distance = np.take_along_axis(block, some, axis=1)
    order = np.lexsort((some, distance), axis=1)
    index = np.take_along_axis(some, order, axis=1)
    return index.astype(np.int64), np.take_along_axis(distance, order, axis=1).astype(np.float64)


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
    own = np.array([names.index(name) for name in label])
    index, distance = nearest(points, min(neighbours, len(label) - 1))
    share = np.bincount(own, minlength=len(names)) / len(own)
    votes = np.stack(
        [(own[index] == class_).sum(axis=1) / share[class_] for class_ in range(len(names))], axis=1
    )
    votes /= votes.sum(axis=1, keepdims=True)
    disagreement = 1 - votes[np.arange(len(own)), own]
    order = np.lexsort((np.arange(len(own)), distance.mean(axis=1), -disagreement))
    expected = tuple(names[class_] for class_ in votes.argmax(axis=1).tolist())
    return Suspicion(disagreement, expected, order.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Quality:
    """Preservation of neighbourhoods, 1 is perfect and about 0.5 chance.

    Parameters
    ----------
    trustworthiness : float
        Neighbours on the board are neighbours in the embedding.
    continuity : float
        Neighbours in the embedding are neighbours on the board.
    shared : float
        Share of the k neighbours that are the same in both.
    neighbours : int
        k.
    crops : int
        Looked at; all, or a random sample.
    """

    trustworthiness: float
    continuity: float
    shared: float
    neighbours: int
    crops: int


def quality(
    embeddings: NDArray[np.floating],
    placed: NDArray[np.floating],
    *,
    neighbours: int = NEIGHBOURS,
    sample: int = SAMPLE,
    seed: int = 0,
) -> Quality:
    """Return how well places keep the neighbourhoods of embeddings.

    Parameters
    ----------
    embeddings : ndarray of float, shape (n, d)
    placed : ndarray of float, shape (n, 2)
        Places on the board, or coordinates before it.
    neighbours : int
        k; less than half of the crops.
    sample : int
        Crops looked at.
    seed : int
        Of the sample.

    Raises
    ------
    ConfigError
        If k is not less than half of the crops: the measure is not defined there.
    FormatError, NonFiniteError
        If the points are not such, or not of one length.
    """
    high, low = check_points(embeddings, "embeddings"), check_points(placed, "places")
    n = len(high)
    if len(low) != n:
        raise FormatError(f"{n} embeddings and {len(low)} places", where="board")
    if not 1 <= neighbours < n / 2:
        raise ConfigError(f"{neighbours} neighbours among {n} crops", mend="fewer than half of the crops")
    rows = np.arange(n)
    if sample < n:
        rows = np.sort(np.random.default_rng(seed).permutation(n)[:sample])
    penalties = np.zeros(3)
    for (_, far), (_, near) in zip(distance_blocks(high, rows), distance_blocks(low, rows), strict=True):
        penalties += _penalties(far, near, neighbours)
    worst = len(rows) * neighbours * (2 * n - 3 * neighbours - 1) / 2
    trust, continuity = (1 - penalties[:2] / worst).tolist()
    return Quality(trust, continuity, float(penalties[2] / (len(rows) * neighbours)), neighbours, len(rows))


def _penalties(high: NDArray[np.floating], low: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Return what some rows add: ranks beyond k of intruders and of the pushed out, and shared neighbours."""
    intruders, pushed_out = _ranks_of_nearest(low, high, k), _ranks_of_nearest(high, low, k)
    beyond = [np.maximum(ranks - k, 0).sum() for ranks in (intruders, pushed_out)]
    return np.array([*beyond, (intruders <= k).sum()], dtype=np.float64)


def _ranks_of_nearest(here: NDArray[np.floating], there: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """Return the ranks by distances there of the k nearest by distances here, from 1, shape (rows, k).

    Of equally far points each has the best rank: a grid has many, and none of them is an error.
    """
    nearest = np.argpartition(here, k - 1, axis=1)[:, :k]
    distance = np.take_along_axis(there, nearest, axis=1)
    return np.stack([(there < distance[:, [rank]]).sum(axis=1) for rank in range(k)], axis=1) + 1
