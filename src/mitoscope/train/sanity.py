"""The first two batches of a run go through a copy of the network: what cannot work fails at once."""

from __future__ import annotations

import copy
import math
from typing import Final

import torch

from mitoscope.errors import NonFiniteError, TrainingDataError
from mitoscope.train.device import on_device
from mitoscope.train.job import Job
from mitoscope.train.journal import say
from mitoscope.train.state import State
from mitoscope.train.validation import validate_two

BATCHES: Final = 2


def check_first_batches(job: Job, state: State) -> None:
    """Take the loss of two batches and validate on two fields, without changing the state.

    Raises
    ------
    NonFiniteError
        If a loss is NaN or infinite.
    TrainingDataError
        If no parameter of the network has a gradient.
    """
    network = copy.deepcopy(state.network).train()
    losses = []
    for step in range(BATCHES):
        torch.manual_seed(job.recipe.run.seed + step)
        with job.autocast():
            loss = network.loss(on_device(job.batches.draw(step, state.hard), job.fabric.device))
        if not math.isfinite(float(loss.detach())):
            raise NonFiniteError(f"the loss is {float(loss.detach())}", where=f"sanity batch {step}")
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(float(loss.detach()))
    if not any(p.grad is not None and bool(p.grad.any()) for p in network.parameters()):
        raise TrainingDataError("the first batches teach nothing: no gradient", where="sanity batches")
    validate_two(job, network)
    if job.leads:
        say(f"first batches: loss {losses[0]:.3f} and {losses[1]:.3f}")
