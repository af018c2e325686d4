"""One training run: setup, main, fit, validate."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from mitoscope.bundle import Bundle
from mitoscope.data.batches import Batches, make_batches
from mitoscope.data.picture import Picture
from mitoscope.data.reading import read_brecahad, read_crops, read_negative_fields
from mitoscope.data.sampling import plan_batches
from mitoscope.data.split import Split, split_by_case
from mitoscope.errors import IncompleteRunError, NonFiniteError, OutputError
from mitoscope.fsio import make_directory
from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.models.receptive_field import ReceptiveField, receptive_field
from mitoscope.train.average import follow
from mitoscope.train.detect import find, suppressed
from mitoscope.train.draw_ahead import DrawAhead, drawing_ahead
from mitoscope.train.interrupt import Stop, polite_stop
from mitoscope.train.journal import Report, progress, record, say
from mitoscope.train.judging import Judgement, judge, visible_figures
from mitoscope.train.loss import focal_loss
from mitoscope.train.mining import mine
from mitoscope.train.packing import pack
from mitoscope.train.recipe import OptimiserRecipe, Recipe
from mitoscope.train.state import CHECKPOINT_NAME, State, load, put_weights, save, weights_of

RECIPE_NAME = "recipe.toml"
BUNDLE_NAME = "bundle"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What does not change during a run.

    Parameters
    ----------
    recipe : Recipe
    data, out : Path
        Folders of the data and of the run.
    split : Split
    batches : Batches
    field : ReceptiveField
    fabric : Fabric
        Devices and precision.
    """

    recipe: Recipe
    data: Path
    out: Path
    split: Split
    batches: Batches
    field: ReceptiveField
    fabric: Fabric

    @property
    def bfloat16(self) -> bool:
        """Whether the network runs in bfloat16 where that is safe."""
        return self.recipe.run.precision == "bf16-mixed"

    @property
    def run(self) -> str:
        """Fingerprint of recipe and training pictures."""
        names = "\n".join(f"{p.source}/{p.name}" for p in self.split.training)
        return f"{self.recipe.fingerprint()}-{hashlib.sha256(names.encode()).hexdigest()}"


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
    return main(setup(settings, read_pictures(data), data, out=out), resume=resume)


def read_pictures(data: Path) -> list[Picture]:
    """Read all permitted sources."""
    return [*read_crops(data), *read_brecahad(data), *read_negative_fields(data)]


def setup(recipe: Recipe, pictures: list[Picture], data: Path, *, out: Path) -> Job:
    """Fix everything that does not change during the run."""
    torch.set_num_threads(recipe.run.threads)
    split = split_by_case(
        pictures,
        held_out=recipe.split.held_out,
        every_nth_slide=recipe.split.every_nth_slide,
        every_nth_field=recipe.split.every_nth_field,
    )
    field = receptive_field(FcnResnet12(recipe.model.widths))
    plan = plan_batches(
        split.training,
        n_foreground=recipe.batch.foreground,
        n_hard=recipe.batch.bg_hard,
        n_random=recipe.batch.bg_random,
        field_share=recipe.batch.field_share,
        paste_share=recipe.batch.paste_share,
    )
    batches = make_batches(
        split.training,
        plan,
        recipe.augment,
        window_px=recipe.batch.window_px,
        stride_px=field.stride_px,
        figure_radius_px=recipe.batch.figure_radius_px,
        ignore_radius_px=recipe.batch.ignore_radius_px,
        seed=recipe.run.seed,
    )
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.run.precision)
    return Job(recipe, data, out, split, batches, field, fabric)


def main(job: Job, *, resume: bool) -> Bundle:
    """Fit, choose the best weights, write the bundle."""
    if (job.out / BUNDLE_NAME).exists():
        raise OutputError("exists already", where=job.out / BUNDLE_NAME, mend="choose another --out")
    make_directory(job.out)
    state = new_state(job)
    checkpoint = job.out / CHECKPOINT_NAME
    if resume:
        load(state, checkpoint, run=job.run)
    elif checkpoint.exists():
        raise OutputError("a run is here already", where=job.out, mend="add --resume or choose another --out")
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


def fit(job: Job, state: State, *, ahead: DrawAhead, stop: Stop, report: Report) -> None:
    """Run the steps that are left."""
    recipe, optimiser = job.recipe, job.recipe.optimiser
    mining_steps = {int(share * optimiser.steps) for share in recipe.mining.at}
    network, fabric_optimiser = job.fabric.setup(state.network, state.optimiser)
    state.network.train()
    smooth, began = math.nan, time.monotonic()
    while state.step < optimiser.steps:
        if state.step in mining_steps and state.step:
            mine_hard_negatives(job, state)
        for group in fabric_optimiser.param_groups:
            group["lr"] = learning_rate(state.step, optimiser)
        # Seeded by the step, so that dropout too is the same after a resume.
        torch.manual_seed(recipe.run.seed + state.step)
        batch = ahead.take(state.step, state.hard)
        log_odds = network(batch.rgb)
        loss = focal_loss(
            log_odds.float(),
            batch.target,
            gamma=optimiser.focal_gamma,
            figure_weight=optimiser.figure_weight,
        )
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NonFiniteError(f"the loss is {value}", where=f"step {state.step}")
        job.fabric.backward(loss)
        nn.utils.clip_grad_norm_(state.network.parameters(), optimiser.clip)
        fabric_optimiser.step()
        fabric_optimiser.zero_grad(set_to_none=True)
        follow(state.average, state.network, step=state.step, decay=optimiser.average)
        state.step += 1
        smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
        report(state.step, f"loss {smooth:.3f}")
        last = state.step == optimiser.steps
        if last or state.step % recipe.run.validate_every == 0:
            judged = validate(job, state)
            record(
                job.out,
                step=state.step,
                loss=smooth,
                seconds=round(time.monotonic() - began, 1),
                f1=judged.f1,
                precision=judged.score.precision,
                recall=judged.score.recall,
                threshold=judged.threshold,
            )
            say(f"step {state.step}: validation F1 {judged.f1:.3f} at threshold {judged.threshold:.2f}")
            if recipe.run.patience and state.step - state.best_step > recipe.run.patience:
                say(f"no better validation for {recipe.run.patience} steps: training ends early")
                last = True
        if last or stop.wanted or state.step % recipe.run.checkpoint_every == 0:
            save(state, job.out / CHECKPOINT_NAME, run=job.run)
        if last:
            return
        if stop.wanted:
            raise IncompleteRunError(
                f"stopped after step {state.step} of {optimiser.steps}",
                where=job.out,
                mend="go on with --resume",
            )


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
