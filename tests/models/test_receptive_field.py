from __future__ import annotations

import pytest
import torch
from torch import nn

from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.models.receptive_field import receptive_field

pytestmark = pytest.mark.train


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
