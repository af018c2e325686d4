from __future__ import annotations

import pytest
import torch
from torch import nn

from mitoscope.models.points import PointDetector

pytestmark = pytest.mark.train


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
