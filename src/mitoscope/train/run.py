"""One training run: setup (in `job`), main, fit, validate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mitoscope.bundle import Bundle
from mitoscope.data.batches import Batch
from mitoscope.errors import IncompleteRunError, NonFiniteError, OutputError
from mitoscope.fsio import make_directory
from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.train.average import follow
from mitoscope.train.detect import find, suppressed
from mitoscope.train.draw_ahead import DrawAhead, drawing_ahead
from mitoscope.train.interrupt import Stop, polite_stop
from mitoscope.train.job import Job, read_pictures, setup
from mitoscope.train.journal import Report, progress, record, say
from mitoscope.train.judging import Judgement, judge, visible_figures
from mitoscope.train.loss import focal_loss
from mitoscope.train.mining import mine
from mitoscope.train.packing import pack
from mitoscope.train.recipe import OptimiserRecipe, Recipe
from mitoscope.train.state import CHECKPOINT_NAME, State, load, put_weights, save, weights_of

RECIPE_NAME = "recipe.toml"
BUNDLE_NAME = "bundle"


def train(recipe: Path | Recipe, data: Path, out: Path, *, resume: bool = False) -> Bundle:
    """Train a detector and write its bundle.

    Parameters
    ----------
    recipe : Path or Recipe
        TOML file, or the recipe itself.
    data : Path
        Folder with `mitosis_crops`, `brecahad`, `negative_fields` and `annotations`.
    out : Path
        Folder of the run: recipe, metrics, checkpoint and, at the end, the folder ``bundle``.
    resume : bool
        Go on from the checkpoint in `out`; on the CPU the result is the same as without the interruption.

    Raises
    ------
    ConfigError
        If the recipe has an unknown key or a value out of range.
    TrainingDataError
        If data are missing or damaged, or a case is on both sides of the split.
    LedgerMismatchError
        If the checkpoint belongs to another recipe or other data.
    NonFiniteError
        If the loss is NaN or infinite, naming the step.
    IncompleteRunError
        If the run is stopped; it can be resumed.
    """
    settings = recipe if isinstance(recipe, Recipe) else Recipe.from_toml(recipe)
    check_target(out, resume=resume)
    return main(setup(settings, read_pictures(data), data, out=out), resume=resume)


def check_target(out: Path, *, resume: bool) -> None:
    """Refuse a folder in which a run has ended, or has begun and is not to be resumed."""
    if (out / BUNDLE_NAME).exists():
        raise OutputError("exists already", where=out / BUNDLE_NAME, mend="choose another --out")
    if not resume and (out / CHECKPOINT_NAME).exists():
        raise OutputError("a run is here already", where=out, mend="add --resume or choose another --out")


def main(job: Job, *, resume: bool) -> Bundle:
    """Fit, choose the best weights, write the bundle."""
    make_directory(job.out)
    state = new_state(job)
    if resume:
        load(state, job.out / CHECKPOINT_NAME, run=job.fingerprint)
    job.recipe.to_toml(job.out / RECIPE_NAME)
    with (
        polite_stop() as stop,
        progress(job.recipe.optimiser.steps, start=state.step) as report,
        drawing_ahead(job.batches) as ahead,
    ):
        fit(job, state, ahead=ahead, stop=stop, report=report)
    put_weights(state.average, state.best)
    assert isinstance(state.average, FcnResnet12)
    return pack(
        state.average,
        recipe=job.recipe,
        field=job.field,
        validation=job.split.validation,
        data=job.data,
        folder=job.out / BUNDLE_NAME,
    )


def new_state(job: Job) -> State:
    """Return the state at step 0, a function of the seed."""
    torch.manual_seed(job.recipe.run.seed)
    model = job.recipe.model
    network = FcnResnet12(model.widths, dropout=model.dropout)
    average = FcnResnet12(model.widths, dropout=model.dropout)
    average.load_state_dict(network.state_dict())
    for module in (network, average):
        module.to(memory_format=torch.channels_last)  # faster in bfloat16 on the CPU, measured 1.2 times
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": kernels, "weight_decay": job.recipe.optimiser.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=job.recipe.optimiser.learning_rate, betas=(0.9, 0.99))
    return State(network, average.eval(), optimiser)


def learning_rate(step: int, recipe: OptimiserRecipe) -> float:
    """Return the rate of a step: a linear warm-up, then half a cosine down to 1 %."""
    done = step / recipe.steps
    warm = min(1.0, (step + 1) / max(recipe.warm_up * recipe.steps, 1.0))
    return recipe.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def finished(state: State, recipe: Recipe) -> bool:
    """Say whether all steps are done, or validation has not improved for as long as the recipe is patient."""
    if state.step >= recipe.optimiser.steps:
        return True
    impatient = 0 < recipe.run.patience < state.step - state.best_step
    return impatient and state.step % recipe.run.validate_every == 0


def fit(job: Job, state: State, *, ahead: DrawAhead, stop: Stop, report: Report) -> None:
    """Run the steps that are left."""
    recipe = job.recipe
    mining_steps = {int(share * recipe.optimiser.steps) for share in recipe.mining.at} - {0}
    network, optimiser = job.fabric.setup(state.network, state.optimiser)
    state.network.train()
    smooth = math.nan
    while not finished(state, recipe):
        if state.step in mining_steps:
            mine_hard_negatives(job, state)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(state.step, recipe.optimiser)
        loss = take_step(job, state, ahead.take(state.step, state.hard), network=network, optimiser=optimiser)
        smooth = loss if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss
        report(state.step, f"loss {smooth:.3f}")
        if state.step % recipe.run.validate_every == 0 or finished(state, recipe):
            judged = validate(job, state)
            say(f"step {state.step}: validation F1 {judged.f1:.3f} at threshold {judged.threshold:.2f}")
            record(job.out, step=state.step, loss=smooth, **judged.as_dict())
        if stop.wanted or state.step % recipe.run.checkpoint_every == 0 or finished(state, recipe):
            save(state, job.out / CHECKPOINT_NAME, run=job.fingerprint)
        if stop.wanted and not finished(state, recipe):
            raise IncompleteRunError(
                f"stopped after step {state.step} of {recipe.optimiser.steps}",
                where=job.out,
                mend="go on with --resume",
            )


def take_step(job: Job, state: State, batch: Batch, *, network: nn.Module, optimiser: Any) -> float:
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
        If the loss is NaN or infinite; the weights are still those of the step before (promise 18).
    """
    recipe = job.recipe.optimiser
    # Seeded by the step, so that dropout too is the same after a resume (promise 19).
    torch.manual_seed(job.recipe.run.seed + state.step)
    log_odds = network(batch.rgb).float()
    loss = focal_loss(log_odds, batch.target, gamma=recipe.focal_gamma, figure_weight=recipe.figure_weight)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NonFiniteError(f"the loss is {value}", where=f"step {state.step}")
    job.fabric.backward(loss)
    nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    follow(state.average, state.network, step=state.step, decay=recipe.average)
    state.step += 1
    return value


def mine_hard_negatives(job: Job, state: State) -> None:
    """Replace the hard negatives by what the averaged weights take for figures now."""
    state.hard = mine(
        state.average,
        job.split.training,
        job.recipe.mining,
        random=np.random.default_rng((job.recipe.run.seed, state.step, 1)),
        stride_px=job.field.stride_px,
        halo_px=job.field.halo_px,
        bfloat16=job.bfloat16,
    )
    say(f"step {state.step}: {len(state.hard)} hard negatives mined")


def validate(job: Job, state: State) -> Judgement:
    """Judge the averaged weights on the held-out cases; keep them if they are the best so far."""
    pictures = job.split.validation
    recipe = job.recipe.calibration
    found = find(
        state.average,
        pictures,
        stride_px=job.field.stride_px,
        halo_px=job.field.halo_px,
        bfloat16=job.bfloat16,
    )
    detections = [suppressed(p, radius_px=recipe.nms_radius_px, floor=recipe.score_floor) for p in found]
    judged = judge(detections, [visible_figures(picture) for picture in pictures]).best()
    # Not "greater or equal": NaN compares false and so never is the best (promise 18).
    if judged.f1 > state.best_f1 or not state.best:
        state.best_f1, state.best_step = judged.f1, state.step
        state.best = weights_of(state.average)
    return judged
