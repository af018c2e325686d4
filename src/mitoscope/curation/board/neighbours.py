"""Nearest neighbours, exactly: a tree in few dimensions, blocks of distances in many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mitoscope.curation.board.coordinates import check_points
from mitoscope.errors import ConfigError

TREE_DIMENSIONS = 8
"""Above it a tree looks at nearly all points anyway."""
BLOCK_BYTES = 64 << 20
"""Of one block of distances in float64; blocks of equally many points are of the same rows."""


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
