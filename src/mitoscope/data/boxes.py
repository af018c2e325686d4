"""Labelled cells of windows as boxes: squares around centres that fall on the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mitoscope.data.placement import Placement
from mitoscope.data.window import Patch


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The cells of several windows; see `Batch`."""

    boxes: tuple[Tensor, ...]
    classes: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]


def boxes_of(patches: list[Patch], placement: Placement, *, labels: tuple[str, ...], box_px: float) -> Boxes:
    """Return the boxes of the cells whose labels a model tells apart; all others are background.

    Parameters
    ----------
    patches : list of Patch
    placement : Placement
        Of the same windows, in order.
    labels : tuple of str
        Names by class.
    box_px : float
        Side of a box at the resolution of training; it grows with the window's scale.
    """
    boxes, classes, weights = [], [], []
    for index, patch in enumerate(patches):
        cells = patch.cells
        known = np.isin(cells.label, labels)
        centre = placement.to_window(cells.points[known], index)
        inside = ((centre >= 0) & (centre < placement.window_px)).all(axis=1)
        half = box_px * placement.scale(index) / 2
        centre = centre[inside]
        corners = np.concatenate([centre - half, centre + half], axis=1).clip(0, placement.window_px)
        boxes.append(torch.from_numpy(corners.astype(np.float32).reshape(-1, 4)))
        names = cells.label[known][inside].tolist()
        classes.append(torch.tensor([labels.index(name) for name in names], dtype=torch.int64))
        weights.append(torch.from_numpy(cells.agreement[known][inside].astype(np.float32)))
    return Boxes(tuple(boxes), tuple(classes), tuple(weights))
