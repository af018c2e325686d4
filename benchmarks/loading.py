"""Whether drawing windows keeps up with the network: the share of a training step that is compute.

    python benchmarks/loading.py RECIPE --data DIR [--steps 20] [--set key=value]

Prints the machine, windows a second that one thread draws by itself, and for a training run how long a step
takes, how much of it is compute and how much is waiting for the next batch. Nothing is written.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from machine import stamp

from mitoscope.data.sampling import HardPool
from mitoscope.data.sources import read_fields
from mitoscope.train.job import Job, new_state, setup
from mitoscope.train.recipe import DualRecipe, Recipe, read_recipe
from mitoscope.train.repeats import Member
from mitoscope.train.run import drawing_ahead, take_step

_WARM_UP = 2
"""Steps before the clock starts: the first ones build kernels and open slides."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], help="change a key of the recipe"
    )
    options = parser.parse_args()
    print(f"{stamp()}, torch {torch.__version__}")
    settings = read_recipe(options.recipe, options.changes)
    parts = {"": settings} if isinstance(settings, Recipe) else _both(settings)
    for name, part in parts.items():
        _measure(part, options.data, title=f"{options.recipe.stem} {name}".strip(), steps=options.steps)


def _both(settings: DualRecipe) -> dict[str, Recipe]:
    return {"detector": settings.detector, "verifier": settings.verifier}


def _measure(recipe: Recipe, data: Path, *, title: str, steps: int) -> None:
    fields = read_fields(recipe.data.source, data, mpp=recipe.model.mpp)
    with tempfile.TemporaryDirectory() as folder:
        job = setup(recipe, fields, data, out=Path(folder), member=Member("", recipe.run.seed, None))
    torch.set_num_threads(1)
    alone = _windows_a_second(job, batches=max(steps // 5, 2))
    torch.set_num_threads(recipe.run.threads)
    waiting, computing = _steps(job, steps)
    step = (waiting + computing) / steps
    run, side = recipe.run, job.batches.window_px
    print(f"{title}: {recipe.architecture}, windows of {side} px, batches of {_size(job)}, {run.device}, "
          f"{run.threads} thread(s), {run.ahead} ahead")  # fmt: skip
    print(f"  drawing alone     {alone:7.1f} windows a second on one thread")
    print(f"  a step            {step:7.3f} s, {_size(job) / step:.1f} windows a second")
    print(f"  compute           {computing / steps:7.3f} s  {computing / (waiting + computing):4.0%}")
    print(f"  waiting for data  {waiting / steps:7.3f} s  {waiting / (waiting + computing):4.0%}")


def _size(job: Job) -> int:
    return len(job.batches.drawn(0, HardPool.empty()).windows)


def _windows_a_second(job: Job, *, batches: int) -> float:
    job.batches.draw(0, HardPool.empty())
    started = time.perf_counter()
    windows = sum(len(job.batches.draw(step, HardPool.empty()).rgb) for step in range(1, batches + 1))
    return windows / (time.perf_counter() - started)


def _steps(job: Job, steps: int) -> tuple[float, float]:
    """Train for some steps and return the seconds of waiting and of compute."""
    state = new_state(job)
    network, optimiser = job.fabric.setup(state.network, state.optimiser)
    network.mark_forward_method("loss")
    state.network.train()
    waiting = computing = 0.0
    with drawing_ahead(job.batches, depth=job.recipe.run.ahead) as ahead:
        for step in range(_WARM_UP + steps):
            begun = time.perf_counter()
            batch = ahead.take(state.step, state.hard)
            drawn = time.perf_counter()
            take_step(job, state, batch, network=network, optimiser=optimiser)
            if job.fabric.device.type == "cuda":
                torch.cuda.synchronize()
            if step >= _WARM_UP:
                waiting += drawn - begun
                computing += time.perf_counter() - drawn
    return waiting, computing


if __name__ == "__main__":
    main()
