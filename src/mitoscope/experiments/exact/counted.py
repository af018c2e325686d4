"""An experiment that needs annotations only: one cell, computed from a study; its files and its quartiles."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import TrainingDataError
from mitoscope.experiments.chart import Chart
from mitoscope.experiments.experiment import Computation, Plan, Result, Size, Workplace
from mitoscope.experiments.table import Entry, ResultTable
from mitoscope.fsio import sha256_file

KEY = "all"
"""The only cell."""
QUARTILES: Final = ("lowest", "lower quartile", "median", "upper quartile", "highest")
"""Names of the columns."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A table or figure of counts.

    Parameters
    ----------
    name, paper, shows, needs : str
        See `Experiment`.
    files : callable
        Returns the files that are read; for the smoke size it makes them.
    count : callable
        Returns the result from those files.
    tabulate : callable
        Returns the table of a result.
    plot : callable, optional
        Returns the chart of a result.
    rules : str
        Changes when the computation does.
    """

    name: str
    paper: str
    shows: str
    needs: str
    files: Callable[[Workplace], tuple[Path, ...]]
    count: Callable[[tuple[Path, ...]], Result]
    tabulate: Callable[[Result], ResultTable]
    plot: Callable[[Result], Chart] | None = None
    rules: str = "1"
    sizes: tuple[Size, ...] = (Size.FULL, Size.SMOKE)

    @property
    def trains(self) -> bool:
        """Nothing is trained."""
        return False

    def plan(self, workplace: Workplace) -> Plan:
        """Look for the files.

        Raises
        ------
        InputError
            If one is not there.
        """
        files = self.files(workplace)
        data = hashlib.sha256("".join(f"{file.name} {sha256_file(file)}\n" for file in files).encode())
        recipe = hashlib.sha256(f"{self.name} {self.rules}".encode()).hexdigest()
        return Plan((Computation(KEY, recipe, (), lambda: self.count(files)),), data.hexdigest())

    def table(self, results: Mapping[str, Result], size: Size) -> ResultTable:
        """Return the table."""
        del size
        return self.tabulate(results[KEY])

    def chart(self, results: Mapping[str, Result], size: Size) -> Chart | None:
        """Return the figure, where there is one."""
        del size
        return None if self.plot is None else self.plot(results[KEY])


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


def find_file(data: Path, *names: str, data_set: str) -> Path:
    """Return a file of annotations.

    Parameters
    ----------
    data : Path
        The data folder.
    *names : str
        Of the file, and other names that it goes by.
    data_set : str
        As `mitoscope data` calls it; also a folder that is looked into.

    Raises
    ------
    TrainingDataError
        If it is not there.
    """
    for folder in ("", "annotations", "databases", data_set, f"{data_set}/databases"):
        for name in names:
            if (data / folder / name).is_file():
                return data / folder / name
    raise TrainingDataError(
        f"no {names[0]} there",
        where=data,
        mend=f"give its folder with --data; see mitoscope data list {data_set}",
    )
