"""Which detection was matched with which true figure, and which are near enough to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from mitoscope.geometry import TREE_SLACK
from mitoscope.statistics import Score

Points = NDArray[np.float64]
Indices = NDArray[np.intp]

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

    def of(self, chosen: NDArray[np.bool_]) -> Matching:
        """Return what it says of some of the detections, mask of shape (n,); figures of others are missed."""
        place = np.append(np.where(chosen, np.cumsum(chosen) - 1, UNMATCHED), UNMATCHED)
        return Matching(self.truth_of[chosen], place[self.detection_of])


def unmatched(detections: int, figures: int) -> Matching:
    """Return a matching in which nothing is matched."""
    return Matching(np.full(detections, UNMATCHED, dtype=np.intp), np.full(figures, UNMATCHED, dtype=np.intp))


def overlapping_pairs(points: Points, others: Points, *, side: float) -> tuple[Indices, Indices, Points]:
    """Return the pairs of squares, by their centres, that overlap, with intersection over union."""
    if not len(points) or not len(others):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    found = KDTree(points).sparse_distance_matrix(
        KDTree(others), side * TREE_SLACK, p=np.inf, output_type="ndarray"
    )
    first, second = np.asarray(found["i"], np.intp), np.asarray(found["j"], np.intp)
    offsets = np.abs(points[first] - others[second])
    common = np.prod(np.maximum(side - offsets, 0.0), axis=1)
    overlap = common / (2 * side * side - common)
    return first[overlap > 0], second[overlap > 0], overlap[overlap > 0]


def by_descending_score(points: Points, scores: Points) -> Indices:
    """Return the indices by descending score; ties by y, then x, so that the order given does not count."""
    return np.lexsort((points[:, 0], points[:, 1], -scores))


def rank(order: Indices) -> Indices:
    """Return the place of each index in an order."""
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order))
    return places
