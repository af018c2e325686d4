"""The mitotic count at every position of the window in the tumour: how much it hangs on where one counts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.count.mitotic_count import COVERED_MIN
from mitoscope.geometry import SizePx
from mitoscope.tissue import TissueMask

STEP_PX0: Final = 128
"""Between neighbouring positions: four cells of SlideRunner's map of mitotic counts."""


def counts_in_tumour(
    points_px0: NDArray[np.float64], tumour: TissueMask, *, window: SizePx, step_px0: int = STEP_PX0
) -> NDArray[np.int64]:
    """Return how many positions of the window hold 0, 1, 2, ... points.

    Parameters
    ----------
    points_px0 : ndarray, shape (n, 2)
        Points in level-0 px.
    tumour : TissueMask
        Positions count of which at least 95 % are tumour.
    window : SizePx
        In level-0 px.
    step_px0 : int
        Between neighbouring positions.

    Returns
    -------
    ndarray of int64
        Positions by count; empty where the window fits nowhere.
    """
    size = tumour.slide_size
    free = size.width - window.width, size.height - window.height
    if min(free) < 0:
        return np.zeros(0, np.int64)
    shape = free[1] // step_px0 + 1, free[0] // step_px0 + 1
    counts = _counts(points_px0, window, shape=shape, step=step_px0)
    rows, columns = np.indices(shape)
    origins = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64) * step_px0
    covered = tumour.areas_in(origins, width_px0=window.width, height_px0=window.height)
    fits = covered >= COVERED_MIN * window.area * tumour.mpp.pixel_area_mm2
    return np.bincount(counts.ravel()[fits]).astype(np.int64)


def _counts(
    points: NDArray[np.float64], window: SizePx, *, shape: tuple[int, int], step: int
) -> NDArray[np.int64]:
    """Count at all positions at once: a point counts for a block of origins, a window up and left."""
    limit = np.array([shape[1], shape[0]])
    side = np.array([window.width, window.height])
    # An origin o holds a point p where o <= p < o + side.
    first = np.clip(np.floor((points - side) / step).astype(np.intp) + 1, 0, limit)
    last = np.clip(np.floor(points / step).astype(np.intp) + 1, 0, limit)
    edges = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
    for columns, rows, sign in (
        (first[:, 0], first[:, 1], 1),
        (last[:, 0], first[:, 1], -1),
        (first[:, 0], last[:, 1], -1),
        (last[:, 0], last[:, 1], 1),
    ):
        np.add.at(edges, (rows, columns), sign)
    return edges.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
