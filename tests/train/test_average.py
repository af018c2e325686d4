from __future__ import annotations

import pytest
import torch
from torch import nn

from mitoscope.train.average import follow

pytestmark = pytest.mark.train


def test_early_on_it_follows_fast_later_by_the_decay() -> None:
    average, network = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    with torch.no_grad():
        average.weight.fill_(0.0)
        network.weight.fill_(1.0)
    follow(average, network, step=0, decay=0.9)
    assert average.weight.item() == pytest.approx(0.9)  # a tenth is kept
    with torch.no_grad():
        average.weight.fill_(0.0)
    follow(average, network, step=10_000, decay=0.9)
    assert average.weight.item() == pytest.approx(0.1)


def test_counters_are_copied() -> None:
    average, network = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    torch.as_tensor(network.num_batches_tracked).fill_(7)
    follow(average, network, step=0, decay=0.9)
    assert int(torch.as_tensor(average.num_batches_tracked)) == 7
