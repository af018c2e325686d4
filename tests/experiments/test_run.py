"""Cells: kept, gone on with, and refused where they belong to something else."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

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
from mitoscope.experiments.experiment import Computation, Experiment, Plan, Result, Size, Workplace
from mitoscope.experiments.run import CellWork, ExperimentOutcome, cell_path, run_experiment
from mitoscope.experiments.shelf import find_experiments
from mitoscope.experiments.site import find_finished, write_site
from mitoscope.experiments.table import Column, Entry, ResultTable, rows_of
from tests.experiments.running import workplace

HASH = "a" * 64


@dataclass(frozen=True, slots=True)
class Numbers(Experiment):
    """An experiment of three cells, of which one may fail."""

    name: str = "numbers"
    paper: str = "none"
    shows: str = "three <numbers>"
    needs: str = "nothing"
    failing: BaseException | None = None
    recipe: str = HASH
    data: str = HASH
    computed: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> tuple[Size, ...]:
        return (Size.FULL,)

    def plan(self, workplace: Workplace) -> Plan:
        keys = ("one", "two", "three")
        cells = (Computation(key, self.recipe, (1,), lambda key=key: self._compute(key)) for key in keys)  # type: ignore[misc]
        return Plan(tuple(cells), self.data)

    def _compute(self, key: str) -> Result:
        if key == "two" and self.failing is not None:
            raise self.failing
        self.computed.append(key)
        return {"length": len(key)}

    def table(self, results: Mapping[str, Result], size: Size) -> ResultTable:
        columns = (Column("length", 0),)
        rows = rows_of(list(results), columns, lambda row, _: Entry(results[row]["length"], published=3.0))
        return ResultTable("A table of <b>lengths</b> | bars", "word", columns, rows, published_in="a book")

    def chart(self, results: Mapping[str, Result], size: Size) -> None:
        return None


def go(experiment: Numbers, out: Path, *, resume: bool = False, size: Size = Size.FULL) -> ExperimentOutcome:
    return run_experiment(experiment, workplace(out, size), resume=resume, report=lambda done, total: None)


def test_all_cells_are_kept_with_their_provenance(tmp_path: Path) -> None:
    found = go(Numbers(), tmp_path)
    record = found.records["three"]
    assert record.result == {"length": 5}
    assert (record.recipe, record.data, record.seeds) == (HASH, HASH, (1,))
    assert record.machine["device"] == "cpu"
    assert record.finished.endswith("+00:00")
    assert json.loads(cell_path(found.folder, "one").read_text())["experiment"] == "numbers"
    assert "three | 5 / 3 / +2 |" in found.table.to_markdown()
    assert "three,length,5,,,,3.0,,2.0," in found.table.to_csv()


def test_finished_cells_are_refused_without_resume_and_kept_with_it(tmp_path: Path) -> None:
    go(Numbers(), tmp_path)
    with pytest.raises(OutputError, match="3 of 3 cells are finished here already; add --resume"):
        go(Numbers(), tmp_path)
    again = Numbers()
    go(again, tmp_path, resume=True)
    assert again.computed == []


@pytest.mark.parametrize(
    ("failure", "error", "says"),
    [
        (KeyboardInterrupt(), StoppedError, "the same command with --resume goes on"),
        (StoppedError("at step 3", mend="add --resume"), StoppedError, "1 of 3 cells are finished and kept"),
        (RuntimeError("CUDA error: device-side\nassert"), RunError, "the GPU failed (CUDA error"),
        (
            RuntimeError("Found no NVIDIA driver on your system."),
            RunError,
            "1 of 3 cells are finished and kept",
        ),
        (FormatError("is damaged", where="a file"), FormatError, "is damaged"),
    ],
)
def test_what_is_finished_stays_and_the_rest_is_computed_later(
    failure: BaseException, error: type[MitoscopeError], says: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        go(Numbers(failing=failure), tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    later = Numbers()
    go(later, tmp_path, resume=True)
    assert later.computed == ["two", "three"]


def test_another_failure_of_the_program_is_not_taken_for_one_of_the_gpu(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"):
        go(Numbers(failing=RuntimeError("shape mismatch")), tmp_path)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Numbers(recipe="b" * 64), "with another recipe (aaaaaaaaaaaa"),
        (Numbers(data="c" * 64), "with another data set"),
    ],
)
def test_cells_of_something_else_are_refused_before_anything_is_computed(
    other: Numbers, says: str, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        go(Numbers(failing=StoppedError("stopped")), tmp_path)
    with pytest.raises(LedgerMismatchError) as caught:
        go(other, tmp_path, resume=True)
    assert says in str(caught.value)
    assert "choose another --out" in str(caught.value)
    assert other.computed == []


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [("mitoscope", "0.0.1", "another version of mitoscope (0.0.1, now"), ("format", 0, "a cell in format 0")],
)
def test_a_run_of_an_older_version_is_refused_and_kept(
    key: str, value: object, says: str, tmp_path: Path
) -> None:
    path = cell_path(go(Numbers(), tmp_path).folder, "one")
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    before = path.read_bytes()
    with pytest.raises(LedgerMismatchError) as caught:
        go(Numbers(), tmp_path, resume=True)
    assert says in str(caught.value)
    assert path.read_bytes() == before


def test_a_damaged_cell_is_named(tmp_path: Path) -> None:
    path = cell_path(go(Numbers(), tmp_path).folder, "one")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(FormatError, match=r"one\.json: not a finished cell"):
        go(Numbers(), tmp_path, resume=True)


def test_a_size_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="numbers: has no size smoke; there is: full"):
        go(Numbers(), tmp_path, size=Size.SMOKE)


def test_the_site_escapes_names_and_shows_the_provenance(tmp_path: Path) -> None:
    go(Numbers(), tmp_path / "out")
    first = write_site(find_finished(tmp_path / "out"), tmp_path / "html")
    page = (tmp_path / "html" / "numbers-full" / "index.html").read_text(encoding="utf-8")
    assert "three &lt;numbers&gt;" in first.read_text(encoding="utf-8")
    assert "<b>" not in page
    assert HASH in page
    assert "<script" not in page
    assert (tmp_path / "html" / "numbers-full" / "table.csv").is_file()


def test_a_table_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    table = go(Numbers(), tmp_path).table
    assert ResultTable.from_dict(json.loads(json.dumps(table.as_dict()))) == table
    assert replace(table, rows=()).to_markdown().count("\n|") == 2


def test_a_folder_without_results_has_no_site(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no finished experiment there"):
        find_finished(tmp_path)


def test_cells_travel_as_the_name_of_their_experiment_and_are_planned_where_they_arrive(
    tmp_path: Path,
) -> None:
    at = workplace(tmp_path, Size.SMOKE)
    (experiment,) = find_experiments(["midogpp-table2"], at.recipes)
    plan = experiment.plan(at)
    letter = pickle.dumps(CellWork(experiment, at, plan))
    arrived = pickle.loads(letter)
    assert len(letter) < 2000
    key = plan.cells[0].key
    assert arrived(key).result == plan.cells[0].compute()
    assert arrived(key).origin == CellWork(experiment, at, plan)(key).origin
    other = CellWork(experiment, at, replace(plan, data="other pixels"))
    with pytest.raises(ClusterError, match="sees another data set"):
        pickle.loads(pickle.dumps(other))
