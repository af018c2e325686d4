"""The loops of curation with a learner whose faults are known: rules, stops, changed stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mitoscope.curation.review import ask_third, conclude, review_state
from mitoscope.errors import LedgerMismatchError, TrainingDataError
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.loops.hard_examples import HardExamplesConfig, find_hard_examples
from mitoscope.loops.material import Material
from mitoscope.loops.missed import MissedConfig, find_missed
from mitoscope.store import Frozen, Policy, Query, Round, RoundKind, Store
from tests.curation.making import scattered_truth
from tests.curation.simulated import KnownCells, SimulatedExpert, SimulatedStudy

from .making import Posted
from .oracle import Oracle

TRUTH = scattered_truth(30, slides=4)
BY_STEM: dict[str, KnownCells] = {slide.name.removesuffix(".svs"): cells for slide, cells in TRUTH.items()}
FILES = {slide.name: Path(slide.name) for slide in TRUTH}
EXPERTS = [SimulatedExpert(f"expert {n}", miss={MITOTIC_FIGURE.name: 0.3}, confusion=0.0) for n in (1, 2, 3)]
RECORDED = Query(policy=Policy.RECORDED)


@pytest.fixture
def study() -> Iterator[SimulatedStudy]:
    """Return a study screened by an expert who misses a third of the figures, read by a second."""
    memory = Path("/dev/shm")
    with (
        TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        Store.create(Path(folder) / "study.mito") as store,
    ):
        simulated = SimulatedStudy(store, TRUTH)
        simulated.screen(EXPERTS[0], Round("screening", RoundKind.SCREENING))
        store.open_round(Round("second read", RoundKind.SECOND_READ))
        simulated.read(EXPERTS[1], "second read")
        yield simulated


@pytest.fixture
def frozen(study: SimulatedStudy) -> Frozen:
    """Return the version before the loops."""
    return study.store.freeze("MEL", Query())


def material(study: SimulatedStudy, frozen: Frozen, learner: Oracle) -> Material:
    return Material(study.store, frozen, FILES, learner)


def read(study: SimulatedStudy, name: str) -> None:
    rounds = [one.name for one in study.store.rounds().values() if one.kind is RoundKind.CANDIDATE_REVIEW]
    for expert in EXPERTS[:2]:
        for one in rounds:
            study.read(expert, one)
    if ask_third(study.store, name):
        study.read(EXPERTS[2], f"{name}, third expert")
    conclude(study.store, name)


def test_what_the_experts_missed_is_found_by_detectors_that_have_not_seen_the_case(
    study: SimulatedStudy, frozen: Frozen, tmp_path: Path
) -> None:
    missed = study.missed_figures(list(frozen.label_of))
    assert 5 < len(missed) < 35
    oracle = Oracle(BY_STEM)
    done = find_missed(material(study, frozen, oracle), "odael", tmp_path, config=MissedConfig(folds=2))
    assert len(done.cells) == len(missed)
    assert dict(done.bins) == {1: len(missed)}
    assert sorted(oracle.detected) == sorted(BY_STEM)
    for labelled, fold in zip(oracle.taught[::2], (0, 1), strict=True):
        searched = {f"{stem}.svs" for stem in oracle.detected[2 * fold : 2 * fold + 2]}
        assert {slide.name for slide in labelled.truth}.isdisjoint(searched)
        assert set(labelled.files) == {slide.name for slide in labelled.truth}
        known = sum(labelled.truth.counts().values())
        assert known == sum(len(one.cells) for one in frozen.truth if one.name not in searched)
    above = MissedConfig(folds=2, floor=0.5)  # the scores of the oracle
    none = find_missed(material(study, frozen, Oracle(BY_STEM)), "none", tmp_path / "none", config=above)
    assert not none.cells
    read(study, "odael")
    after = study.store.freeze("ODAEL", Query())
    assert study.missed_figures(list(after.label_of)) == []
    assert after.manifest.cells[MITOTIC_FIGURE.name] == 60


class StopError(Exception):
    """A stop in the middle."""


def test_a_stopped_loop_goes_on_and_does_nothing_twice(
    study: SimulatedStudy, frozen: Frozen, tmp_path: Path
) -> None:
    oracle, whole = Oracle(BY_STEM), Oracle(BY_STEM)

    def stop_at_fold_2(line: str) -> None:
        if line.startswith("fold 2"):
            raise StopError

    config = MissedConfig(folds=2)
    with pytest.raises(StopError):
        find_missed(
            material(study, frozen, oracle), "odael", tmp_path / "a", config=config, say=stop_at_fold_2
        )
    first = find_missed(material(study, frozen, oracle), "odael", tmp_path / "a", config=config)
    again = find_missed(material(study, frozen, oracle), "odael", tmp_path / "a", config=config)
    assert again.is_repeated
    assert again.cells == first.cells
    find_missed(material(study, frozen, whole), "other", tmp_path / "b", config=config)
    assert oracle.detected == whole.detected
    assert len(oracle.taught) == len(whole.taught) == 4


def test_cells_that_came_meanwhile_are_no_candidates(
    study: SimulatedStudy, frozen: Frozen, tmp_path: Path
) -> None:
    missed = study.missed_figures(list(frozen.label_of))
    late = SimulatedExpert("expert 9", miss={}, confusion=0)
    study.screen(late, Round("late screening", RoundKind.SCREENING))
    config = MissedConfig(folds=2)
    done = find_missed(material(study, frozen, Oracle(BY_STEM)), "odael", tmp_path, config=config)
    assert done.cells == ()
    assert len(missed) == done.known


def test_another_version_or_setting_does_not_go_on_in_the_folder(
    study: SimulatedStudy, frozen: Frozen, tmp_path: Path
) -> None:
    oracle = Oracle(BY_STEM)
    find_missed(material(study, frozen, oracle), "odael", tmp_path, config=MissedConfig(folds=2))
    for config, learner, match in (
        (MissedConfig(folds=3), oracle, "another settings"),
        (MissedConfig(folds=2), Oracle(BY_STEM, seed=1), "another learner"),
    ):
        with pytest.raises(LedgerMismatchError, match=match):
            find_missed(material(study, frozen, learner), "odael", tmp_path, config=config)
    with pytest.raises(TrainingDataError, match="4 cases for 5 folds"):
        find_missed(material(study, frozen, oracle), "x", tmp_path / "x", config=MissedConfig(folds=5))
    assert review_state(study.store, "odael").waiting > 0


def test_figures_called_look_alikes_go_back_to_the_experts(study: SimulatedStudy, tmp_path: Path) -> None:
    store = study.store
    confused = SimulatedExpert("expert 1", confusion=0.3)
    study.screen(confused, Round("again", RoundKind.SCREENING))
    before = store.freeze("MEL", Query(policy=Policy.UNANIMOUS))
    wrong = [
        cell
        for cell, label in before.label_of.items()
        if label == LOOK_ALIKE.name and study.truth_of(cell) == MITOTIC_FIGURE.name
    ]
    assert wrong
    config = HardExamplesConfig(folds=2)
    done = find_hard_examples(material(study, before, Oracle(BY_STEM)), "heael", tmp_path, config=config)
    assert sorted(done.asked) == sorted(wrong)
    assert set(done.score_of) == set(before.label_of)
    assert done.new == len(wrong)
    again = find_hard_examples(material(study, before, Oracle(BY_STEM)), "heael", tmp_path, config=config)
    assert (again.asked, again.new) == (done.asked, 0)
    read(study, "heael")
    assert review_state(store, "heael").outcome == {MITOTIC_FIGURE.name: len(wrong)}


def test_steps_that_travel_come_to_the_same(study: SimulatedStudy, frozen: Frozen, tmp_path: Path) -> None:
    own = material(study, frozen, Oracle(BY_STEM))
    config, said = MissedConfig(folds=2), list[str]()
    here = find_missed(own, "odael", tmp_path / "here", config=config)
    there = find_missed(own, "odael", tmp_path / "there", config=config, say=said.append, executor=Posted())
    assert there.cells == here.cells
    assert there.is_repeated
    assert len(said) == 2 * 2 + len(BY_STEM)
    examples = HardExamplesConfig(folds=2)
    scored = find_hard_examples(own, "heael", tmp_path / "scored", config=examples)
    posted = find_hard_examples(own, "heael", tmp_path / "posted", config=examples, executor=Posted())
    assert (posted.asked, posted.score_of) == (scored.asked, scored.score_of)
