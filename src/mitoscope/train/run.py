"""One training run: setup (in `job`), main, fit, validate (in `validation`)."""

from __future__ import annotations

import copy
import math
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import torch
from torch import nn

from mitoscope.data.batches import Batches
from mitoscope.data.sampling import HardPool
from mitoscope.data.target import Batch
from mitoscope.errors import IncompleteRunError, NonFiniteError, StoppedError, TrainingDataError
from mitoscope.fsio import make_directory
from mitoscope.train.checkpoint import CHECKPOINT_NAME, load, save
from mitoscope.train.detect import mine_hard_negatives
from mitoscope.train.device import on_device
from mitoscope.train.job import Job, new_state
from mitoscope.train.journal import Journal, Report, journal, progress, say
from mitoscope.train.optimiser import follow, set_rates, thaw
from mitoscope.train.phases import Phase, phase_at
from mitoscope.train.recipe import RECIPE_NAME
from mitoscope.train.state import State, put_weights
from mitoscope.train.validation import better, validate, validate_two


class DrawAhead:
    """Draws some batches ahead; what is drawn does not depend on it.

    One thread for the network and others for the batches use all cores without waiting for each other at
    every operation; several threads inside an operation lose much of their time as soon as another process
    runs.

    Parameters
    ----------
    batches : Batches
    pool : ThreadPoolExecutor
    depth : int
        Batches that are drawn ahead.
    first, stride : int
        The process draws the batches first + step × stride, so that no two processes of a run draw alike.
    """

    def __init__(
        self, batches: Batches, pool: ThreadPoolExecutor, *, depth: int = 1, first: int = 0, stride: int = 1
    ) -> None:
        self._batches, self._pool, self._depth = batches, pool, depth
        self._first, self._stride = first, stride
        self._waiting: deque[tuple[int, HardPool, Future[Batch]]] = deque()

    def take(self, step: int, hard: HardPool) -> Batch:
        """Return the batch of a step and go on with the next ones."""
        # After a round of mining the batches that wait were drawn from the old hard negatives.
        while self._waiting and (self._waiting[0][0] != step or self._waiting[0][1] is not hard):
            self._waiting.popleft()[2].cancel()
        batch = self._waiting.popleft()[2] if self._waiting else self._submit(step, hard)
        last = self._waiting[-1][0] if self._waiting else step
        for later in range(last + 1, step + self._depth + 1):
            self._waiting.append((later, hard, self._submit(later, hard)))
        return batch.result()

    def _submit(self, step: int, hard: HardPool) -> Future[Batch]:
        return self._pool.submit(self._batches.draw, self._first + step * self._stride, hard)


@contextmanager
def drawing_ahead(
    batches: Batches, *, depth: int = 1, first: int = 0, stride: int = 1
) -> Iterator[DrawAhead]:
    """Keep the threads while the block runs; unfinished batches are finished and thrown away."""
    with ThreadPoolExecutor(depth, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield DrawAhead(batches, pool, depth=depth, first=first, stride=stride)


BATCHES: Final = 2


class Stop:
    """Becomes true when the user asks to stop."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Note the wish; a second one takes effect at once."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


@contextmanager
def polite_stop() -> Iterator[Stop]:
    """Catch SIGINT and SIGTERM while the block runs; outside of the main thread nothing is caught."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """What the steps of a run share.

    Parameters
    ----------
    job : Job
    ahead : DrawAhead
    stop : Stop
    report : Report
    journal : Journal
    """

    job: Job
    ahead: DrawAhead
    stop: Stop
    report: Report
    journal: Journal


def main(job: Job, *, resume: bool) -> State:
    """Fit, and return the state with its best weights in place.

    Raises
    ------
    NonFiniteError
        If a loss, a gradient or a weight is NaN or infinite, naming the step.
    IncompleteRunError
        If no validation gave a score.
    StoppedError
        If the run is stopped; it can be resumed.
    """
    make_directory(job.out)
    state = new_state(job)
    if resume:
        load(state, job.out / CHECKPOINT_NAME, run=job.fingerprint, architecture=job.recipe.architecture)
    if job.leads:
        job.recipe.to_toml(job.out / RECIPE_NAME)
    check_first_batches(job, state)
    with open_loop(job, state) as loop:
        fit(loop, state)
    if not state.best:
        raise IncompleteRunError(
            f"{job.recipe.validation.metric} was never defined on the held-out cases",
            where=job.out,
            mend="hold out cases of every class, or take another validation.metric",
        )
    put_weights(state.judged, state.best)
    return state


@contextmanager
def open_loop(job: Job, state: State) -> Iterator[Loop]:
    """Keep threads, journal, progress and signal handlers while the block runs."""
    run, fabric = job.recipe.run, job.fabric
    with ExitStack() as stack:
        stop = stack.enter_context(polite_stop())
        report = stack.enter_context(progress(job.recipe.steps, start=state.step, shown=job.leads))
        metrics = stack.enter_context(
            journal(job.out, step=state.step, tensorboard=run.tensorboard, shown=job.leads)
        )
        ahead = stack.enter_context(
            drawing_ahead(job.batches, depth=run.ahead, first=fabric.global_rank, stride=fabric.world_size)
        )
        yield Loop(job, ahead, stop, report, metrics)


def fit(loop: Loop, state: State) -> None:
    """Run the steps that are left, phase by phase."""
    job, recipe = loop.job, loop.job.recipe
    phase: Phase | None = None
    network, optimiser = job.fabric.setup(state.network, state.optimiser)
    network.mark_forward_method("loss")
    state.network.train()
    smooth = math.nan
    while not finished(job, state):
        if state.step in job.mining_steps:
            mine_hard_negatives(job, state)
        now = phase_at(state.step, recipe.phases)
        if now.phase is not phase:
            phase = now.phase
            thaw(state.network.stages(), now)
        set_rates(optimiser, now, recipe.optimiser, stages=len(state.network.stages()))
        batch = loop.ahead.take(state.step, state.hard)
        loss = take_step(job, state, batch, network=network, optimiser=optimiser)
        smooth = loss if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss
        loop.report(state.step, _note(smooth, state, recipe.validation.metric))
        if state.step % recipe.validation.every == 0 or finished(job, state):
            judge_and_keep(loop, state, loss=smooth)
        stopping = asked_to_stop(loop)
        if stopping or state.step % recipe.run.checkpoint_every == 0 or finished(job, state):
            keep_checkpoint(job, state)
        if stopping and not finished(job, state):
            raise StoppedError(
                f"stopped after step {state.step} of {recipe.steps}",
                where=job.out,
                mend="continue with --resume",
            )


def asked_to_stop(loop: Loop) -> bool:
    """Say whether the user asked the leading process to stop: all stop after the same step."""
    fabric = loop.job.fabric
    return loop.stop.wanted if fabric.world_size == 1 else bool(fabric.broadcast(loop.stop.wanted, 0))


def finished(job: Job, state: State) -> bool:
    """Say whether all steps are done, or validation has not improved for as long as the recipe is patient."""
    if state.step >= job.recipe.steps:
        return True
    validation = job.recipe.validation
    impatient = 0 < validation.patience < state.step - state.best_step
    return impatient and state.step % validation.every == 0


def take_step(job: Job, state: State, batch: Batch, *, network: Any, optimiser: Any) -> float:
    """Take one step and return the loss.

    Parameters
    ----------
    job, state : Job, State
    batch : Batch
    network, optimiser
        Those of the state, as Fabric has wrapped them.

    Raises
    ------
    NonFiniteError
        If the loss or the gradient is NaN or infinite; the weights are still those of the step before
        (promise 18).
    """
    recipe, fabric = job.recipe, job.fabric
    # Seeded by the step, so that dropout and sampling of anchors are the same after a resume (promise 19).
    torch.manual_seed(recipe.run.seed + state.step * fabric.world_size + fabric.global_rank)
    with job.autocast():
        loss = network.loss(on_device(batch, fabric.device))
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NonFiniteError(f"the loss is {value}", where=f"step {state.step}")
    fabric.backward(loss)
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), recipe.optimiser.clip or math.inf)
    if not bool(torch.isfinite(norm)):
        raise NonFiniteError(f"the gradient is {float(norm)}", where=f"step {state.step}")
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    if state.average is not None:
        follow(state.average, state.network, step=state.step, decay=recipe.optimiser.average)
    state.step += 1
    return value


def judge_and_keep(loop: Loop, state: State, *, loss: float) -> None:
    """Validate, tell it, and keep the weights if they are the best so far."""
    job, metric = loop.job, loop.job.recipe.validation.metric
    values = validate(job, state) if job.leads else {}
    score = job.fabric.broadcast(better(metric, values.get(metric)), 0)
    state.keep_if_best(score)
    if job.leads:
        loop.journal.record(state.step, {"train_loss": loss, **values})
        told = ", ".join(f"{name} {value:.3f}" for name, value in values.items() if name in _TOLD)
        say(f"step {state.step}: validation {told}")


def keep_checkpoint(job: Job, state: State) -> None:
    """Write the checkpoint; one process does, the others wait for it."""
    if job.leads:
        path = job.out / CHECKPOINT_NAME
        save(state, path, run=job.fingerprint, architecture=job.recipe.architecture)
    job.fabric.barrier()


_TOLD = frozenset({"f1", "average-precision", "auc", "accuracy", "correlation", "rmse", "threshold", "loss"})


def _note(loss: float, state: State, metric: str) -> str:
    best = "" if not state.best else f", best {metric} {abs(state.best_score):.3f}"
    return f"loss {loss:.3f}{best}"


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
