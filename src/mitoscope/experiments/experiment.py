"""What an experiment is: cells that are computed one by one, and a table that is made of their results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Literal

from mitoscope.experiments.chart import Chart
from mitoscope.experiments.published import PublishedTable
from mitoscope.experiments.table import ResultTable

Result = Mapping[str, Any]
"""JSON values that a cell comes to."""
Tell = Callable[[str], None]
"""Told each step in a line."""


class Size(StrEnum):
    """How much of an experiment is run."""

    FULL = "full"
    """As published."""
    SMALL = "small"
    """The openly licensed pictures and short runs: for a laptop."""
    SMOKE = "smoke"
    """Synthetic slides, tiny networks, a few steps: shows that the whole chain runs, and nothing else."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where an experiment works.

    Parameters
    ----------
    data : Path
        Folder of the data; not looked at by smoke runs.
    out : Path
        Folder of all results.
    recipes : Path
        Folder of the recipes.
    size : Size
    device : {"cpu", "cuda"}
        Where networks are trained and run.
    threads : int
        Of networks on the CPU.
    cells_max : int
        Plan so many cells at most; 0 plans all.
    tell : callable
        Told what is being done.
    """

    data: Path
    out: Path
    recipes: Path
    size: Size
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    cells_max: int = 0
    tell: Tell = print


@dataclass(frozen=True, slots=True)
class Computation:
    """One computation with a result of its own.

    Parameters
    ----------
    key : str
        Stable name, lower-case letters, digits, ``.``, ``+`` and ``-``.
    recipe : str
        SHA-256 of all settings that the result depends on.
    seeds : tuple of int
    compute : callable
        Returns the result.
    """

    key: str
    recipe: str
    seeds: tuple[int, ...]
    compute: Callable[[], Result]


@dataclass(frozen=True, slots=True)
class Plan:
    """All cells of an experiment on some data.

    Parameters
    ----------
    cells : tuple of Computation
    data : str
        SHA-256 of the data.
    """

    cells: tuple[Computation, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Experiment(ABC):
    """A table or figure of a paper as something that runs.

    Parameters
    ----------
    name : str
        What commands call it.
    paper : str
        Whose it is.
    shows : str
        Table or figure, and what it shows.
    needs : str
        The data that the full size takes.
    """

    name: str
    paper: str
    shows: str
    needs: str
    trains: ClassVar[bool] = False
    """Whether networks are trained."""

    @property
    def sizes(self) -> tuple[Size, ...]:
        """In which it runs."""
        return (Size.FULL, Size.SMOKE)

    @property
    def printed(self) -> tuple[PublishedTable, ...]:
        """Published tables that stand beside it."""
        return ()

    @abstractmethod
    def plan(self, workplace: Workplace) -> Plan:
        """Look at the data and return the cells; nothing is computed yet."""

    @abstractmethod
    def table(self, results: Mapping[str, Result], size: Size) -> ResultTable:
        """Return the table; `results` holds those of some cells, by key."""

    @abstractmethod
    def chart(self, results: Mapping[str, Result], size: Size) -> Chart | None:
        """Return what is drawn, or None."""
