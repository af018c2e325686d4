"""Dense targets: for every cell of the network's output figure, background, or neither."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.placement import Placement
from mitoscope.data.window import Patch

FIGURE: Final = 1
BACKGROUND: Final = 0
IGNORED: Final = -1


def dense_targets(
    patches: list[Patch],
    placement: Placement,
    *,
    stride_px: int,
    figure_radius_px: float,
    ignore_radius_px: float,
) -> NDArray[np.int8]:
    """Label every output cell of every window.

    Parameters
    ----------
    patches : list of Patch
    placement : Placement
        Of the same windows, in order.
    stride_px : int
        Side of a cell.
    figure_radius_px, ignore_radius_px : float
        A cell is a figure if its centre is within the first radius of one, background beyond the second,
        neither in the ring between.

    Returns
    -------
    ndarray of int8, shape (n, cells, cells)
        1 figure, 0 background, -1 ignored: the ring, and what lies where labels are not trusted.
    """
    cells = placement.window_px // stride_px
    axis = np.arange(cells) * stride_px + stride_px / 2
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    centres = np.stack([columns, rows], -1).reshape(-1, 2)
    target = np.zeros((len(patches), len(centres)), dtype=np.int8)
    for index, patch in enumerate(patches):
        left, top, right, bottom = patch.valid
        x, y = placement.to_patch(centres, index).T
        target[index, (x < left) | (y < top) | (x > right) | (y > bottom)] = IGNORED
        if len(patch.figures):
            figures = placement.to_window(patch.figures, index)
            distance = np.hypot(*(centres[:, None] - figures[None]).transpose(2, 0, 1)).min(axis=1)
            target[index, distance < ignore_radius_px] = IGNORED
            target[index, distance <= figure_radius_px] = FIGURE
    return target.reshape(-1, cells, cells)
