"""The phases of a run, and the learning rate at every step: pure functions of the recipe and the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from mitoscope.config import Config

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

MOMENTA: Final = (0.95, 0.85)
"""Momentum at the ends and at the peak of a one-cycle schedule (Smith 2018, the values of fastai)."""
_CYCLE_START, _CYCLE_END = 1 / 25, 1 / 25e4
_COSINE_END = 0.01


class Phase(Config):
    """A stretch of a run with one schedule.

    Parameters
    ----------
    steps : int
        Its length.
    train : {"all", "head"}
        What moves; with "head", only the last stage of the network does.
    learning_rate : float
        The peak, of the head.
    schedule : {"one-cycle", "cosine", "step", "constant"}
        One-cycle: up and down by cosines, momentum the other way (super-convergence, Smith and Topin 2018).
        Cosine: half a wave down to 1 %. Step: down by `factor` at each of `drops`.
    cycles : int
        How often the schedule is run through.
    warm_up : float
        Share of a cycle in which the rate rises. For one-cycle by a cosine, else linearly from 0.
    drops : tuple of float
        Shares of a cycle at which a step schedule falls.
    factor : float
        What it falls by.
    discriminative : float
        The first stage learns that many times more slowly than the head; the others in between, in
        geometric steps.
    body : float
        Rate of all stages before the head as a share of the head's, besides.
    """

    steps: Annotated[int, Field(ge=1)]
    train: Literal["all", "head"] = "all"
    learning_rate: Positive
    schedule: Literal["one-cycle", "cosine", "step", "constant"] = "cosine"
    cycles: Annotated[int, Field(ge=1)] = 1
    warm_up: Share = 0.0
    drops: tuple[Share, ...] = ()
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    discriminative: Annotated[float, Field(ge=1)] = 1.0
    body: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _keys_fit_the_schedule(self) -> Self:
        if self.schedule == "one-cycle" and not 0 < self.warm_up < 1:
            raise ValueError("a one-cycle schedule needs a warm_up between 0 and 1, for example 0.3")
        if self.drops and self.schedule != "step":
            raise ValueError("drops belong to the schedule 'step'")
        if self.cycles > self.steps:
            raise ValueError("more cycles than steps")
        return self

    def share_at(self, step: int) -> float:
        """Return the share of the peak rate at a step of this phase."""
        done, per_cycle = self._place(step)
        if self.schedule == "one-cycle":
            return _one_cycle(done, self.warm_up, (_CYCLE_START, 1.0, _CYCLE_END))
        rising = min(1.0, (done * per_cycle + 1) / max(self.warm_up * per_cycle, 1.0))
        if self.schedule == "cosine":
            return rising * (_COSINE_END + (1 - _COSINE_END) * 0.5 * (1 + math.cos(math.pi * done)))
        if self.schedule == "step":
            return rising * self.factor ** sum(done >= drop for drop in self.drops)
        return rising

    def momentum_at(self, step: int) -> float | None:
        """Return the momentum at a step, or None where the schedule leaves it as it is."""
        if self.schedule != "one-cycle":
            return None
        done, _ = self._place(step)
        return _one_cycle(done, self.warm_up, (MOMENTA[0], MOMENTA[1], MOMENTA[0]))

    def rates_at(self, step: int, stages: int) -> tuple[float, ...]:
        """Return the learning rate of every stage, from input to head; frozen ones have 0."""
        peak = self.learning_rate * self.share_at(step)
        if self.train == "head":
            return (0.0,) * (stages - 1) + (peak,)
        behind = range(stages - 1, -1, -1)
        share = (self.body,) * (stages - 1) + (1.0,)
        return tuple(
            own * peak / self.discriminative ** (place / max(stages - 1, 1))
            for own, place in zip(share, behind, strict=True)
        )

    def _place(self, step: int) -> tuple[float, float]:
        per_cycle = self.steps / self.cycles
        return (step % per_cycle) / per_cycle, per_cycle


def _one_cycle(done: float, rise: float, levels: tuple[float, float, float]) -> float:
    start, peak, end = levels
    if done < rise:
        return _between(start, peak, done / rise)
    return _between(peak, end, (done - rise) / (1 - rise))


def _between(first: float, last: float, done: float) -> float:
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True, slots=True)
class Now:
    """Where a run is in its phases.

    Parameters
    ----------
    index : int
        The phase.
    phase : Phase
    step : int
        Steps done in it.
    """

    index: int
    phase: Phase
    step: int


def phase_at(step: int, phases: Sequence[Phase]) -> Now:
    """Return the phase of a step of the whole run; the last one when all are over."""
    for index, phase in enumerate(phases):
        if step < phase.steps or index == len(phases) - 1:
            return Now(index, phase, step)
        step -= phase.steps
    raise ValueError("a run has at least one phase")


def total_steps(phases: Sequence[Phase]) -> int:
    """Return the length of a run."""
    return sum(phase.steps for phase in phases)
