"""All that changes during a run, in one visible object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from mitoscope.data.sampling import HardPool
from mitoscope.errors import LedgerMismatchError
from mitoscope.models.family import Family

Arrays = dict[str, NDArray[Any]]


@dataclass(slots=True, eq=False)
class State:
    """The mutable state of a run.

    Parameters
    ----------
    network : Family
        The weights under training.
    average : Family, optional
        Their moving average, where the recipe keeps one.
    optimiser : Optimizer
    step : int
        Steps done.
    hard : HardPool
        The hard negatives of the last round of mining.
    best_score : float
        Best validation score so far, the higher the better; -inf before the first.
    best_step : int
        When it was reached.
    best : dict
        The judged weights of that moment.
    """

    network: Family
    average: Family | None
    optimiser: Optimizer
    step: int = 0
    hard: HardPool = field(default_factory=HardPool.empty)
    best_score: float = -math.inf
    best_step: int = 0
    best: Arrays = field(default_factory=dict)

    @property
    def judged(self) -> Family:
        """The weights that are validated and shipped: the average if there is one."""
        return self.network if self.average is None else self.average

    def keep_if_best(self, score: float) -> bool:
        """Keep the judged weights if their score is the best so far; NaN never is (promise 18)."""
        if not score > self.best_score:  # not "less or equal": NaN compares false
            return False
        self.best_score, self.best_step = score, self.step
        self.best = weights_of(self.judged)
        return True


def weights_of(module: nn.Module) -> Arrays:
    """Return a copy of all weights and statistics by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def put_weights(module: nn.Module, weights: Mapping[str, NDArray[Any]]) -> None:
    """Set all weights and statistics by name; layouts in memory stay as they are.

    Raises
    ------
    LedgerMismatchError
        If they are of another network.
    """
    own = module.state_dict()
    if own.keys() != weights.keys() or any(tuple(own[n].shape) != w.shape for n, w in weights.items()):
        raise LedgerMismatchError(
            "the weights are of another network", where="checkpoint", mend="start again without --resume"
        )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(torch.from_numpy(np.array(weights[name])))
