from __future__ import annotations

import math

import pytest
import torch

from mitoscope.models.focal_loss import focal_loss

pytestmark = pytest.mark.train


def test_by_hand() -> None:
    log_odds = torch.tensor([[[0.0, math.log(3.0)]]])  # scores 1/2 and 3/4
    target = torch.tensor([[[1, 0]]], dtype=torch.int8)
    figure = 0.5**2 * math.log(2)
    background = 0.75**2 * math.log(4)
    assert float(focal_loss(log_odds, target, gamma=2.0, figure_weight=0.5)) == pytest.approx(
        figure + background
    )
    assert float(focal_loss(log_odds, target, gamma=2.0, figure_weight=0.25)) == pytest.approx(
        0.5 * figure + 1.5 * background
    )


def test_ignored_cells_do_not_count() -> None:
    target = torch.tensor([[[1, 0, -1]]], dtype=torch.int8)
    first = focal_loss(torch.tensor([[[1.0, -1.0, 9.0]]]), target, gamma=2.0, figure_weight=0.5)
    second = focal_loss(torch.tensor([[[1.0, -1.0, -9.0]]]), target, gamma=2.0, figure_weight=0.5)
    assert first == second


def test_without_figures_it_is_finite() -> None:
    loss = focal_loss(
        torch.zeros(1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int8), gamma=2.0, figure_weight=0.5
    )
    assert torch.isfinite(loss)
