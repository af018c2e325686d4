"""The crowd: boxes of many reviewers become boxes with an agreement score; who may answer (Ji et al.).

Terms of the paper: a *tile* (1,000 px) is shown to reviewers who draw boxes on it; overlapping boxes are
merged into one with an *agreement score* a in [0, 1]; the score of a tile or *sub-tile* is s = Σ r·a over the
merged boxes, r the fraction of the box inside of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from mitoscope.errors import FormatError
from mitoscope.store import MINIMUM_REVIEWERS, intersection_areas

Boxes = NDArray[np.float64]

MINIMUM_OVERLAPPING_BOXES = 2
"""A merged box needs boxes of at least so many reviewers (Ji et al.)."""
TILE_PX = 1000
"""Side of the tiles shown, at 40x (Ji et al.)."""
SUB_TILE_STEP_PX = 125
"""Step of the sub-tiles: 7 × 7 = 49 a tile (Ji et al.)."""


@dataclass(frozen=True, eq=False)
class CrowdBoxes:
    """Merged boxes of one tile.

    Parameters
    ----------
    boxes_px0 : ndarray of float64, shape (m, 4)
        x_min, y_min, x_max, y_max: the mean of the reviewers' boxes.
    agreement : ndarray of float64, shape (m,)
        The fraction of the tile's reviewers who drew it, in [0, 1].
    """

    boxes_px0: NDArray[np.float64]
    agreement: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Score of the whole tile: the sum of the agreement, 0 where nobody saw a figure."""
        return float(self.agreement.sum())


def merge_crowd_boxes(
    boxes_px0: ArrayLike,
    reviewer: ArrayLike,
    *,
    reviewers: int,
    minimum_reviewers: int = MINIMUM_REVIEWERS,
    minimum_overlapping_boxes: int = MINIMUM_OVERLAPPING_BOXES,
) -> CrowdBoxes | None:
    """Merge the boxes that the reviewers of one tile drew.

    Boxes that overlap, directly or by way of others, are one; a reviewer who drew several of them counts
    once, with the mean of these.

    Parameters
    ----------
    boxes_px0 : array_like, shape (n, 4)
        x_min, y_min, x_max, y_max of all reviewers' boxes.
    reviewer : array_like of int, shape (n,)
        Who drew each.
    reviewers : int
        How many reviewed the tile, with those who drew nothing.
    minimum_reviewers : int
        Tiles with fewer do not count.
    minimum_overlapping_boxes : int
        A merged box needs boxes of at least so many reviewers.

    Returns
    -------
    CrowdBoxes or None
        None where fewer than ``minimum_reviewers`` reviewed the tile: it says nothing, which is another thing
        than "no mitotic figure".

    Raises
    ------
    FormatError
        If more reviewers drew boxes than reviewed the tile, or a box is empty or not finite.
    """
    boxes = np.asarray(boxes_px0, dtype=np.float64).reshape(-1, 4)
    who = np.asarray(reviewer, dtype=np.int64).reshape(-1)
    drew_any = len(set(who.tolist()))
    if drew_any > reviewers:
        raise FormatError(f"{drew_any} drew boxes, but {reviewers} reviewed the tile", where="tile")
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise FormatError("a box that is empty, or has NaN or infinite corners", where="tile")
    if reviewers < minimum_reviewers:
        return None
    overlap = intersection_areas(boxes, boxes) > 0
    if minimum_overlapping_boxes > 1 and not overlap[who[:, None] != who].any():
        return CrowdBoxes(np.empty((0, 4)), np.empty(0))  # nobody's box is another's: most tiles
    group = clusters(overlap)
    merged, agreement = [], []
    for cluster in range(int(group.max(initial=-1)) + 1):
        members = group == cluster
        drew = sorted(set(who[members].tolist()))
        if len(drew) >= minimum_overlapping_boxes:
            merged.append(np.mean([boxes[members & (who == each)].mean(axis=0) for each in drew], axis=0))
            agreement.append(len(drew) / reviewers)
    return CrowdBoxes(np.array(merged).reshape(-1, 4), np.array(agreement, dtype=np.float64))


def clusters(pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the group of each of n things that are joined, directly or by way of others, shape (n,)."""
    if pairs.all():  # as the boxes of most tiles are: SciPy takes a hundred times as long to find that
        return np.zeros(len(pairs), dtype=np.int64)
    _, group = connected_components(pairs, directed=False)
    return np.asarray(group, dtype=np.int64)
