"""From what a network says to how often it is right: the score as a probability."""

from __future__ import annotations

from typing import Annotated, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from mitoscope.bundle.part import Part, Text

_EDGE: Final = 1e-6
"""Scores nearer to 0 or 1 count as this far from it: networks round, and the logit has no value there."""


class ScoreCalibration(Part):
    """A line over the logit of the score (Platt 1999), which keeps the order of the candidates.

    Parameters
    ----------
    slope, intercept : float
        The score becomes ``1 / (1 + exp(-(slope * logit(score) + intercept)))``.
    fitted_on : str
        The fields on which it was fitted.
    """

    slope: Annotated[float, Field(gt=0)]
    intercept: float
    fitted_on: Text

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities for scores in [0, 1]."""
        p = np.clip(np.asarray(scores, np.float64), _EDGE, 1 - _EDGE)
        return 1 / (1 + np.exp(-(self.slope * np.log(p / (1 - p)) + self.intercept)))

    def after(self, earlier: Self | None) -> Self:
        """Return both in one: this one, fitted to what the earlier one gave out."""
        if earlier is None:
            return self
        changes = {
            "slope": self.slope * earlier.slope,
            "intercept": self.slope * earlier.intercept + self.intercept,
        }
        return self.model_copy(update=changes)
