"""How well a board keeps neighbours together (Venna and Kaski 2001: trustworthiness and continuity)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.board.coordinates import NEIGHBOURS, check_points
from mitoscope.curation.board.neighbours import distance_blocks
from mitoscope.errors import ConfigError, FormatError

SAMPLE = 2_000
"""Crops whose neighbourhoods are looked at; each needs its distances to all others."""


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
    return np.stack([(there < distance[:, [one]]).sum(axis=1) for one in range(k)], axis=1) + 1
