"""Focal loss over dense targets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.data.target import BACKGROUND, FIGURE


def focal_loss(log_odds: Tensor, target: Tensor, *, gamma: float, figure_weight: float) -> Tensor:
    """Return the focal loss (Lin et al. 2017), summed over cells and divided by the number of figure cells.

    Parameters
    ----------
    log_odds : Tensor of float, shape (n, rows, columns)
    target : Tensor of int8, same shape
        1 figure, 0 background; everything else does not count.
    gamma : float
        How much easy cells are played down.
    figure_weight : float
        Weight of figure cells; background has one minus it.
    """
    score = torch.sigmoid(log_odds)
    figure, background = target == FIGURE, target == BACKGROUND
    missed = ((1 - score) ** gamma * F.softplus(-log_odds))[figure].sum()
    invented = (score**gamma * F.softplus(log_odds))[background].sum()
    total = figure_weight * missed + (1 - figure_weight) * invented
    return 2 * total / figure.sum().clamp_min(1)
