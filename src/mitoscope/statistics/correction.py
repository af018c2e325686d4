"""Logistic regression that begins with what a model says, and changes it no more than the data ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STRENGTHS: Final = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""How strongly a change of the weights is held back, from little to much."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A change of log-odds that is linear in features: ``features @ weights + shift``."""

    weights: Floats
    shift: float

    def __call__(self, features: Floats) -> Floats:
        """Return the change for features (n, f)."""
        return np.asarray(features @ self.weights + self.shift)


def fit_correction(features: Floats, log_odds: Floats, true: Bools, *, strength: float) -> Correction:
    """Fit a correction by penalised likelihood (ridge on the change, features standardised, shift free).

    Parameters
    ----------
    features : ndarray of float64, shape (n, f)
    log_odds : ndarray of float64, shape (n,)
        What the model says: the fit begins there, and stays there for an infinite strength.
    true : ndarray of bool, shape (n,)
    strength : float
        Half of it times the squared length of the change, in units of the features' standard deviations, is
        added to the negative log-likelihood.

    Notes
    -----
    The solution is a combination of the rows, so it is sought among these where they are fewer than the
    features.
    """
    from scipy.optimize import minimize  # slow to load, and seldom needed

    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 0, spread, np.inf)  # what never varies changes nothing
    standard = (features - centre) / spread
    if np.isinf(strength):
        strength, standard = 0.0, standard[:, :0]
    rows, directions = _compressed(standard)
    target = true.astype(np.float64)

    def loss(values: Floats) -> tuple[float, Floats]:
        change, shift = values[:-1], values[-1]
        z = log_odds + rows @ change + shift
        error = np.exp(-np.logaddexp(0, -z)) - target
        value = (np.logaddexp(0, z) - target * z).sum() + strength / 2 * (change @ change)
        return float(value), np.append(error @ rows + strength * change, error.sum())

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    change = directions @ found.x[:-1]
    weights = np.zeros(features.shape[1]) if not len(change) else change / spread
    return Correction(weights, float(found.x[-1] - centre @ weights))


def _compressed(standard: Floats) -> tuple[Floats, Floats]:
    """Return rows (n, r) in an orthonormal basis (f, r) of what they span."""
    if len(standard) >= standard.shape[1]:
        return standard, np.eye(standard.shape[1])
    left, size, right = np.linalg.svd(standard, full_matrices=False)
    return left * size, right.T


def choose_strength(
    features: Floats,
    log_odds: Floats,
    true: Bools,
    cases: Sequence[str],
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> float:
    """Choose a strength by the likelihood of each case under what the others give.

    Parameters
    ----------
    features, log_odds, true
        As for `fit_correction`.
    cases : sequence of str, length n
    strengths : sequence of float
        To choose among.

    Returns
    -------
    float
        Infinite where no change of the weights is better than a shift alone.
    """
    case = np.asarray(cases)
    offered = (*strengths, np.inf)
    total = np.zeros(len(offered))
    for left in np.unique(case):
        held = case == left
        rest = ~held
        if true[rest].all() or not true[rest].any():
            continue
        for place, strength in enumerate(offered):
            own = fit_correction(features[rest], log_odds[rest], true[rest], strength=strength)
            z = log_odds[held] + own(features[held])
            total[place] += (np.logaddexp(0, z) - true[held] * z).sum()
    return offered[int(total.argmin())]
