"""Which detection was matched with which true figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.score import Score

UNMATCHED = -1
"""A false positive, or a figure that was missed."""
THINNED = -2
"""A detection that the protocol takes out before it matches: neither true nor false."""


@dataclass(frozen=True, eq=False)
class Matching:
    """The outcome for one image.

    Attributes
    ----------
    truth_of : ndarray of intp, shape (n,)
        For each detection the index of its true figure, -1 for a false positive, -2 for one that the protocol
        took out beforehand. Where a protocol is not one to one, several detections may have one figure.
    detection_of : ndarray of intp, shape (m,)
        For each true figure the index of the detection that found it (of several the one with the highest
        score), -1 for one that was missed. Where a protocol is not one to one, several figures may have one
        detection.
    """

    truth_of: NDArray[np.intp]
    detection_of: NDArray[np.intp]

    @property
    def score(self) -> Score:
        """Figures found, detections that are false, figures missed."""
        missed = int(np.count_nonzero(self.detection_of == UNMATCHED))
        false = int(np.count_nonzero(self.truth_of == UNMATCHED))
        return Score(len(self.detection_of) - missed, false, missed)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Say of each detection whether it was matched or is false, shape (n,): all but thinned ones."""
        return np.asarray(self.truth_of != THINNED)


def unmatched(detections: int, figures: int) -> Matching:
    """Return a matching in which nothing is matched."""
    return Matching(np.full(detections, UNMATCHED, dtype=np.intp), np.full(figures, UNMATCHED, dtype=np.intp))
