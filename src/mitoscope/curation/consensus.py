"""How several labels or boxes become one: consensus of two, majority of three, expert boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.curation.overlap import clusters, intersection_over_union
from mitoscope.curation.ratings import NO_LABEL
from mitoscope.errors import FormatError

Labels = NDArray[np.int64]


def unanimous(labels: Labels) -> Labels:
    """Return the label that all raters gave, shape (n,), or -1 where they differ or none spoke.

    Parameters
    ----------
    labels : ndarray of int64, shape (n, r)
        -1 where a rater gave no label.
    """
    low = np.where(labels == NO_LABEL, np.iinfo(np.int64).max, labels).min(axis=1)
    high = labels.max(axis=1)
    return np.where((low == high) & (high != NO_LABEL), high, NO_LABEL)


def consensus_of_two(first: Labels, second: Labels) -> Labels:
    """Return the label on which two raters agree, or -1 (CCMCT: what remains goes to a common session)."""
    return np.where((first == second) & (first != NO_LABEL), first, NO_LABEL)


def majority_of_three(first: Labels, second: Labels, third: Labels) -> Labels:
    """Return the label on which two raters agree, or that of a third who decides between them, or -1.

    CMC and MIDOG++: the third expert sees only the cells on which the first two disagree.
    """
    agreed = consensus_of_two(first, second)
    decides = (third != NO_LABEL) & ((third == first) | (third == second))
    both = (first != NO_LABEL) & (second != NO_LABEL)
    return np.where(agreed != NO_LABEL, agreed, np.where(both & decides, third, NO_LABEL))


def merge_expert_boxes(
    boxes_px0: ArrayLike, rater: ArrayLike, *, raters: int, minimum_iou: float = 0.5
) -> NDArray[np.float64]:
    """Return the boxes that most experts drew, each the mean of theirs (Ji et al.: majority, then mean).

    Parameters
    ----------
    boxes_px0 : array_like, shape (n, 4)
        x_min, y_min, x_max, y_max of all experts' boxes on one slide.
    rater : array_like of int, shape (n,)
        Who drew each.
    raters : int
        Number of experts; more than half of them must have drawn a box.
    minimum_iou : float
        Boxes that overlap by this intersection over union, directly or by way of others, are one.

    Returns
    -------
    ndarray of float64, shape (m, 4)
        Sorted by y_min, then x_min.

    Raises
    ------
    FormatError
        If a rater has a number that is not one of ``raters``.
    """
    boxes = np.asarray(boxes_px0, dtype=np.float64).reshape(-1, 4)
    who = np.asarray(rater, dtype=np.int64).reshape(-1)
    if len(who) and (who.min() < 0 or len(np.unique(who)) > raters):
        raise FormatError(f"{len(np.unique(who))} raters drew boxes, but there are {raters}", where="boxes")
    pairs = intersection_over_union(boxes) >= minimum_iou
    group = clusters(pairs)
    merged = [
        boxes[group == one].mean(axis=0)
        for one in range(int(group.max(initial=-1)) + 1)
        if 2 * len(np.unique(who[group == one])) > raters
    ]
    return np.array(sorted(merged, key=lambda box: (box[1], box[0])), dtype=np.float64).reshape(-1, 4)
