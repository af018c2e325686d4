"""Validation by the score that the recipe names, and the first two batches."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mitoscope.data.sampling import HardPool
from mitoscope.errors import ConfigError, NonFiniteError
from mitoscope.models.fcn import FcnResnet12
from mitoscope.train import Recipe, run
from mitoscope.train.job import Job, new_state
from mitoscope.train.journal import read_metrics
from mitoscope.train.run import check_first_batches
from mitoscope.train.validation import better, check_metric, mean_loss, validate

from .conftest import job_of
from .weights import weights_hash

pytestmark = pytest.mark.train

CELLS = {
    "model": {"architecture": "classifier", "backbone": "resnet18", "patch_px": 32},
    "sampling": {"kind": "crops", "window_px": 32, "batch": 8, "background": 0.5},
    "metric": "auc",
}
AGREEMENT = {
    "model": {"architecture": "regressor", "backbone": "resnet18", "patch_px": 64},
    "sampling": {"kind": "crowd", "window_px": 64, "batch": 8, "negatives": 1.0},
    "metric": "rmse",
}


def _recipe(values: dict[str, object]) -> Recipe:
    data = {
        "source": {"kind": "open-data"},
        "split": {"held_out": ("BreCaHAD/Case_10",)},
        "sampling": values["sampling"],
    }
    table = {
        "model": values["model"],
        "data": data,
        "phases": [{"steps": 2, "learning_rate": 1e-3}],
        "validation": {"metric": values["metric"], "every": 2, "batches": 2},
        "run": {"tensorboard": False},
    }
    return Recipe.parse(table, where="test")


def test_the_higher_is_always_the_better_and_nan_is_the_worst() -> None:
    assert better("f1", 0.8) > better("f1", 0.7)
    assert better("rmse", 0.1) > better("rmse", 0.2)
    assert better("loss", 0.1) > better("loss", 0.2)
    assert math.isnan(better("auc", None))


@pytest.mark.parametrize("values", [CELLS, AGREEMENT], ids=["classifier", "regressor"])
def test_classifiers_and_regressors_are_judged_on_the_held_out_cases(
    values: dict[str, object], tiny_data: Path, tmp_path: Path
) -> None:
    job = job_of(_recipe(values), tiny_data, tmp_path)
    state = run.main(job, resume=False)
    (row,) = read_metrics(tmp_path)
    metric = str(values["metric"])
    score = row[metric]
    assert isinstance(score, float)
    assert better(job.recipe.validation.metric, score) == state.best_score
    assert {"loss", "train_loss", "f1"} <= row.keys()
    again = (validate(job, state) for _ in range(2))
    np.testing.assert_equal(next(again), next(again))  # always the same draws; NaN equals NaN here


def test_a_score_that_the_network_cannot_have_is_named(job: Job, tiny_data: Path, tmp_path: Path) -> None:
    family = new_state(job).network
    for metric, fits in (("f1", True), ("average-precision", True), ("correlation", False), ("auc", False)):
        validation = job.recipe.validation.model_copy(update={"metric": metric})
        recipe = job.recipe.model_copy(update={"validation": validation})
        if fits:
            check_metric(recipe, family)
        else:
            with pytest.raises(ConfigError, match=rf"fcn-resnet12 has no '{metric}'.*average-precision"):
                check_metric(recipe, family)


def test_the_mean_loss_leaves_statistics_and_mode_alone(job: Job) -> None:
    family = new_state(job).network.train()
    before = weights_hash(family)
    batches = [job.held_out.draw(step, HardPool.empty()) for step in range(2)]
    one, other = mean_loss(job, family, batches), mean_loss(job, family, batches)
    assert one == other
    assert np.isfinite(one)
    assert weights_hash(family) == before
    assert family.training


def test_the_first_batches_change_nothing(job: Job) -> None:
    state = new_state(job)
    before = weights_hash(state.network)
    check_first_batches(job, state)
    assert weights_hash(state.network) == before
    assert state.step == 0
    assert all(parameter.grad is None for parameter in state.network.parameters())


def test_a_first_batch_that_is_not_finite_stops_before_the_first_step(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = FcnResnet12.forward

    def forward(self: FcnResnet12, windows: torch.Tensor) -> torch.Tensor:
        return healthy(self, windows) * float("nan")

    monkeypatch.setattr(FcnResnet12, "forward", forward)
    with pytest.raises(NonFiniteError, match="sanity batch 0: the loss is nan"):
        run.main(job, resume=False)
    assert not list(job.out.glob("checkpoint*"))
