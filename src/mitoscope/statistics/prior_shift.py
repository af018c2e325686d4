"""Probabilities for a set in which figures are rarer or more frequent than where they were calibrated.

A calibrated probability holds for the share of true ones among the candidates on which it was calibrated. On
a slide with another share all of them are too high, or too low. The share can be estimated from the
probabilities alone, without a label (Saerens, Latinne and Decaestecker 2002, Neural Computation 14, 21), as
long as figures score like figures and other candidates like others in both places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import ConfigError, FormatError

Floats = NDArray[np.float64]

PRIOR_FIGURES: Final = 2.0
"""Figures in the prior of a slide's share, a Beta distribution: how far slides of all origins lie apart.

In MIDOG++ (553 images of all tumour types) the share of figures among the labelled figures and look-alikes of
an image follows a Beta distribution of 2.5 and 4.0 (greatest likelihood). No result of a detector went into
it.
"""
LABORATORY_FIGURES: Final = 4.0
"""The same of slides that have more in common: within a tumour type of MIDOG++ the first number is 1.0 to
9.9, and 4.2 in the median of seven types.
"""
_FARTHEST: Final = 30.0
"""Log-odds beyond which a share is 0 or 1."""
_HALVINGS: Final = 60
"""Of the range of log-odds: to the last bits of a float."""


@dataclass(frozen=True, slots=True)
class PriorShift:
    """The share of true ones where probabilities were calibrated, and the share on another set.

    Parameters
    ----------
    calibrated : float
        Share among the candidates on which they were calibrated, in (0, 1).
    assumed : float
        Share that was expected of the set before its candidates were seen, in (0, 1).
    alone : float or None
        Most likely share by the candidates alone, in [0, 1]; None without any.
    estimated : float
        Share that the correction takes, between `assumed` and `alone`.
    candidates : int
        From how many it was estimated.
    """

    calibrated: float
    assumed: float
    alone: float | None
    estimated: float
    candidates: int

    @property
    def log_odds(self) -> float:
        """What the correction adds to the log-odds of every probability."""
        return _log_odds(self.estimated) - _log_odds(self.calibrated)

    def __call__(self, probabilities: ArrayLike) -> Floats:
        """Return the probabilities for the set; their order stays."""
        return _moved(_checked(probabilities), self.log_odds)

    def undo(self, probabilities: ArrayLike) -> Floats:
        """Return corrected probabilities as they were before."""
        return _moved(_checked(probabilities), -self.log_odds)


def estimate_shift(
    probabilities: ArrayLike,
    *,
    calibrated: float,
    calibrated_on: int | None = None,
    assumed: float | None = None,
    prior_figures: float = PRIOR_FIGURES,
) -> PriorShift:
    """Estimate the share of true ones among candidates from their probabilities.

    It is the share of greatest posterior probability. The likelihood is that of a mixture of true and false
    ones, whose only maximum EM climbs to. The prior is a Beta distribution around the share assumed: as if
    `prior_figures` true ones had been seen, and as many false ones as go with them. Few candidates leave the
    share where it is assumed to be.

    Parameters
    ----------
    probabilities : array_like, shape (n,)
        In [0, 1], calibrated on candidates of which the share `calibrated` was true.
    calibrated : float
        In (0, 1).
    calibrated_on : int, optional
        On how many candidates, N. What true and false ones score is known no better than those tell, so n
        candidates count as n N / (n + N), and never for more than N; without it they count in full.
    assumed : float, optional
        The share expected, in (0, 1); by default `calibrated`.
    prior_figures : float
        Weight of the prior.

    Raises
    ------
    FormatError
        If a probability is not in [0, 1].
    ConfigError
        If a share is not in (0, 1), or a weight not above 0.
    """
    p = _checked(probabilities).reshape(-1)
    centre = calibrated if assumed is None else assumed
    if not (0 < calibrated < 1 and 0 < centre < 1):
        raise ConfigError(f"shares of {calibrated:g} and {centre:g}", where=_WHERE, mend="between 0 and 1")
    if not 0 < prior_figures < np.inf or (calibrated_on is not None and calibrated_on < 1):
        raise ConfigError(
            f"a prior of {prior_figures:g} figures, a calibration on {calibrated_on} candidates",
            where=_WHERE,
            mend="both above 0",
        )
    figures = prior_figures * (1.0 if calibrated_on is None else 1 + len(p) / calibrated_on)
    return PriorShift(
        calibrated,
        centre,
        alone=_share(p, calibrated, figures=0.0, candidates=0.0) if len(p) else None,
        estimated=_share(p, calibrated, figures=figures, candidates=figures / centre),
        candidates=len(p),
    )


def _share(p: Floats, calibrated: float, *, figures: float, candidates: float) -> float:
    """Return the share that a step of EM leaves as it is, some candidates and figures being known besides.

    A step goes up below the maximum and down above it, since the likelihood is concave in the share. So
    halving finds where EM ends, which itself crawls where true and false ones overlap.
    """
    start = _log_odds(calibrated)

    def rises(log_odds: float) -> bool:
        expected = _moved(p, log_odds - start).sum() + figures
        return bool(expected > (len(p) + candidates) * _odds_to_share(log_odds))

    low, high = -_FARTHEST, _FARTHEST
    if not rises(low):
        return 0.0
    if rises(high):
        return 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) else (low, middle)
    return _odds_to_share((low + high) / 2)


def _moved(p: Floats, log_odds: float) -> Floats:
    """Return probabilities with log-odds moved; 0 and 1 stay."""
    true, false = p * np.exp(log_odds / 2), (1 - p) * np.exp(-log_odds / 2)
    return np.asarray(true / (true + false))


def _log_odds(share: float) -> float:
    return float(np.log(share) - np.log1p(-share))


def _odds_to_share(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


_WHERE: Final = "prior shift"


def _checked(probabilities: ArrayLike) -> Floats:
    p = np.asarray(probabilities, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise FormatError("a probability outside [0, 1] or NaN", where=_WHERE)
    return p
