"""Running an experiment in a test."""

from __future__ import annotations

from pathlib import Path

from mitoscope.experiments.experiment import Size, Workplace
from mitoscope.experiments.run import ExperimentOutcome, run_experiment
from mitoscope.experiments.shelf import find_experiments, recipes_folder


def workplace(out: Path, size: Size, *, data: Path = Path("no data"), cells_max: int = 0) -> Workplace:
    """Return a workplace that says nothing."""
    return Workplace(data, out, recipes_folder(), size, cells_max=cells_max, tell=lambda line: None)


def run(name: str, at: Workplace, *, resume: bool = False) -> ExperimentOutcome:
    """Run an experiment by its name."""
    (experiment,) = find_experiments([name], at.recipes)
    return run_experiment(experiment, at, resume=resume, report=lambda done, total: None)
