"""Calibration: whether of the detections with a score of 0.8 eight in ten are true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import ConfigError, FormatError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Scores and the share of true detections, in bins of equal width: (low, high], the first with its 0.

    Attributes
    ----------
    edges : ndarray, shape (b + 1,)
        From 0 to 1.
    n : ndarray of int64, shape (b,)
        Detections in each bin.
    mean_score, true_share : ndarray, shape (b,)
        NaN in an empty bin.
    """

    edges: Floats
    n: NDArray[np.int64]
    mean_score: Floats
    true_share: Floats

    @property
    def ece(self) -> float | None:
        """Expected calibration error: mean gap by detection (Guo et al. 2017); None without any."""
        gaps = np.abs(self.true_share - self.mean_score)
        filled = self.n > 0
        return float((self.n[filled] * gaps[filled]).sum() / self.n.sum()) if filled.any() else None

    @property
    def largest_gap(self) -> float | None:
        """Largest gap of a bin (maximum calibration error); None without a detection."""
        filled = self.n > 0
        return float(np.abs(self.true_share - self.mean_score)[filled].max()) if filled.any() else None


def reliability(scores: ArrayLike, true: ArrayLike, *, bins: int = 10) -> Reliability:
    """Return the reliability curve of detections.

    Parameters
    ----------
    scores : array_like, shape (n,)
        In [0, 1].
    true : array_like of bool, shape (n,)
        Whether each was matched.
    bins : int, default 10
        Number of bins.

    Raises
    ------
    FormatError
        If the lengths differ, or a score is not in [0, 1].
    ConfigError
        If there is not at least one bin.
    """
    score, hit = np.asarray(scores, np.float64).reshape(-1), np.asarray(true, np.bool_).reshape(-1)
    if bins < 1:
        raise ConfigError(f"{bins} bins", where="calibration", mend="at least 1")
    if len(score) != len(hit):
        raise FormatError(f"{len(score)} scores with {len(hit)} outcomes", where="calibration")
    if not ((score >= 0) & (score <= 1)).all():
        raise FormatError("a score outside [0, 1] or NaN", where="calibration", mend="rescale the scores")
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, score, side="left") - 1, 0, bins - 1)
    n = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (score, hit.astype(np.float64))]
    means = [np.divide(one, n, out=np.full(bins, np.nan), where=n > 0) for one in sums]
    return Reliability(edges, n.astype(np.int64), means[0], means[1])
