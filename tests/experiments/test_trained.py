"""Every declared experiment in its smoke size: data → folds → training → detection → evaluation → table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mitoscope.bundle import load_bundle
from mitoscope.data.sampling import HardPool, plan
from mitoscope.errors import ConfigError, RunError
from mitoscope.experiments.experiment import Size
from mitoscope.experiments.run import CELLS as CELL_FILES
from mitoscope.experiments.shelf import FOLDER, find_experiments, recipes_folder
from mitoscope.experiments.trained.fields import MINED
from mitoscope.experiments.trained.networks import NETWORKS, ArmNetwork, NetworkBuilder, arm_networks
from mitoscope.experiments.trained.smoke import smoke_sets
from mitoscope.experiments.trained.trained import read_declared
from tests.experiments.running import run, workplace

pytestmark = pytest.mark.train

DECLARED = [one.name for one in read_declared(recipes_folder() / FOLDER)]
CELLS = {"cmc-table4": 2, "semi-fig3-error": 2, "semi-fig3-precision-recall": 2, "semi-table1": 2}
"""Cells that are run of an experiment whose rows need each other; of any other one, networks are shared."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder of results, so that slides are painted and networks trained once."""
    return tmp_path_factory.mktemp("experiments")


@pytest.mark.parametrize("name", DECLARED)
def test_the_smoke_size_runs_to_its_table(name: str, out: Path) -> None:
    cells = CELLS.get(name, 1)
    found = run(name, workplace(out, Size.SMOKE, cells_max=cells))
    assert len(found.records) == cells
    scores = [record.result["scores"] for record in found.records.values()]
    assert all(value is None or value >= 0 for one in scores for value in one.values())
    declaration = read_declared(recipes_folder() / FOLDER)[DECLARED.index(name)].declaration
    assert [row.name for row in found.table.rows] == [row for arm in declaration.arms for row, _ in arm.rows]
    assert all(entry.published is None for row in found.table.rows for entry in row.entries)
    assert [column.name for column in found.table.columns] == [one.name for one in declaration.columns]
    assert any(one for one in scores)


@pytest.mark.parametrize("name", DECLARED)
def test_every_declared_experiment_has_a_cell_for_each_network(name: str, out: Path) -> None:
    (experiment,) = find_experiments([name], recipes_folder())
    own = experiment.at(Size.SMOKE)  # type: ignore[attr-defined]
    plan = experiment.plan(workplace(out, Size.SMOKE))
    run_arms = sum(not arm.missing for arm in own.arms)
    assert len(plan.cells) == run_arms * len(arm_networks(own))
    assert len({cell.key for cell in plan.cells}) == len(plan.cells)
    rows = [row for arm in own.arms for row, _ in arm.rows]
    assert [row.name for row in experiment.table({}, Size.FULL).rows] == rows


def test_in_the_smoke_size_of_tiles_the_arms_can_differ(out: Path) -> None:
    (experiment,) = find_experiments(["crowd-table9"], recipes_folder())
    own = experiment.at(Size.SMOKE)  # type: ignore[attr-defined]
    builder = NetworkBuilder(own, workplace(out, Size.SMOKE), smoke_sets(own, out))
    drawn = {}
    for arm in own.arms:
        recipe = builder.recipe(arm, ArmNetwork("", 0, None))
        fields, _ = builder.fields(arm, ArmNetwork("", 0, None), mpp=0.25)
        scheme = plan(tuple(fields), recipe.data.sampling, labels=("mitotic figure",), mpp=0.25)
        windows = [one for step in range(20) for one in scheme.windows(step, HardPool.empty(), seed=1)]
        drawn[arm.name] = sum(one.score == 0 for one in windows) / len(windows)
        agreements = np.concatenate([field.labels.agreement for field in fields])
        assert 0 < agreements.min() < 1
    assert drawn == {"Det": 0, "Det-NS": 0.5, "Det-WL": 0, "Det-WL-NS": 0.5}
    assert [builder.recipe(arm, ArmNetwork("", 0, None)).model.agreement_weighted for arm in own.arms] == [
        False,
        False,
        True,
        True,
    ]


def test_networks_are_shared_between_experiments(out: Path) -> None:
    trained = list((out / NETWORKS / Size.SMOKE).iterdir())
    assert 0 < len(trained) < sum(CELLS.get(name, 1) for name in DECLARED)


def test_no_case_is_learnt_from_and_tested(out: Path) -> None:
    (experiment,) = find_experiments(["midogpp-table6"], recipes_folder())
    own = experiment.at(Size.SMOKE)  # type: ignore[attr-defined]
    builder = NetworkBuilder(own, workplace(out, Size.SMOKE), smoke_sets(own, out))
    for arm in own.arms:
        fields, _ = builder.fields(arm, ArmNetwork("", 0, None), mpp=0.25)
        testing = {slide.name for one in builder.sets.values() for slide in one.slides(testing=True)}
        assert not {field.case for field in fields} & testing
        assert arm.without[0] not in {field.domain for field in fields}
        assert len({field.domain for field in fields}) == 6


def test_what_is_mined_is_neither_labelled_nor_tested_nor_judges_while_training(out: Path) -> None:
    (experiment,) = find_experiments(["semi-table1"], recipes_folder())
    own = experiment.at(Size.SMOKE)  # type: ignore[attr-defined]
    sets = smoke_sets(own, out)
    known = {path for name in ("T", "M") for path in sets[name].files.values()}
    assert not known & set(sets["U"].files.values())
    mined = [
        folder / MINED / "U"
        for folder in (out / NETWORKS / Size.SMOKE).glob("*")
        if (folder / MINED).exists()
    ]
    assert mined
    for folder in mined:  # the network after the one that mined names both sets
        assert len(load_bundle(folder.parents[1] / "bundle").manifest.training) == 1
    named = [load_bundle(f).manifest.training for f in (out / NETWORKS / Size.SMOKE).glob("*/bundle")]
    assert any(len(sources) == 2 for sources in named)
    tables = {path.name.removesuffix(".csv") for folder in mined for path in folder.glob("*.csv")}
    assert tables == set(sets["U"].files)
    records = run("semi-table1", workplace(out, Size.SMOKE, cells_max=2), resume=True).records
    bundles = {record.result["bundle"] for record in records.values()}
    assert len(bundles) == 2


def test_curves_and_errors_are_kept_with_the_scores(out: Path) -> None:
    found = run("semi-fig3-precision-recall", workplace(out, Size.SMOKE, cells_max=2), resume=True)
    for record in found.records.values():
        scores = record.result["scores"]
        pairs = record.result["curves"]["proposals/T"]
        best = max((2 * r * p / (r + p) for r, p in pairs if r + p), default=0.0)
        assert scores["proposals/T/max-f1"] == pytest.approx(best, abs=1e-3)
        assert [step for step, _ in record.result["training"]] == [2, 4, 6]
    assert (found.folder / "figure.svg").is_file()


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_computed(out: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    with pytest.raises(ConfigError, match="no GPU that torch can use"):
        run("cmc-table2", replace(workplace(out, Size.SMOKE), device="cuda"))


def test_a_gpu_that_fails_while_a_network_trains_leaves_the_finished_cells(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def fail(*_: object, **__: object) -> None:
        raise torch.AcceleratorError("CUDA error: device unavailable\nFor debugging consider a flag")

    run("midogpp-table4", workplace(out, Size.SMOKE, cells_max=1), resume=True)
    folder = out / "midogpp-table4" / Size.SMOKE.value / CELL_FILES
    before = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    assert len(before) == 1
    monkeypatch.setattr(torch.Tensor, "backward", fail)
    with pytest.raises(RunError) as caught:
        run("midogpp-table4", workplace(out, Size.SMOKE, cells_max=2), resume=True)
    assert "1 of 2 cells are finished and kept): the GPU failed (CUDA error: device unav" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.glob("*.json")} == before
