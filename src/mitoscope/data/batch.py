"""One batch: windows with everything that any family of networks is trained on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
