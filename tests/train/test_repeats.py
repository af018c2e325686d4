from __future__ import annotations

import json
import pickle
import statistics
from pathlib import Path

import pytest

from mitoscope.errors import ConfigError
from mitoscope.train.recipe import Recipe
from mitoscope.train.repeats import SUMMARY_NAME, Summary, members_of
from mitoscope.train.train import MemberWork, fields_for, train

pytestmark = pytest.mark.train


def test_one_run_has_no_folder_of_its_own() -> None:
    (only,) = members_of(seed=7, repeats=1, folds=0)
    assert (only.name, only.seed, only.fold) == ("", 7, None)


def test_every_fold_is_run_with_every_seed() -> None:
    members = members_of(seed=7, repeats=2, folds=3)
    assert {(m.fold, m.seed) for m in members} == {(f, s) for f in range(3) for s in (7, 8)}
    assert len({m.name for m in members}) == 6
    assert [m.name for m in members_of(seed=7, repeats=2, folds=0)] == ["seed-7", "seed-8"]


def test_the_summary_is_mean_and_sample_deviation(tmp_path: Path) -> None:
    f1 = [0.70, 0.74, 0.81]
    summary = Summary.of({f"seed-{i}": {"f1": value, "odd": 1.0} for i, value in enumerate(f1)})
    assert summary.averages["f1"].mean == pytest.approx(statistics.fmean(f1))
    assert summary.averages["f1"].sd == pytest.approx(statistics.stdev(f1))
    assert summary.lines()[0] == "f1 0.750 ± 0.056 (3 runs)"
    summary.write(tmp_path)
    told = json.loads((tmp_path / SUMMARY_NAME).read_text())
    assert told["averages"]["f1"]["n"] == 3
    assert told["runs"]["seed-1"] == {"f1": 0.74, "odd": 1.0}


def test_a_run_travels_as_its_recipe_and_reads_its_data_where_it_arrives(
    recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    fields = fields_for(recipe, tiny_data)
    letter = pickle.dumps(MemberWork(recipe, tiny_data, tmp_path, fields))
    arrived = pickle.loads(letter)
    assert len(letter) < 5000
    assert arrived.recipe == recipe
    assert [field.digest() for field in arrived.fields] == [field.digest() for field in fields]


def test_a_cluster_is_for_several_runs_of_one_device_each(
    recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    for changes, named in (({}, "one run to train"), ({"repeats": 2, "devices": 2}, "takes 2 GPUs")):
        own = recipe.model_copy(update={"run": recipe.run.model_copy(update=changes)})
        with pytest.raises(ConfigError, match=named):
            train(own, tiny_data, tmp_path / "run", cluster="local")
