"""What a training step of each network of the papers costs on a CPU: drawn, forward, backward, applied.

    PYTHONPATH=. python benchmarks/training_steps.py [--steps 3] [--write]

Recipes of `recipes/papers/` as they are but for batches of few windows; processor time of one thread, so that
other work beside it counts little; the first step is left out. The seconds a window stand in
`mitoscope.experiments.trained.cost` and give the CPU hours of `experiment list`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from machine import stamp
from PIL import Image
from results_page import write_page

from mitoscope.data.sampling import HardPool
from mitoscope.data.sources import read_fields
from mitoscope.train import Recipe
from mitoscope.train.job import new_state, setup
from mitoscope.train.recipe import read_recipe
from mitoscope.train.repeats import Member
from mitoscope.train.run import take_step

RESULT: Final = Path(__file__).parent / "results" / "training_steps.md"
PAPERS: Final = Path(__file__).parents[1] / "recipes" / "papers"
RECIPES: Final = ("cmc-retinanet", "crowd-det", "crowd-reg-ns", "cmc-cells", "semi-fcn")
WINDOWS: Final = {"semi-fcn": 16, "cmc-cells": 8}
"""Of a batch; fewer of the large networks."""
SIDE_PX: Final = 1200
CLASSES: Final = {"mitotic figure": (50, 20, 90), "look-alike": (120, 40, 60)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        f"{stamp()}.",
        "",
        "| Recipe | Windows | Seconds a step | Seconds a window |",
        "|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = paint(Path(folder))
        for name in RECIPES:
            windows = WINDOWS.get(name, 2)
            seconds = step_seconds(recipe_of(name, windows), data, asked.steps)
            lines.append(f"| `{name}` | {windows} | {seconds:.2f} | {seconds / windows:.3f} |")
            print(lines[-1], flush=True)
    if asked.write:
        write_page(RESULT, __doc__, lines)


def paint(data: Path) -> Path:
    """Paint slides with both kinds of cells."""
    (data / "slides").mkdir()
    rows, random = ["image,x,y,label"], np.random.default_rng(0)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    for slide in range(10):
        rgb = np.clip(random.normal((215, 160, 200), 8, (SIDE_PX, SIDE_PX, 3)), 0, 255).astype(np.uint8)
        for number in range(40):
            label, colour = list(CLASSES.items())[number % 2]
            cx, cy = 100 + 250 * (number % 5), 60 + 130 * (number // 5)
            rgb[np.hypot(x - cx, y - cy) < 14] = colour
            rows.append(f"{slide}.png,{cx},{cy},{label}")
        Image.fromarray(rgb).save(data / "slides" / f"{slide}.png")
    (data / "labels.csv").write_text("\n".join(rows) + "\n")
    return data


def recipe_of(name: str, windows: int) -> Recipe:
    """Return a recipe of a paper with a small batch, on the painted slides."""
    changes = [
        'data.source={kind="annotated-slides", labels="labels.csv", slides="slides", slide_mpp=0.25}',
        "run.tensorboard=false",
        "run.threads=1",
    ]
    if name == "semi-fcn":
        changes += [
            "data.sampling.foreground=8",
            "data.sampling.bg_hard=0",
            "data.sampling.bg_random=8",
            "data.split.held_out=[]",
            "data.split.every_nth=5",
            "calibration.dataset=validation",
        ]
    else:
        changes += [f"data.sampling.batch={windows}", "model.weights=random"]
    recipe = read_recipe(PAPERS / f"{name}.toml", changes)
    assert isinstance(recipe, Recipe)
    return recipe


def step_seconds(recipe: Recipe, data: Path, steps: int) -> float:
    """Return the processor time of a step, the median of some."""
    fields = read_fields(recipe.data.source, data, mpp=recipe.model.mpp)
    job = setup(recipe, fields, data, out=data / "run", member=Member("", recipe.run.seed, None))
    state = new_state(job)
    wrapped: Any = job.fabric.setup(state.network, state.optimiser)
    network, optimiser = wrapped
    network.mark_forward_method("loss")
    state.network.train()
    taken = []
    for step in range(steps + 1):
        before = time.process_time()
        batch = job.batches.draw(step, HardPool.empty())
        take_step(job, state, batch, network=network, optimiser=optimiser)
        taken.append(time.process_time() - before)
    return float(np.median(taken[1:]))


if __name__ == "__main__":
    main()
