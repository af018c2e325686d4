"""Whether of the detections with a score of 0.8 eight in ten are true, and how to make it so (Platt)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import ConfigError, FormatError
from mitoscope.statistics.bootstrap import REPEATS, Estimate, estimate
from mitoscope.statistics.rates import divide

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS: Final = 10
_EDGE: Final = 1e-6
"""Scores nearer to 0 or 1 count as this far from it: networks round, and the logit has no value there."""
_SLOPES: Final = (0.05, 20.0)
"""A slope beyond is no calibration: the scores say nothing, or part the two kinds completely."""


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


def reliability(scores: ArrayLike, true: ArrayLike, *, bins: int = BINS) -> Reliability:
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
    n, total, hits = (
        np.bincount(place, weights=weights, minlength=bins)
        for weights in (None, score, hit.astype(np.float64))
    )
    return Reliability(edges, n.astype(np.int64), divide(total, n), divide(hits, n))


Outcomes = tuple[Floats, Bools]
"""Scores of detections, and which of them are true."""


def calibration_error(cases: Sequence[Outcomes], *, repeats: int = REPEATS, seed: int = 0) -> Estimate:
    """Return the expected calibration error over all cases, with its interval by case; 0 without a detection.

    Parameters
    ----------
    cases : sequence of (ndarray of float64, ndarray of bool)
        Scores of each case's detections, and which are true.
    """
    sums = calibration_sums(cases)
    return estimate(sums, np.arange(len(sums)), calibration_of, repeats=repeats, seed=seed)


def calibration_sums(cases: Sequence[Outcomes]) -> Floats:
    """Return detections, scores and hits in each bin of each case, shape (n, 3 b)."""
    return np.array([_sums(reliability(score, true)) for score, true in cases]).reshape(-1, 3 * BINS)


def brier_score(cases: Sequence[Outcomes], *, repeats: int = REPEATS, seed: int = 0) -> Estimate:
    """Return the mean squared error of the scores as probabilities (Brier 1950), with its interval by case.

    Parameters
    ----------
    cases : sequence of (ndarray of float64, ndarray of bool)
        Scores of each case's detections, and which are true. NaN without a detection.
    """
    sums = brier_sums(cases)
    return estimate(sums, np.arange(len(sums)), brier_of, repeats=repeats, seed=seed)


def brier_sums(cases: Sequence[Outcomes]) -> Floats:
    """Return the squared errors and detections of each case, shape (n, 2)."""
    rows = [(float(((score - true) ** 2).sum()), len(score)) for score, true in cases]
    return np.array(rows, np.float64).reshape(-1, 2)


def brier_of(sums: Floats) -> Floats:
    """Return the score of sums, shape (..., 2)."""
    return divide(sums[..., 0], sums[..., 1])


def _sums(curve: Reliability) -> Floats:
    filled = np.nan_to_num([curve.mean_score, curve.true_share])
    return np.concatenate([curve.n, *(filled * curve.n)])


def calibration_of(sums: Floats) -> Floats:
    """Return the error of sums, shape (..., 3 b): detections, scores and hits of each bin."""
    n, score, true = np.split(sums, 3, axis=-1)
    return np.asarray(np.abs(true - score).sum(axis=-1) / np.maximum(n.sum(axis=-1), 1))


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """A line over the logit of a score: ``1 / (1 + exp(-(slope * logit(score) + intercept)))``."""

    slope: float
    intercept: float

    def __call__(self, scores: ArrayLike) -> Floats:
        """Return the probabilities for scores in [0, 1]."""
        return np.asarray(1 / (1 + np.exp(-(self.slope * log_odds(scores) + self.intercept))))


def log_odds(probabilities: ArrayLike, *, bound: float = _EDGE) -> Floats:
    """Return the log-odds of probabilities.

    Parameters
    ----------
    probabilities : array_like, shape (n, ...)
        In [0, 1].
    bound : float, default 1e-6
        0 and 1 are taken as so far from certain.

    Returns
    -------
    ndarray of float64, shape (n, ...)
    """
    p = np.clip(np.asarray(probabilities, np.float64), bound, 1 - bound)
    return np.asarray(np.log(p / (1 - p)))


def fit_line(scores: Floats, true: Bools) -> ScoreLine:
    """Fit the line of greatest likelihood, with Platt's targets against overconfidence (Platt 1999).

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        In [0, 1].
    true : ndarray of bool, shape (n,)
        Which detections were true.

    Raises
    ------
    FormatError
        If all detections are true, or none: there are no two kinds to distinguish.
    """
    from scipy.optimize import minimize  # slow to load, and seldom needed

    positives = int(true.sum())
    negatives = len(true) - positives
    if not positives or not negatives:
        kind = "no detection is true" if not positives else "every detection is true"
        raise FormatError(f"the scores cannot be calibrated: {kind}", where="calibration")
    x, target = log_odds(scores), platt_targets(true)

    def loss(line: Floats) -> tuple[float, Floats]:
        z = line[0] * x + line[1]
        error = np.exp(-np.logaddexp(0, -z)) - target
        return float((np.logaddexp(0, z) - target * z).sum()), np.array([error @ x, error.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[_SLOPES, (None, None)])
    return ScoreLine(float(found.x[0]), float(found.x[1]))


def platt_targets(true: Bools) -> Floats:
    """Return what each detection should score, shape (n,): not 1 and 0, as if one more of each had been seen.

    Platt 1999, equation 12: (n⁺ + 1) / (n⁺ + 2) for the true ones, 1 / (n⁻ + 2) for the false.
    """
    positives = int(true.sum())
    return np.where(true, (positives + 1) / (positives + 2), 1 / (len(true) - positives + 2))


def fit_left_out(cases: Sequence[Outcomes]) -> list[Floats]:
    """Calibrate the detections of each case by the line that all others give.

    Parameters
    ----------
    cases : sequence of (ndarray of float64, ndarray of bool)
        Scores, and which were true.

    Returns
    -------
    list of ndarray of float64
        Probabilities, case by case.

    Raises
    ------
    FormatError
        If the others of a case are all true, or none is.
    """
    out = []
    for left in range(len(cases)):
        others = [case for place, case in enumerate(cases) if place != left]
        line = fit_line(np.concatenate([s for s, _ in others]), np.concatenate([t for _, t in others]))
        out.append(line(cases[left][0]))
    return out
