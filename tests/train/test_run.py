"""The whole run: to the bundle, interrupted and resumed, and stopped by a loss that is not finite."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mitoscope.bundle import load_bundle
from mitoscope.data.open_data import BRECAHAD, MITOSIS_CROPS, NEGATIVE_FIELDS
from mitoscope.data.sources import read_fields
from mitoscope.errors import IncompleteRunError, LedgerMismatchError, NonFiniteError, OutputError
from mitoscope.models.fcn import FcnResnet12
from mitoscope.train import Recipe, run, train
from mitoscope.train.checkpoint import CHECKPOINT_NAME, load
from mitoscope.train.job import Job, new_state, setup
from mitoscope.train.journal import read_metrics
from mitoscope.train.packing import training_sources
from mitoscope.train.repeats import Member
from mitoscope.train.run import polite_stop
from mitoscope.train.state import State

from .conftest import job_of
from .weights import weights_hash

pytestmark = pytest.mark.train


def _final(recipe: Recipe, data: Path, out: Path) -> State:
    job = job_of(recipe, data, out)
    state = new_state(job)
    load(state, out / CHECKPOINT_NAME, run=job.fingerprint, architecture=recipe.architecture)
    return state


def _stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    original = run.open_loop

    @contextmanager
    def open_loop(job: Job, state: State) -> Iterator[run.Loop]:
        with original(job, state) as loop:
            count = iter(range(1, 1000))

            def count_steps(done: int, note: str) -> None:
                if next(count) == steps:
                    loop.stop.wanted = True

            yield run.Loop(loop.job, loop.ahead, loop.stop, count_steps, loop.journal)

    monkeypatch.setattr(run, "open_loop", open_loop)


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
    assert b"research use only" in bundle.read("MODEL_CARD.md")
    assert [row["step"] for row in read_metrics(tmp_path / "run")] == [3, 6]
    assert Recipe.from_toml(tmp_path / "run" / "recipe.toml") == recipe
    with pytest.raises(OutputError, match="exists already"):
        train(recipe, tiny_data, tmp_path / "run")


def test_interrupted_and_resumed_the_weights_are_the_same(
    tiny_data: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe, tiny_data, tmp_path / "whole")
    for resume, step in ((False, 2), (True, 4)):
        with monkeypatch.context() as patch:
            _stop_after(patch, 2)
            with pytest.raises(IncompleteRunError, match=rf"after step {step} of 6.*--resume"):
                train(recipe, tiny_data, tmp_path / "parts", resume=resume)
        assert not (tmp_path / "parts" / "bundle").exists()
    train(recipe, tiny_data, tmp_path / "parts", resume=True)
    states = [_final(recipe, tiny_data, tmp_path / name) for name in ("whole", "parts")]
    assert [state.step for state in states] == [6, 6]
    for name in ("network", "average"):
        whole, parts = (weights_hash(getattr(state, name)) for state in states)
        assert whole == parts
    judged = [
        [{k: v for k, v in row.items() if k != "train_loss"} for row in read_metrics(tmp_path / name)]
        for name in ("whole", "parts")  # the smoothed loss begins anew
    ]
    assert judged[0] == judged[1]


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
        # The first two calls are the sanity batches.
        return log_odds * float("nan") if self.training and next(calls) == 6 else log_odds

    monkeypatch.setattr(FcnResnet12, "forward", forward)
    with pytest.raises(NonFiniteError, match="step 4: the loss is nan"):
        train(recipe, tiny_data, tmp_path)
    state = _final(recipe, tiny_data, tmp_path)
    assert state.step == 4
    assert all(torch.isfinite(value).all() for value in state.network.state_dict().values())


@pytest.mark.parametrize(
    ("precision", "expected"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)]
)
def test_steps_compute_in_the_precision_of_the_recipe(
    tiny_data: Path,
    tmp_path: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    expected: torch.dtype,
) -> None:
    seen: list[torch.dtype] = []
    original = FcnResnet12.forward

    def forward(self: FcnResnet12, windows: torch.Tensor) -> torch.Tensor:
        log_odds = original(self, windows)
        if self.training:
            seen.append(log_odds.dtype)
        return log_odds

    monkeypatch.setattr(FcnResnet12, "forward", forward)
    changed = recipe.model_copy(update={"run": recipe.run.model_copy(update={"precision": precision})})
    train(changed, tiny_data, tmp_path / "run")
    assert len(seen) == recipe.steps + 2  # and the two batches before the first step
    assert set(seen) == {expected}


def test_only_what_was_learnt_from_is_named(tiny_data: Path, tmp_path: Path, recipe: Recipe) -> None:
    every = read_fields(recipe.data.source, tiny_data, mpp=recipe.model.mpp)
    fields = [field for field in every if field.source != NEGATIVE_FIELDS.name]
    job = setup(recipe, fields, tiny_data, out=tmp_path, member=Member("", recipe.run.seed, None))
    assert [one.name for one in training_sources(job)] == [MITOSIS_CROPS.title, BRECAHAD.title]


def test_nan_is_never_the_best(job: Job) -> None:
    state = new_state(job)
    assert state.keep_if_best(0.2)
    assert not state.keep_if_best(float("nan"))
    assert state.best_score == 0.2


def test_patience_ends_a_run_at_a_validation(
    tiny_data: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = recipe.model_copy(
        update={"validation": recipe.validation.model_copy(update={"every": 1, "patience": 2})}
    )
    monkeypatch.setattr(run, "validate", lambda job, state: {"f1": 1.0})
    run.main(job_of(patient, tiny_data, tmp_path), resume=False)
    assert read_metrics(tmp_path)[-1]["step"] in (3, 4, 5)


def test_several_runs_have_a_folder_each_and_a_mean(tiny_data: Path, tmp_path: Path, recipe: Recipe) -> None:
    twice = recipe.model_copy(update={"run": recipe.run.model_copy(update={"repeats": 2})})
    train(twice, tiny_data, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"seed-2018", "seed-2019", "summary.json"}
    assert (tmp_path / "seed-2019" / "bundle" / "manifest.json").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_the_second_takes_effect(number: signal.Signals) -> None:
    with polite_stop() as stop:
        before = stop.wanted
        os.kill(os.getpid(), number)
        assert (before, stop.wanted) == (False, True)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_afterwards_signals_are_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with polite_stop():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_on_another_thread_nothing_is_caught() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with polite_stop() as stop:
            seen.append((stop.wanted, signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, True)]
