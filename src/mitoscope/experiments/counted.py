"""Experiments that need annotations only: one computation; their files, quartiles and published figures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import TrainingDataError
from mitoscope.experiments.chart import BoxPlots, Chart
from mitoscope.experiments.datasets import find_dataset
from mitoscope.experiments.experiment import Computation, Experiment, Plan, Result, Size, Workplace
from mitoscope.experiments.published import PublishedTable, published
from mitoscope.experiments.table import Entry, ResultTable
from mitoscope.written import sha256_file

KEY = "all"
"""The only cell."""
_RULES: Final = "1"
"""Changes when a computation does."""
QUARTILES: Final = ("lowest", "lower quartile", "median", "upper quartile", "highest")
"""Names of the columns."""


@dataclass(frozen=True, slots=True)
class Counted(Experiment):
    """A table or figure of counts.

    Parameters
    ----------
    files : callable
        Returns the files that are read; for the smoke size it makes them.
    count : callable
        Returns the result from those files.
    tabulate : callable
        Returns the table of a result.
    plot : callable, optional
        Returns the chart of a result.
    tables : tuple of str
        Names of the published tables that stand beside it.
    """

    files: Callable[[Workplace], tuple[Path, ...]]
    count: Callable[[tuple[Path, ...]], Result]
    tabulate: Callable[[Result], ResultTable]
    plot: Callable[[Result], Chart] | None = None
    tables: tuple[str, ...] = ()

    @property
    def printed(self) -> tuple[PublishedTable, ...]:
        """Published tables that stand beside it."""
        return tuple(map(published, self.tables))

    def plan(self, workplace: Workplace) -> Plan:
        """Look for the files.

        Raises
        ------
        InputError
            If one is not there.
        """
        files = self.files(workplace)
        data = hashlib.sha256("".join(f"{file.name} {sha256_file(file)}\n" for file in files).encode())
        recipe = hashlib.sha256(f"{self.name} {_RULES}".encode()).hexdigest()
        return Plan((Computation(KEY, recipe, (), lambda: self.count(files)),), data.hexdigest())

    def table(self, results: Mapping[str, Result], size: Size) -> ResultTable:
        """Return the table."""
        del size
        return self.tabulate(results[KEY])

    def chart(self, results: Mapping[str, Result], size: Size) -> Chart | None:
        """Return the figure, where there is one."""
        chart = None if self.plot is None else self.plot(results[KEY])
        if size is not Size.FULL and isinstance(chart, BoxPlots):
            return replace(chart, published={}, published_in="")
        return chart


def quartiles(values: Sequence[int] | NDArray[np.int64]) -> list[float]:
    """Return lowest, lower quartile, median, upper quartile and highest; nothing of no values."""
    return np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist() if len(values) else []


def spread(values: Sequence[int] | NDArray[np.int64], *, published_median: float | None) -> list[Entry]:
    """Return an entry for each of `QUARTILES`, the median beside the published one."""
    found: Sequence[float | None] = quartiles(values) or [None] * len(QUARTILES)
    return [
        Entry(value, published=published_median if name == "median" else None)
        for name, value in zip(QUARTILES, found, strict=True)
    ]


def share_from(values: Sequence[int] | NDArray[np.int64], least: float) -> Entry:
    """Return the share of values that reach a least one."""
    return Entry(float(np.mean(np.asarray(values) >= least)) if len(values) else None)


def find_file(data: Path, name: str, *, data_set: str) -> Path:
    """Return a file of annotations, by its name or another under which the authors give it out.

    Parameters
    ----------
    data : Path
        The data folder.
    name : str
        Of the file.
    data_set : str
        As `mitoscope data` calls it; also a folder that is looked into.

    Raises
    ------
    TrainingDataError
        If it is not there.
    """
    groups = find_dataset(data_set).files.values()
    others = next((group.also_named for group in groups if name in group.names), ())
    own = ("", "annotations", "databases", "results")
    for folder in (*own, *(f"{data_set}/{name}" for name in own)):
        for known in (name, *others):
            if (data / folder / known).is_file():
                return data / folder / known
    raise TrainingDataError(
        f"no {name} there",
        where=data,
        mend=f"give its folder with --data; see mitoscope data list {data_set}",
    )
