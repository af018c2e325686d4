"""Running an experiment in a test."""

from __future__ import annotations

from pathlib import Path

from mitoscope.experiments.experiment import Desk, Size
from mitoscope.experiments.run import Outcome, run_experiment
from mitoscope.experiments.shelf import find_experiments, recipes_folder


def desk(out: Path, size: Size, *, data: Path = Path("no data"), cells_max: int = 0) -> Desk:
    """Return a desk that says nothing."""
    return Desk(data, out, recipes_folder(), size, cells_max=cells_max, tell=lambda line: None)


def run(name: str, at: Desk, *, resume: bool = False) -> Outcome:
    """Run an experiment by its name."""
    (experiment,) = find_experiments([name], at.recipes)
    return run_experiment(experiment, at, resume=resume, report=lambda done, total: None)
