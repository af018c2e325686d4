"""Which detection was matched with which true figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from mitoscope.evaluate.score import Score

UNMATCHED = -1


@dataclass(frozen=True, eq=False)
class Matching:
    """The outcome for one image.

    Attributes
    ----------
    truth_of : ndarray of intp, shape (n,)
        For each detection the index of its true figure, -1 for a false positive.
    detection_of : ndarray of intp, shape (m,)
        For each true figure the index of its detection, -1 for one that was missed.
    """

    truth_of: NDArray[np.intp]
    detection_of: NDArray[np.intp]

    @property
    def score(self) -> Score:
        """Counts of hits and misses."""
        tp = int(np.count_nonzero(self.truth_of != UNMATCHED))
        return Score(tp, len(self.truth_of) - tp, len(self.detection_of) - tp)


def match_closest_unmatched(
    points: NDArray[np.float64], scores: NDArray[np.float64], truth: NDArray[np.float64], *, radius: float
) -> Matching:
    """Match one to one: by descending score, each detection takes the closest figure that is still free.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Detections.
    scores : ndarray, shape (n,)
        Their scores.
    truth : ndarray, shape (m, 2)
        True figures.
    radius : float
        Largest distance, inclusive, in the unit of the points.

    Notes
    -----
    Equal scores are settled by y, then x of the detection; equal distances by y, then x of the figure: the
    order in which either is given changes nothing.
    """
    truth_of = np.full(len(points), UNMATCHED, dtype=np.intp)
    detection_of = np.full(len(truth), UNMATCHED, dtype=np.intp)
    if len(points) and len(truth):
        # A little more than the radius, so that rounding in the tree loses nobody; then the exact test.
        near = KDTree(truth).query_ball_point(points, radius * (1 + 1e-9))
        for detection in np.lexsort((points[:, 0], points[:, 1], -scores)).tolist():
            free = [figure for figure in near[detection] if detection_of[figure] == UNMATCHED]
            figure = _closest(points[detection], truth, free, radius)
            if figure is not None:
                truth_of[detection], detection_of[figure] = figure, detection
    return Matching(truth_of, detection_of)


def _closest(
    point: NDArray[np.float64], truth: NDArray[np.float64], figures: list[int], radius: float
) -> int | None:
    if not figures:
        return None
    offsets = truth[figures] - point
    distances = np.hypot(offsets[:, 0], offsets[:, 1])
    best = np.lexsort((truth[figures, 0], truth[figures, 1], distances))[0]
    return figures[best] if distances[best] <= radius else None
