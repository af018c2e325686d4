"""What windows teach: the boxes of their cells, and for every cell of a dense output figure or background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mitoscope.data.augment import Placement
from mitoscope.data.window import Patch


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows with their labels; a family takes the part that it learns from.

    Parameters
    ----------
    rgb : Tensor of uint8, shape (n, h, w, 3)
    boxes : tuple of Tensor of float32, shape (m_i, 4)
        For every window x1, y1, x2, y2 of its cells, in window px.
    classes : tuple of Tensor of int64, shape (m_i,)
        Index of each cell's label among those of the model; 0 is the mitotic figure.
    weights : tuple of Tensor of float32, shape (m_i,)
        Agreement on each cell, 1 where it is not stated.
    score : Tensor of float32, shape (n,)
        What the whole window is: index of the class for a classifier, agreement for a regressor.
    cells : Tensor of int8, shape (n, rows, columns), optional
        Dense target of a fully convolutional network: 1 figure, 0 background, -1 ignored.
    """

    rgb: Tensor
    boxes: tuple[Tensor, ...]
    classes: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    score: Tensor
    cells: Tensor | None = None


FIGURE: Final = 1
BACKGROUND: Final = 0
IGNORED: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The cells of several windows; see `Batch`."""

    boxes: tuple[Tensor, ...]
    classes: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]


def boxes_of(patches: list[Patch], placement: Placement, *, labels: tuple[str, ...], mpp: float) -> Boxes:
    """Return the boxes of the cells whose labels a model tells apart; all others are background.

    Parameters
    ----------
    patches : list of Patch
    placement : Placement
        Of the same windows, in order.
    labels : tuple of str
        Names by class.
    mpp : float
        Resolution of training, µm/px: a cell without a drawn size gets a box of 12.5 µm.

    Notes
    -----
    A cell fills its box as an ellipse does: turned, it fills the box around the turned ellipse.
    """
    boxes, classes, weights = [], [], []
    for index, patch in enumerate(patches):
        which = patch.cells.classes(labels)
        centre = placement.to_window(patch.cells.points, index)
        kept = (which >= 0) & ((centre >= 0) & (centre < placement.window_px)).all(axis=1)
        cells, centre = patch.cells.take(kept), centre[kept]
        half = np.sqrt((cells.sizes(mpp=mpp) / 2) ** 2 @ placement.to_window_matrix(index).T ** 2)
        corners = np.concatenate([centre - half, centre + half], axis=1).clip(0, placement.window_px)
        boxes.append(torch.from_numpy(corners.astype(np.float32).reshape(-1, 4)))
        classes.append(torch.from_numpy(which[kept]))
        weights.append(torch.from_numpy(cells.agreement.astype(np.float32)))
    return Boxes(tuple(boxes), tuple(classes), tuple(weights))


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
        1 figure, 0 background, -1 ignored: the ring, and what lies where labels are not trusted or nobody
        looked.
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
        target[index, patch.hides(x, y)] = IGNORED
        if len(patch.figures):
            figures = placement.to_window(patch.figures, index)
            distance = np.hypot(*(centres[:, None] - figures[None]).transpose(2, 0, 1)).min(axis=1)
            target[index, distance < ignore_radius_px] = IGNORED
            target[index, distance <= figure_radius_px] = FIGURE
    return target.reshape(-1, cells, cells)
