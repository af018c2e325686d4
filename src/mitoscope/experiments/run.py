"""Running an experiment cell by cell; what is finished is kept, each cell as a file of its own."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from mitoscope import __version__
from mitoscope.cluster import Executor, Here, node_name
from mitoscope.errors import (
    ClusterError,
    ConfigError,
    FormatError,
    LedgerMismatchError,
    MitoscopeError,
    OutputError,
    RunError,
    StoppedError,
)
from mitoscope.experiments.chart import draw
from mitoscope.experiments.experiment import Computation, Experiment, Plan, Result, Size, Workplace
from mitoscope.experiments.table import ResultTable
from mitoscope.fsio import atomic_write, exclusive_lock, make_directory
from mitoscope.resume import refuse_changed

FORMAT: Final = 1
"""Of the file of a cell; raised when an older one must not be gone on with."""
CELLS: Final = "cells"
"""Folder of the finished cells."""
OUTCOME: Final = "outcome.json"
"""What the pages are made of: the experiment, its table, its figure."""
_SIZE_NOTES: Final[Mapping[Size, tuple[str, ...]]] = {
    Size.FULL: (),
    Size.SMALL: ("Small size: other data and shorter runs than published, not comparable with the paper.",),
    Size.SMOKE: (
        "Smoke size: synthetic data and a few steps; the figures say that the chain runs, no more.",
    ),
}
_GO_ON: Final = "the same command with --resume goes on"
_ANEW: Final = "choose another --out, or move this folder away to begin anew"

Report = Callable[[float, float], None]
"""Called with the cells done and in all."""


@dataclass(frozen=True, slots=True)
class ComputationRecord:
    """A finished cell: its result, and all that the result depends on.

    Parameters
    ----------
    format : int
    experiment, size, key : str
    mitoscope : str
        Version that computed it.
    recipe, data : str
        SHA-256 of settings and of the data.
    seeds : tuple of int
    seconds : float
        That it took.
    finished : str
        When, ISO 8601 in UTC.
    machine : dict of str to str
        On what.
    result : mapping
        What it came to.
    """

    format: int
    experiment: str
    size: str
    key: str
    mitoscope: str
    recipe: str
    data: str
    seeds: tuple[int, ...]
    seconds: float
    finished: str
    machine: dict[str, str]
    result: Result

    @property
    def origin(self) -> dict[str, object]:
        """What the result depends on, as a user knows it."""
        return {
            "version of mitoscope": self.mitoscope,
            "recipe": self.recipe,
            "data set": self.data,
            "set of seeds": self.seeds,
        }


@dataclass(frozen=True, slots=True)
class ExperimentOutcome:
    """A finished experiment.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    name, paper, shows, size : str
    has_figure : bool
    table : ResultTable
    records : mapping of str to ComputationRecord
        The cells by key.
    """

    folder: Path
    name: str
    paper: str
    shows: str
    size: str
    has_figure: bool
    table: ResultTable
    records: Mapping[str, ComputationRecord]

    @property
    def page(self) -> str:
        """Name of its folder in a site."""
        return f"{self.name}-{self.size}"

    @property
    def seconds(self) -> float:
        """Time that all cells took."""
        return sum(record.seconds for record in self.records.values())

    @property
    def finished(self) -> str:
        """When the last cell was finished."""
        return max((record.finished for record in self.records.values()), default="")

    @property
    def compared(self) -> int:
        """Figures that stand beside a published one."""
        return len(self._differences)

    @property
    def largest_difference(self) -> float | None:
        """The greatest difference from a published figure; None where none stands beside."""
        return max(map(abs, self._differences), default=None)

    @property
    def _differences(self) -> list[float]:
        entries = [entry for row in self.table.rows for entry in row.entries]
        return [entry.difference for entry in entries if entry.difference is not None]


def run_experiment(
    experiment: Experiment,
    workplace: Workplace,
    *,
    resume: bool,
    report: Report,
    executor: Executor | None = None,
) -> ExperimentOutcome:
    """Compute the cells that are missing, and write table and figure.

    Parameters
    ----------
    experiment : Experiment
    workplace : Workplace
    resume : bool
        Go on where an earlier run stopped; without it a folder with finished cells is refused.
    report : callable
        Called with the cells done and in all.
    executor : Executor, optional
        What computes the cells; by default this process, one after the other.

    Raises
    ------
    ConfigError
        If the experiment has no such size.
    OutputError
        If cells are there already and `resume` is not asked for, or a file cannot be written.
    LedgerMismatchError
        If a finished cell is of another version, recipe or data; it is kept.
    StoppedError, RunError
        If the run is stopped or the GPU fails; finished cells are kept.
    """
    if workplace.size not in experiment.sizes:
        known = ", ".join(experiment.sizes)
        raise ConfigError(f"has no size {workplace.size}", where=experiment.name, mend=f"there is: {known}")
    plan = experiment.plan(workplace)
    folder = make_directory(workplace.out / experiment.name / workplace.size.value)
    make_directory(folder / CELLS)
    with exclusive_lock(folder / ".lock"):
        records = _finished(experiment, plan, workplace, folder, resume=resume)
        work = CellWork(experiment, workplace, plan)
        _compute(work, folder, records=records, report=report, executor=executor or Here())
        ordered = {cell.key: records[cell.key] for cell in plan.cells}
        return _write(experiment, workplace, folder, ordered)


def cell_path(folder: Path, key: str) -> Path:
    """Return the file of a cell in the folder of an experiment."""
    return folder / CELLS / f"{key}.json"


def _finished(
    experiment: Experiment, plan: Plan, workplace: Workplace, folder: Path, *, resume: bool
) -> dict[str, ComputationRecord]:
    """Read what is finished, before anything is computed: all that can be refused is refused first."""
    there = [computation for computation in plan.cells if cell_path(folder, computation.key).exists()]
    if there and not resume:
        raise OutputError(
            f"{len(there)} of {len(plan.cells)} cells are finished here already",
            where=folder,
            mend="add --resume, or choose another --out",
        )
    records = {}
    for cell in there:
        path = cell_path(folder, cell.key)
        records[cell.key] = record = _read_record(path)
        now = _blank(experiment, plan, workplace, cell).origin
        refuse_changed(record.origin, now, where=path, mend=_ANEW, done="finished")
    return records


@dataclass(frozen=True, slots=True, eq=False)
class CellWork:
    """The computation of cells by their keys, in this process or any other.

    Parameters
    ----------
    experiment : Experiment
    workplace : Workplace
    plan : Plan
        What it looks like here; where the work arrives, it is planned anew from the same data.
    """

    experiment: Experiment
    workplace: Workplace
    plan: Plan

    def __reduce__(self) -> tuple[object, ...]:
        at = self.workplace
        data, out, recipes = (folder.absolute() for folder in (at.data, at.out, at.recipes))
        there = replace(at, data=data, out=out, recipes=recipes, tell=tell_nobody)
        return plan_there, (self.experiment.name, there, self.plan.data)

    def __call__(self, key: str) -> ComputationRecord:
        """Compute a cell.

        Raises
        ------
        StoppedError, RunError
            If it is stopped or the GPU fails; names the cell.
        """
        cell = next(cell for cell in self.plan.cells if cell.key == key)
        self.workplace.tell(f"{self.experiment.name}: {key}")
        started = time.perf_counter()
        result = _result(cell)
        return replace(
            _blank(self.experiment, self.plan, self.workplace, cell),
            seconds=round(time.perf_counter() - started, 3),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            result=result,
        )


def tell_nobody(line: str) -> None:
    """Say nothing."""


@lru_cache(maxsize=2)
def plan_there(name: str, workplace: Workplace, data: str) -> CellWork:
    """Plan an experiment again in another process.

    Raises
    ------
    ClusterError
        If it sees other data than the process in which it was planned first.
    """
    from mitoscope.experiments.shelf import find_experiments  # which knows all experiments, and they this

    (experiment,) = find_experiments([name], workplace.recipes)
    plan = experiment.plan(workplace)
    if plan.data != data:
        raise ClusterError(
            f"node {node_name()} sees another data set than the machine that began",
            where=workplace.data,
            mend="put the data on storage that all nodes share under the same path",
        )
    return CellWork(experiment, workplace, plan)


def _compute(
    work: CellWork,
    folder: Path,
    *,
    records: dict[str, ComputationRecord],
    report: Report,
    executor: Executor,
) -> None:
    cells = work.plan.cells
    report(len(records), len(cells))
    missing = [cell.key for cell in cells if cell.key not in records]
    try:
        with closing(executor.run(work, missing)) as results:
            for key, record in results:
                _write_text(cell_path(folder, key), _json(asdict(record)))
                records[key] = record
                report(len(records), len(cells))
    except KeyboardInterrupt:
        raise StoppedError("stopped", where=_where(work, records), mend=_GO_ON) from None
    except StoppedError as stopped:
        raise StoppedError(stopped.what, where=_where(work, records, stopped), mend=_GO_ON) from None
    except GpuError as error:
        mend = f"see mitoscope doctor; {_GO_ON}"
        raise RunError(error.what, where=_where(work, records, error), mend=mend) from None


def _where(
    work: CellWork, records: Mapping[str, ComputationRecord], error: MitoscopeError | None = None
) -> str:
    at = work.experiment.name if error is None else error.where
    return f"{at} ({len(records)} of {len(work.plan.cells)} cells are finished and kept)"


class GpuError(RunError):
    """A GPU that failed while a cell was computed."""


def _result(cell: Computation) -> Result:
    where = f"cell {cell.key}"
    try:
        return cell.compute()
    except KeyboardInterrupt:
        raise StoppedError("stopped", where=where) from None
    except StoppedError as stopped:
        raise StoppedError(stopped.what, where=where) from None
    except RuntimeError as error:
        if not _of_gpu(error):
            raise
        line = " ".join(str(error).split())[:160]
        raise GpuError(f"the GPU failed ({line})", where=where) from None


def _of_gpu(error: RuntimeError) -> bool:
    return any(word in str(error) for word in ("CUDA", "cuDNN", "NCCL", "cublas", "NVIDIA"))


def _blank(experiment: Experiment, plan: Plan, workplace: Workplace, cell: Computation) -> ComputationRecord:
    machine = {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "device": workplace.device,
    }
    return ComputationRecord(
        FORMAT,
        experiment.name,
        workplace.size.value,
        cell.key,
        __version__,
        cell.recipe,
        plan.data,
        cell.seeds,
        0.0,
        "",
        machine,
        {},
    )


def _write(
    experiment: Experiment,
    workplace: Workplace,
    folder: Path,
    records: Mapping[str, ComputationRecord],
) -> ExperimentOutcome:
    size = workplace.size
    results = {key: record.result for key, record in records.items()}
    table = experiment.table(results, size)
    if size is not Size.FULL:
        table = table.without_published()
    table = replace(table, notes=(*_SIZE_NOTES[size], *table.notes))
    chart = experiment.chart(results, size)
    if chart is not None:
        draw(chart, folder / "figure")
    about = {"name": experiment.name, "paper": experiment.paper, "shows": experiment.shows}
    outcome = {
        "format": FORMAT,
        "mitoscope": __version__,
        **about,
        "size": size.value,
        "cells": sorted(results),
        "figure": chart is not None,
        "table": table.as_dict(),
    }
    _write_text(folder / "table.md", table.to_markdown())
    _write_text(folder / "table.csv", table.to_csv())
    _write_text(folder / "table.json", _json(table.as_dict()))
    _write_text(folder / OUTCOME, _json(outcome))
    return ExperimentOutcome(
        folder, **about, size=size.value, has_figure=chart is not None, table=table, records=records
    )


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as stream:
        stream.write(text.encode())


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_outcome(folder: Path) -> ExperimentOutcome:
    """Read a finished experiment.

    Raises
    ------
    FormatError, LedgerMismatchError
        If it is damaged, or of another format.
    """
    path = folder / OUTCOME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        about = {name: str(values[name]) for name in ("name", "paper", "shows", "size")}
        has_figure, table = bool(values["figure"]), ResultTable.from_dict(values["table"])
        cells = [cell_path(folder, str(key)) for key in values["cells"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"not the outcome of an experiment ({type(error).__name__})",
            where=path,
            mend="run the experiment again with --resume",
        ) from None
    records = {cell.stem: _read_record(cell) for cell in cells}
    return ExperimentOutcome(folder, **about, has_figure=has_figure, table=table, records=records)


def _read_record(path: Path) -> ComputationRecord:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written = values["format"]
        if written == FORMAT:
            return ComputationRecord(**values | {"seeds": tuple(values["seeds"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FormatError(
            f"not a finished cell ({type(error).__name__})",
            where=path,
            mend="move it away; it will be computed again",
        ) from None
    what = f"a cell in format {written}, this mitoscope writes {FORMAT}; it is kept"
    raise LedgerMismatchError(what, where=path, mend=_ANEW)
