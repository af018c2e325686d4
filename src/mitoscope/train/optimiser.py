"""The optimiser: a group of parameters for every stage, norms without decay; the average of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from mitoscope.config import Config
from mitoscope.models.family import Family
from mitoscope.train.phases import Now

Share = Annotated[float, Field(ge=0, lt=1)]


class OptimiserRecipe(Config):
    """How weights are moved.

    Parameters
    ----------
    kind : {"adamw", "adam", "sgd"}
    weight_decay : float
        Of kernels; norms and biases have none.
    momentum : float
        Of SGD, and the first moment of Adam; a one-cycle schedule changes it as it goes.
    second_moment : float
        Of Adam.
    average : float
        Decay of a moving average of the weights, a step; the average is validated and shipped. 0 keeps none.
    clip : float
        Largest norm of the gradient; 0 leaves it.
    """

    kind: Literal["adamw", "adam", "sgd"] = "adamw"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    momentum: Share = 0.9
    second_moment: Share = 0.99
    average: Share = 0.0
    clip: Annotated[float, Field(ge=0)] = 0.0


def make_optimiser(family: Family, recipe: OptimiserRecipe) -> torch.optim.Optimizer:
    """Return the optimiser; every group says its ``stage``."""
    groups: list[dict[str, Any]] = []
    for stage, parameters in enumerate(family.stages()):
        for matrix, decay in ((True, recipe.weight_decay), (False, 0.0)):
            chosen = [p for p in parameters if (p.ndim > 1) is matrix]
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, "stage": stage})
    if recipe.kind == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)
    kind = torch.optim.AdamW if recipe.kind == "adamw" else torch.optim.Adam
    return kind(groups, lr=0.0, betas=(recipe.momentum, recipe.second_moment))


def set_rates(optimiser: Any, now: Now, recipe: OptimiserRecipe, *, stages: int) -> float:
    """Set learning rate and momentum of every group, as functions of the step alone (promise 19).

    Returns
    -------
    float
        The rate of the head.
    """
    rates = now.phase.rates_at(now.step, stages)
    cycled = now.phase.momentum_at(now.step)
    momentum = recipe.momentum if cycled is None else cycled
    for group in optimiser.param_groups:
        group["lr"] = rates[group["stage"]]
        if "betas" in group:
            group["betas"] = (momentum, recipe.second_moment)
        else:
            group["momentum"] = momentum
    return rates[-1]


def thaw(stages: Sequence[Sequence[nn.Parameter]], now: Now) -> None:
    """Let the stages that the phase trains have gradients, and only those.

    Notes
    -----
    The statistics of batch normalisation in frozen stages go on following the data, as in the head-only
    phases of fastai, with which the published RetinaNets were trained.
    """
    for place, stage in enumerate(stages):
        trained = now.phase.train == "all" or place == len(stages) - 1
        for parameter in stage:
            parameter.requires_grad_(trained)
            if not trained:
                parameter.grad = None


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
