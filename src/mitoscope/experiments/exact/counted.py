"""An experiment that needs annotations only: one cell, computed from a study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mitoscope.experiments.chart import Chart
from mitoscope.experiments.experiment import Cell, Desk, Plan, Result, Size
from mitoscope.experiments.table import Table
from mitoscope.fsio import sha256_file

KEY = "all"
"""The only cell."""


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
    files: Callable[[Desk], tuple[Path, ...]]
    count: Callable[[tuple[Path, ...]], Result]
    tabulate: Callable[[Result], Table]
    plot: Callable[[Result], Chart] | None = None
    rules: str = "1"
    sizes: tuple[Size, ...] = (Size.FULL, Size.SMOKE)

    @property
    def trains(self) -> bool:
        """Nothing is trained."""
        return False

    def plan(self, desk: Desk) -> Plan:
        """Look for the files.

        Raises
        ------
        InputError
            If one is not there.
        """
        files = self.files(desk)
        data = hashlib.sha256("".join(f"{one.name} {sha256_file(one)}\n" for one in files).encode())
        recipe = hashlib.sha256(f"{self.name} {self.rules}".encode()).hexdigest()
        return Plan((Cell(KEY, recipe, (), lambda: self.count(files)),), data.hexdigest())

    def table(self, results: Mapping[str, Result], size: Size) -> Table:
        """Return the table."""
        del size
        return self.tabulate(results[KEY])

    def chart(self, results: Mapping[str, Result], size: Size) -> Chart | None:
        """Return the figure, where there is one."""
        del size
        return None if self.plot is None else self.plot(results[KEY])
