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
        penalties += _penalties(_ranks(far), _ranks(near), neighbours)
    worst = len(rows) * neighbours * (2 * n - 3 * neighbours - 1) / 2
    trust, continuity = (1 - penalties[:2] / worst).tolist()
    return Quality(trust, continuity, float(penalties[2] / (len(rows) * neighbours)), neighbours, len(rows))


def _ranks(distance: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return the rank of each point by its distance from a row's, from 1; the point itself comes last."""
    order = np.argsort(distance, axis=1, kind="stable")
    ranks = np.empty(distance.shape, dtype=np.int32)
    np.put_along_axis(ranks, order, np.arange(1, distance.shape[1] + 1, dtype=np.int32)[None, :], axis=1)
    return ranks


def _penalties(high: NDArray[np.int32], low: NDArray[np.int32], k: int) -> NDArray[np.float64]:
    intruders = np.where((low <= k) & (high > k), high - k, 0).sum()
    extruded = np.where((high <= k) & (low > k), low - k, 0).sum()
    shared = ((high <= k) & (low <= k)).sum()
    return np.array([intruders, extruded, shared], dtype=np.float64)
