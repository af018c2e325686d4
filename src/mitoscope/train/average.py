"""The moving average of the weights, which is what is validated and shipped."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, *, step: int, decay: float) -> None:
    """Move the averaged weights a little towards the network's, in place.

    Parameters
    ----------
    average, network : Module
        Of the same architecture.
    step : int
        Counted from 0; early on the average follows faster, so that it forgets the random start.
    decay : float
        Share that is kept, once the run is long.
    """
    kept = min(decay, (step + 1) / (step + 10))
    for mine, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(theirs, 1 - kept)
        else:
            mine.copy_(theirs)
