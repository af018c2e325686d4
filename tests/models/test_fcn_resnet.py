from __future__ import annotations

import pytest
import torch
from torch import nn

from mitoscope.models.fcn_resnet import FcnResnet12

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
