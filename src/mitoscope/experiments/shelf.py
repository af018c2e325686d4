"""All experiments by name: those that are counted from annotations, and those that a file declares."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mitoscope.errors import ConfigError
from mitoscope.experiments.cmc_detections import CMC_DETECTIONS
from mitoscope.experiments.cmc_fig4 import CMC_FIG4
from mitoscope.experiments.crowd import CROWD_TABLES
from mitoscope.experiments.experiment import Experiment
from mitoscope.experiments.midogpp import MIDOGPP
from mitoscope.experiments.trained.trained import read_declared
from mitoscope.experiments.wsi import WSI_TABLES

FOLDER: Final = "experiments"
"""Inside the folder of recipes: one TOML file an experiment."""
_PLACES: Final = (Path(__file__).parents[1] / "recipes", Path(__file__).parents[3] / "recipes")


def recipes_folder(given: Path | None = None) -> Path:
    """Return the folder of recipes: the given one, or that of this installation.

    Raises
    ------
    ConfigError
        If it does not hold experiments.
    """
    for folder in (given,) if given is not None else _PLACES:
        if (folder / FOLDER).is_dir():
            return folder
    raise ConfigError(
        "no folder of recipes with experiments",
        where=given,
        mend="give the folder recipes of the source distribution with --recipes",
    )


def experiments(recipes: Path) -> tuple[Experiment, ...]:
    """Return all experiments, by name.

    Raises
    ------
    ConfigError
        If a file that declares one does not hold what it must.
    """
    every: tuple[Experiment, ...] = (
        *MIDOGPP,
        CMC_DETECTIONS,
        CMC_FIG4,
        *WSI_TABLES,
        *CROWD_TABLES,
        *read_declared(recipes / FOLDER),
    )
    return tuple(sorted(every, key=lambda experiment: experiment.name))


def find_experiments(names: Sequence[str], recipes: Path) -> tuple[Experiment, ...]:
    """Return experiments by their names; ``all`` is every one.

    Raises
    ------
    ConfigError
        If there is none of a name.
    """
    known = {experiment.name: experiment for experiment in experiments(recipes)}
    if "all" in names:
        return tuple(known.values())
    found = []
    for name in dict.fromkeys(names):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)
            raise ConfigError(f"no experiment {name!r}", mend=f"for example {', '.join(near[:3])}")
        found.append(known[name])
    return tuple(found)
