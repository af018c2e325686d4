"""Scores made probabilities: a line over their logit, fitted to which detections were true (Platt 1999)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from mitoscope.errors import FormatError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_EDGE: Final = 1e-6
_SLOPES: Final = (0.05, 20.0)
"""A slope beyond is no calibration: the scores say nothing, or part the two kinds completely."""


@dataclass(frozen=True, slots=True)
class Line:
    """Slope and intercept over the logit of a score."""

    slope: float
    intercept: float

    def __call__(self, scores: Floats) -> Floats:
        """Return the probabilities, shape (n,)."""
        return expit(self.slope * logit(np.clip(scores, _EDGE, 1 - _EDGE)) + self.intercept)


def fit_line(scores: Floats, true: Bools) -> Line:
    """Fit the line of greatest likelihood, with Platt's targets against overconfidence.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        In [0, 1].
    true : ndarray of bool, shape (n,)
        Which detections were true.

    Raises
    ------
    FormatError
        If all detections are true, or none: there is nothing to tell apart.
    """
    positives = int(true.sum())
    negatives = len(true) - positives
    if not positives or not negatives:
        kind = "no detection is true" if not positives else "every detection is true"
        raise FormatError(f"the scores cannot be calibrated: {kind}", where="calibration")
    x = logit(np.clip(scores, _EDGE, 1 - _EDGE))
    # Platt 1999, equation 12: as if one more of each kind had been seen.
    target = np.where(true, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(line: Floats) -> tuple[float, Floats]:
        z = line[0] * x + line[1]
        error = expit(z) - target
        return float((np.logaddexp(0, z) - target * z).sum()), np.array([error @ x, error.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[_SLOPES, (None, None)])
    return Line(float(found.x[0]), float(found.x[1]))


def fit_left_out(cases: Sequence[tuple[Floats, Bools]]) -> list[Floats]:
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
        others = [one for at, one in enumerate(cases) if at != left]
        line = fit_line(np.concatenate([s for s, _ in others]), np.concatenate([t for _, t in others]))
        out.append(line(cases[left][0]))
    return out
