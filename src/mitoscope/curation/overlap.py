"""Which boxes overlap, and which are one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

Boxes = NDArray[np.float64]


def intersection_areas(boxes_px0: Boxes, others_px0: Boxes) -> Boxes:
    """Return the area that each box, shape (n, 4), has in common with each other, shape (m, 4), in px²."""
    low = np.maximum(boxes_px0[:, None, :2], others_px0[None, :, :2])
    high = np.minimum(boxes_px0[:, None, 2:], others_px0[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def areas(boxes_px0: Boxes) -> Boxes:
    """Return the areas of boxes, shape (n, 4), in px²."""
    return np.asarray((boxes_px0[:, 2:] - boxes_px0[:, :2]).prod(axis=1))


def intersection_over_union(boxes_px0: Boxes) -> Boxes:
    """Return the intersection over union of all pairs of boxes, shape (n, n)."""
    common = intersection_areas(boxes_px0, boxes_px0)
    size = areas(boxes_px0)
    union = size[:, None] + size[None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def clusters(pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the group of each of n things that are joined, directly or by way of others, shape (n,)."""
    _, group = connected_components(pairs, directed=False)
    return np.asarray(group, dtype=np.int64)
