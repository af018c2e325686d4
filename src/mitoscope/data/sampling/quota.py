"""Quotas that hold exactly: in every pseudo-epoch each kind of window is drawn as often as its share says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def quota(shares: Sequence[float], count: int) -> NDArray[np.int64]:
    """Return how often each kind is drawn, shape (k,), by greatest remainder; adds up to the count."""
    exact = np.asarray(shares, dtype=np.float64) / sum(shares) * count
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: count - int(whole.sum())]] += 1
    return whole


def kind_of(index: int, shares: Sequence[float], *, epoch: int, seed: int) -> int:
    """Return the kind of the i-th window of a run; see `kind_and_rank`."""
    return kind_and_rank(index, shares, epoch=epoch, seed=seed)[0]


def kind_and_rank(index: int, shares: Sequence[float], *, epoch: int, seed: int) -> tuple[int, int]:
    """Return the kind of the i-th window of a run, and how many of its kind come before it.

    Parameters
    ----------
    index : int
        Windows drawn before it.
    shares : sequence of float
    epoch : int
        Windows of a pseudo-epoch.
    seed : int
    """
    number, place = divmod(index, epoch)
    counts = quota(shares, epoch)
    kinds = np.random.default_rng((seed, number, 3)).permutation(np.repeat(np.arange(len(counts)), counts))
    kind = int(kinds[place])
    return kind, number * int(counts[kind]) + int((kinds[:place] == kind).sum())
