from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mitoscope.models.fcn import FcnResnet12, PointDetector, focal_loss, receptive_field

pytestmark = pytest.mark.train


def test_it_has_twelve_convolutions_and_nothing_global() -> None:
    network = FcnResnet12((4, 6, 8))
    kernels = [
        m for m in network.modules() if isinstance(m, nn.Conv2d) and "shortcut" not in _name(network, m)
    ]
    assert len(kernels) == 12
    allowed = (nn.Conv2d, nn.BatchNorm2d, nn.Dropout2d, nn.Identity)
    leaves = [m for m in network.modules() if not list(m.children())]
    assert all(isinstance(m, allowed) for m in leaves)


def _name(network: nn.Module, module: nn.Module) -> str:
    names: dict[int, str] = {id(each): name for name, each in network.named_modules()}
    return names[id(module)]


def test_one_value_a_cell_and_few_figures_at_first() -> None:
    network = FcnResnet12((4, 6, 8)).eval()
    log_odds = network(torch.full((2, 64, 96, 3), 180, dtype=torch.uint8))
    assert log_odds.shape == (2, 8, 12)
    assert torch.sigmoid(log_odds).max() < 0.1


def test_the_seed_decides_the_weights() -> None:
    def weights() -> torch.Tensor:
        torch.manual_seed(4)
        return FcnResnet12((4, 6, 8)).stem.weight

    assert torch.equal(weights(), weights())


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


def _points(score: torch.Tensor, *, top_k: int = 6) -> torch.Tensor:
    return PointDetector(nn.Identity(), stride_px=8, top_k=top_k).points(score)


def test_a_lone_peak_lies_in_the_centre_of_its_cell() -> None:
    score = torch.zeros(1, 5, 7)
    score[0, 2, 4] = 0.9
    point = _points(score)[0, 0]
    assert point.tolist() == pytest.approx([4.5 * 8, 2.5 * 8, 0.9])


def test_neighbours_pull_the_point_towards_them() -> None:
    score = torch.zeros(1, 5, 7)
    score[0, 2, 4], score[0, 2, 5], score[0, 1, 4] = 0.9, 0.6, 0.3
    x, y, _ = _points(score)[0, 0].tolist()
    assert x == pytest.approx((4.5 + 0.6 / 1.8) * 8)
    assert y == pytest.approx((2.5 - 0.3 / 1.8) * 8)


def test_points_descend_and_empty_slots_have_score_nought() -> None:
    score = torch.full((2, 6, 6), 0.0)
    score[0, 1, 1], score[0, 4, 4], score[1, 3, 0] = 0.4, 0.8, 0.5
    points = _points(score)
    assert points.shape == (2, 6, 3)
    assert points[0, :3, 2].tolist() == pytest.approx([0.8, 0.4, 0.0])
    assert points[1, :2, 2].tolist() == pytest.approx([0.5, 0.0])


def test_only_the_maximum_of_neighbouring_cells_is_a_point() -> None:
    score = torch.zeros(1, 6, 6)
    score[0, 2, 2], score[0, 3, 3], score[0, 2, 5] = 0.9, 0.8, 0.7
    assert _points(score)[0, :, 2].gt(0).sum() == 2


def test_a_window_may_have_fewer_cells_than_slots() -> None:
    points = _points(torch.full((1, 1, 2), 0.5), top_k=9)
    assert points.shape == (1, 9, 3)
    assert points[0, 2:, 2].max() == 0


def _open(network: FcnResnet12) -> FcnResnet12:
    """Make every weight positive, so that nothing that is seen can cancel out."""
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.05)
    return network.eval()


def test_the_shipped_shape_sees_121_px() -> None:
    field = receptive_field(FcnResnet12())
    assert (field.stride_px, field.before_px, field.after_px, field.size_px) == (8, 60, 60, 121)
    assert field.halo_px == 76


@pytest.mark.parametrize("stride_px", [4, 8])
def test_the_gradient_reaches_exactly_that_far(stride_px: int) -> None:
    network = _open(FcnResnet12((2, 2, 2), stride_px=stride_px))
    field = receptive_field(network)
    planes = torch.full((1, 3, 256, 256), 0.5, requires_grad=True)
    hidden = torch.relu(network.stem_norm(network.stem(planes)))
    log_odds = network.classifier(network.body(hidden))[0, 0]
    row, column = 16, 17
    assert field.stride_px == stride_px
    log_odds[row, column].backward()
    assert planes.grad is not None
    seen = planes.grad.abs().sum((0, 1)) > 0
    rows, columns = seen.any(1).nonzero()[:, 0], seen.any(0).nonzero()[:, 0]
    assert (int(rows.min()), int(rows.max())) == (
        stride_px * row - field.before_px,
        stride_px * row + field.after_px,
    )
    assert (int(columns.min()), int(columns.max())) == (
        stride_px * column - field.before_px,
        stride_px * column + field.after_px,
    )
