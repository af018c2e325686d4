"""The crowd: boxes of many reviewers become boxes with an agreement score; who may answer (Ji et al.).

Terms of the paper: a *tile* (1,000 px) is shown to reviewers who draw boxes on it; overlapping boxes are
merged into one with an *agreement score* a in [0, 1]; the score of a tile or *sub-tile* is s = Σ r·a over the
merged boxes, r the fraction of the box inside of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from mitoscope.errors import FormatError
from mitoscope.store import MINIMUM_REVIEWERS

Boxes = NDArray[np.float64]

MINIMUM_OVERLAPPING_BOXES = 2
"""A merged box needs boxes of at least so many reviewers (Ji et al.)."""
TILE_PX = 1000
"""Side of the tiles shown, at 40x (Ji et al.)."""
SUB_TILE_STEP_PX = 125
"""Step of the sub-tiles: 7 × 7 = 49 a tile (Ji et al.)."""
State = Literal["testing", "qualified", "failed"]

GOLD_NEEDED = 5
"""Gold tiles that a rater answers before any answer counts."""
PASS_MARK = 0.8
"""Share of them that must be right."""
OVERLAP_MIN = 0.3
"""Intersection over union from which on a drawn box is the gold box: people draw generously."""


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
    if len(np.unique(who)) > reviewers:
        drew_any = len(np.unique(who))
        raise FormatError(f"{drew_any} drew boxes, but {reviewers} reviewed the tile", where="tile")
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise FormatError("a box that is empty, or has NaN or infinite corners", where="tile")
    if reviewers < minimum_reviewers:
        return None
    group = clusters(intersection_areas(boxes, boxes) > 0)
    merged, agreement = [], []
    for one in range(int(group.max(initial=-1)) + 1):
        members = group == one
        drew = np.unique(who[members])
        if len(drew) >= minimum_overlapping_boxes:
            merged.append(np.mean([boxes[members & (who == each)].mean(axis=0) for each in drew], axis=0))
            agreement.append(len(drew) / reviewers)
    return CrowdBoxes(np.array(merged).reshape(-1, 4), np.array(agreement, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Qualification:
    """How a rater stands.

    Parameters
    ----------
    state : str
        ``testing`` until enough gold tiles are answered, then ``qualified`` or ``failed``.
    done, needed : int
        Gold tiles answered, and how many there must be.
    score : float
        Share that was right, in [0, 1]; 0 where none is answered.
    pass_mark : float
        Share that must be.
    """

    state: State
    done: int
    needed: int
    score: float
    pass_mark: float


def qualify(
    right: Sequence[bool], *, needed: int = GOLD_NEEDED, pass_mark: float = PASS_MARK
) -> Qualification:
    """Return how a rater stands after some gold tiles, of which the first answers count.

    Parameters
    ----------
    right : sequence of bool
        Of each gold tile answered, in order.
    needed : int
        Gold tiles to be answered; 0 where the study has none, and everybody is qualified.
    pass_mark : float
        Share of right answers that is needed.
    """
    tested = list(right)[:needed]
    score = float(np.mean(tested)) if tested else 0.0
    if len(tested) < needed:
        return Qualification("testing", len(tested), needed, score, pass_mark)
    passed = needed == 0 or score >= pass_mark
    return Qualification("qualified" if passed else "failed", len(tested), needed, score, pass_mark)


def boxes_agree(drawn: ArrayLike, gold: ArrayLike, *, overlap: float = OVERLAP_MIN) -> bool:
    """Say whether boxes are those of a gold tile: one for each, none besides.

    Parameters
    ----------
    drawn, gold : array_like, shape (n, 4) and (m, 4)
        x_min, y_min, x_max, y_max.
    overlap : float
        Smallest intersection over union of a drawn box and the gold box that it stands for.
    """
    mine = np.asarray(drawn, dtype=np.float64).reshape(-1, 4)
    known = np.asarray(gold, dtype=np.float64).reshape(-1, 4)
    if len(mine) != len(known):
        return False
    if not len(mine):
        return True
    common = intersection_areas(mine, known)
    iou = common / (areas(mine)[:, None] + areas(known)[None, :] - common)
    # Each box of either side has its partner: the assignment of the greatest sum must reach the limit in all.
    rows, columns = linear_sum_assignment(-(iou >= overlap).astype(float))
    return bool((iou[rows, columns] >= overlap).all())


def intersection_areas(boxes_px0: Boxes, others_px0: Boxes) -> Boxes:
    """Return the area that each box, shape (n, 4), has in common with each other, shape (m, 4), in px²."""
    low = np.maximum(boxes_px0[:, None, :2], others_px0[None, :, :2])
    high = np.minimum(boxes_px0[:, None, 2:], others_px0[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def areas(boxes_px0: Boxes) -> Boxes:
    """Return the areas of boxes, shape (n, 4), in px²."""
    return np.asarray((boxes_px0[:, 2:] - boxes_px0[:, :2]).prod(axis=1))


def clusters(pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the group of each of n things that are joined, directly or by way of others, shape (n,)."""
    _, group = connected_components(pairs, directed=False)
    return np.asarray(group, dtype=np.int64)
