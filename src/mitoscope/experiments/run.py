"""Running an experiment cell by cell; what is finished is kept, whatever comes next."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mitoscope import __version__
from mitoscope.errors import ConfigError, FormatError, OutputError, RunError, StoppedError
from mitoscope.experiments.drawing import draw
from mitoscope.experiments.experiment import Computation, Experiment, Plan, Result, Size, Workplace
from mitoscope.experiments.record_file import (
    CELLS,
    FORMAT,
    ComputationRecord,
    blank,
    machine,
    read_record,
    write_record,
)
from mitoscope.experiments.table import ResultTable
from mitoscope.fsio import atomic_write, exclusive_lock, make_directory

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

Report = Callable[[float, float], None]
"""Called with the cells done and in all."""


@dataclass(frozen=True, slots=True)
class ExperimentOutcome:
    """A finished experiment.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    table : ResultTable
    records : mapping of str to ComputationRecord
        The cells by key.
    """

    folder: Path
    table: ResultTable
    records: Mapping[str, ComputationRecord]

    @property
    def seconds(self) -> float:
        """Time that all cells took."""
        return sum(record.seconds for record in self.records.values())


def run_experiment(
    experiment: Experiment, workplace: Workplace, *, resume: bool, report: Report
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
        _compute(experiment, plan, workplace, folder, records=records, report=report)
        results = {key: record.result for key, record in records.items()}
        table = experiment.table(results, workplace.size)
        table = replace(table, notes=(*_SIZE_NOTES[workplace.size], *table.notes))
        _write(experiment, workplace, folder, table=table, results=results)
    return ExperimentOutcome(folder, table, records)


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
        record = read_record(path)
        _blank(experiment, plan, workplace, cell).check_same(record, path)
        records[cell.key] = record
    return records


def _compute(
    experiment: Experiment,
    plan: Plan,
    workplace: Workplace,
    folder: Path,
    *,
    records: dict[str, ComputationRecord],
    report: Report,
) -> None:
    total = len(plan.cells)
    report(len(records), total)
    for cell in plan.cells:
        if cell.key in records:
            continue
        workplace.tell(f"{experiment.name}: {cell.key}")
        started = time.perf_counter()
        result = _result(cell, kept=len(records), total=total)
        record = replace(
            _blank(experiment, plan, workplace, cell),
            seconds=round(time.perf_counter() - started, 3),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=machine(workplace.device),
            result=result,
        )
        write_record(cell_path(folder, cell.key), record)
        records[cell.key] = record
        report(len(records), total)


def _result(cell: Computation, *, kept: int, total: int) -> Result:
    where = f"cell {cell.key} ({kept} of {total} cells are finished and kept)"
    try:
        return cell.compute()
    except KeyboardInterrupt:
        raise StoppedError("stopped", where=where, mend=_GO_ON) from None
    except StoppedError as stopped:
        raise StoppedError(stopped.what, where=where, mend=_GO_ON) from None
    except RuntimeError as error:
        if not _of_gpu(error):
            raise
        line = " ".join(str(error).split())[:160]
        raise RunError(
            f"the GPU failed ({line})", where=where, mend=f"see mitoscope doctor; {_GO_ON}"
        ) from None


def _of_gpu(error: RuntimeError) -> bool:
    return any(word in str(error) for word in ("CUDA", "cuDNN", "NCCL", "cublas", "NVIDIA"))


def _blank(experiment: Experiment, plan: Plan, workplace: Workplace, cell: Computation) -> ComputationRecord:
    return blank(
        experiment.name, workplace.size.value, cell.key, recipe=cell.recipe, data=plan.data, seeds=cell.seeds
    )


def _write(
    experiment: Experiment,
    workplace: Workplace,
    folder: Path,
    *,
    table: ResultTable,
    results: Mapping[str, Result],
) -> None:
    chart = experiment.chart(results, workplace.size)
    if chart is not None:
        draw(chart, folder / "figure")
    outcome = {
        "format": FORMAT,
        "mitoscope": __version__,
        "name": experiment.name,
        "paper": experiment.paper,
        "shows": experiment.shows,
        "size": workplace.size.value,
        "cells": sorted(results),
        "figure": chart is not None,
        "table": table.as_dict(),
    }
    for name, text in (
        ("table.md", table.to_markdown()),
        ("table.csv", table.to_csv()),
        ("table.json", _json(table.as_dict())),
        (OUTCOME, _json(outcome)),
    ):
        with atomic_write(folder / name) as stream:
            stream.write(text.encode())


def read_outcome(folder: Path) -> tuple[dict[str, object], ExperimentOutcome]:
    """Read a finished experiment.

    Raises
    ------
    FormatError, LedgerMismatchError
        If it is damaged, or of another format.
    """
    path = folder / OUTCOME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        table = ResultTable.from_dict(values["table"])
        keys = [str(key) for key in values["cells"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"not the outcome of an experiment ({type(error).__name__})",
            where=path,
            mend="run the experiment again with --resume",
        ) from None
    return values, ExperimentOutcome(
        folder, table, {key: read_record(cell_path(folder, key)) for key in keys}
    )


def _json(values: dict[str, object]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
