"""The whole run: to the bundle, interrupted and resumed, and stopped by a loss that is not finite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mitoscope.bundle import load_bundle
from mitoscope.errors import IncompleteRunError, LedgerMismatchError, NonFiniteError, OutputError
from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.train import Recipe, run, train
from mitoscope.train.interrupt import Stop
from mitoscope.train.job import Job, read_pictures, setup
from mitoscope.train.journal import METRICS_NAME
from mitoscope.train.recipe import OptimiserRecipe
from mitoscope.train.state import CHECKPOINT_NAME, State, load, weights_hash

pytestmark = pytest.mark.train


def _final_hash(recipe: Recipe, data: Path, out: Path) -> str:
    job = setup(recipe, read_pictures(data), data, out=out)
    state = run.new_state(job)
    load(state, out / CHECKPOINT_NAME, run=job.fingerprint)
    assert state.step == recipe.optimiser.steps
    return weights_hash(state.network) + weights_hash(state.average)


def _stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    count = iter(range(1, 1000))

    def plain(stop: Stop) -> object:
        def note(*_: object, **__: object) -> None:
            if next(count) == steps:
                stop.wanted = True

        return note

    original = run.fit

    def fit(job: Job, state: State, **keys: object) -> None:
        stop = keys["stop"]
        assert isinstance(stop, Stop)
        original(job, state, **(keys | {"report": plain(stop)}))  # type: ignore[arg-type]

    monkeypatch.setattr(run, "fit", fit)


def test_a_run_ends_in_a_bundle_with_licences_metrics_and_card(
    tiny_data: Path, tmp_path: Path, recipe: Recipe
) -> None:
    bundle = train(recipe, tiny_data, tmp_path / "run")
    assert bundle.folder == tmp_path / "run" / "bundle"
    manifest = load_bundle(bundle.folder).manifest
    assert manifest.architecture == "fcn-resnet12"
    assert [source.licence[:4] for source in manifest.training] == ["CC0-", "CC-B", "CC0-"]
    assert "nobody" in manifest.training[2].attribution
    assert manifest.halo_px == 76
    assert "MODEL_CARD.md" in manifest.files
    assert b"research use only" in bundle.read("MODEL_CARD.md")
    lines = [json.loads(line) for line in (tmp_path / "run" / METRICS_NAME).read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    assert Recipe.from_toml(tmp_path / "run" / "recipe.toml") == recipe
    with pytest.raises(OutputError, match="exists already"):
        train(recipe, tiny_data, tmp_path / "run")


def test_interrupted_and_resumed_the_weights_are_the_same(
    tiny_data: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe, tiny_data, tmp_path / "whole")
    with monkeypatch.context() as patch:
        _stop_after(patch, 2)
        with pytest.raises(IncompleteRunError, match=r"after step 2 of 6.*--resume"):
            train(recipe, tiny_data, tmp_path / "parts")
    assert not (tmp_path / "parts" / "bundle").exists()
    with monkeypatch.context() as patch:
        _stop_after(patch, 2)
        with pytest.raises(IncompleteRunError, match="after step 4 of 6"):
            train(recipe, tiny_data, tmp_path / "parts", resume=True)
    train(recipe, tiny_data, tmp_path / "parts", resume=True)
    assert _final_hash(recipe, tiny_data, tmp_path / "parts") == _final_hash(
        recipe, tiny_data, tmp_path / "whole"
    )


def test_another_recipe_does_not_resume_and_nothing_is_overwritten(
    tiny_data: Path,
    tmp_path: Path,
    recipe: Recipe,
    other_recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _stop_after(monkeypatch, 1)
    with pytest.raises(IncompleteRunError):
        train(recipe, tiny_data, tmp_path)
    with pytest.raises(OutputError, match="--resume"):
        train(recipe, tiny_data, tmp_path)
    with pytest.raises(LedgerMismatchError):
        train(other_recipe, tiny_data, tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_with_the_step(
    tiny_data: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))
    healthy = FcnResnet12.forward

    def forward(self: FcnResnet12, windows: torch.Tensor) -> torch.Tensor:
        log_odds = healthy(self, windows)
        return log_odds * float("nan") if self.training and next(calls) == 4 else log_odds

    monkeypatch.setattr(FcnResnet12, "forward", forward)
    with pytest.raises(NonFiniteError, match="step 4: the loss is nan"):
        train(recipe, tiny_data, tmp_path)
    job = setup(recipe, read_pictures(tiny_data), tiny_data, out=tmp_path)
    state = run.new_state(job)
    load(state, tmp_path / CHECKPOINT_NAME, run=job.fingerprint)
    assert state.step == 4
    assert all(torch.isfinite(value).all() for value in state.network.state_dict().values())


def test_nan_is_never_the_best(tiny_data: Path, tmp_path: Path, recipe: Recipe) -> None:
    job = setup(recipe, read_pictures(tiny_data), tiny_data, out=tmp_path)
    state = run.new_state(job)
    run.validate(job, state)
    best = state.best_f1
    with torch.no_grad():
        for parameter in state.average.parameters():
            parameter.fill_(float("nan"))
    run.validate(job, state)
    assert state.best_f1 == best
    assert all(torch.isfinite(torch.from_numpy(value)).all() for value in state.best.values())


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = OptimiserRecipe(steps=100, learning_rate=1.0, warm_up=0.1)
    rates = [run.learning_rate(step, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) > 0.95
    assert rates.index(max(rates)) == 9
    assert rates[-1] < 0.02


def test_patience_ends_a_run_at_a_validation(
    tiny_data: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = recipe.model_copy(
        update={
            "optimiser": recipe.optimiser.model_copy(update={"steps": 60}),
            "run": recipe.run.model_copy(update={"patience": 5}),
        }
    )
    job = setup(impatient, read_pictures(tiny_data), tiny_data, out=tmp_path)
    state = run.new_state(job)
    state.best_step, state.step = 3, 8
    assert not run.finished(state, impatient)
    state.step = 9
    assert run.finished(state, impatient)
