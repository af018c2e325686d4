from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from mitoscope.train.repeats import SUMMARY_NAME, Summary, members_of

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
