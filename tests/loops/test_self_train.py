"""Self-training with a learner whose faults are known: what is mined, what is judged, what a stop costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile

from mitoscope.errors import LedgerMismatchError, TrainingDataError
from mitoscope.loops.material import Material
from mitoscope.loops.mining import MiningConfig
from mitoscope.loops.self_train import self_train
from mitoscope.store import Policy, Query, Round, RoundKind, Store
from tests.curation.making import scattered_truth
from tests.curation.simulated import SimulatedExpert, SimulatedStudy

from .making import Posted
from .oracle import Oracle

TRUTH = scattered_truth(20, slides=4)
BY_STEM = {slide.name.removesuffix(".svs"): cells for slide, cells in TRUTH.items()}
NAMES = [slide.name for slide in TRUTH]
SPOTS = [(50, 60), (200, 100), (120, 230)]
CONFIG = MiningConfig(window_px=128, overlap_px=32, floor=0.5, threshold=0.7)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def unlabelled(folder: Path) -> dict[str, Path]:
    """Return two slides, one with three figures, one without."""
    files = {}
    for name, spots in (("new 1.tiff", SPOTS), ("new 2.tiff", [])):
        rgb = np.full((256, 256, 3), 60, dtype=np.uint8)
        for x, y in spots:
            rgb[y, x] = (255, 200, 0)
        rgb[250, 250] = (255, 150, 0)
        scale = {"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(folder / name, rgb, photometric="rgb", **scale)  # type: ignore[arg-type]
        files[name] = folder / name
    return files


@pytest.fixture
def material(folder: Path) -> Iterator[Material]:
    """Return a version of four slides: two for training, two for validation."""
    with Store.create(folder / "study.mito") as store:
        study = SimulatedStudy(store, TRUTH)
        study.screen(SimulatedExpert("e", miss={}, confusion=0), Round("s", RoundKind.SCREENING))
        split = dict(zip(NAMES, ("train", "train", "validation", "validation"), strict=True))
        frozen = store.freeze("MEL", Query(policy=Policy.UNANIMOUS), split=split)
        yield Material(store, frozen, {name: Path(name) for name in NAMES}, Oracle(BY_STEM))


def test_consistent_figures_are_learnt_from_and_the_gain_is_judged(
    material: Material, unlabelled: dict[str, Path], folder: Path
) -> None:
    done = self_train(material, unlabelled, folder / "job", config=CONFIG)
    assert (done.count.candidates, done.count.consistent) == (5, 3)
    oracle = material.learner
    assert isinstance(oracle, Oracle)
    supervised, again, mined = oracle.taught
    assert [slide.name for slide in supervised.truth] == NAMES[:2]
    assert again.truth.sha256 == supervised.truth.sha256
    (slide,) = mined.truth.slides
    assert slide.name == "new 1.tiff"
    found = sorted(map(tuple, slide.cells.figures_px0.tolist()))
    assert found == sorted((x + 0.5, y + 0.5) for x, y in SPOTS)
    assert set(oracle.detected) == {name.removesuffix(".svs") for name in NAMES[2:]}
    # The supervised one finds all cells, 10 of 20 of them figures; the final one a single figure a slide.
    assert done.before.score.recall == 1
    assert done.after.score.precision == 1
    assert done.gain.f1.value == pytest.approx(2 * 1 / (1 + 10) - 2 * 0.5 / 1.5)
    assert done.gain.f1.interval is not None


def test_mining_that_travels_comes_to_the_same(
    material: Material, unlabelled: dict[str, Path], folder: Path
) -> None:
    here = self_train(material, unlabelled, folder / "here", config=CONFIG)
    there = self_train(material, unlabelled, folder / "there", config=CONFIG, executor=Posted())
    assert (there.count, there.gain.f1) == (here.count, here.gain.f1)
    tables = [
        {path.name: path.read_bytes() for path in (folder / job).rglob("*.csv")} for job in ("here", "there")
    ]
    assert tables[0] == tables[1]
    assert len(tables[0]) == len(unlabelled)


def test_a_repeated_call_does_nothing_twice_and_another_slide_is_named(
    material: Material, unlabelled: dict[str, Path], folder: Path
) -> None:
    first = self_train(material, unlabelled, folder / "job", config=CONFIG)
    oracle = material.learner
    assert isinstance(oracle, Oracle)
    lessons = len(oracle.taught)
    again = self_train(material, unlabelled, folder / "job", config=CONFIG)
    assert again.count == first.count
    assert len(oracle.taught) == lessons
    del unlabelled["new 2.tiff"]
    with pytest.raises(LedgerMismatchError, match="begun with another unlabelled slides"):
        self_train(material, unlabelled, folder / "job", config=CONFIG)


def test_what_cannot_be_mined_or_judged_is_said(
    material: Material, unlabelled: dict[str, Path], folder: Path
) -> None:
    strict = CONFIG.model_copy(update={"threshold": 0.9})
    with pytest.raises(TrainingDataError, match="nothing was mined: 5 candidates, none consistent"):
        self_train(material, unlabelled, folder / "a", config=strict)
    with pytest.raises(TrainingDataError, match=r"the slide 'slide 0\.svs' is labelled"):
        self_train(material, {NAMES[0]: Path("x")}, folder / "b", config=CONFIG)
    frozen = material.store.freeze("no split", Query(policy=Policy.UNANIMOUS))
    other = Material(material.store, frozen, material.files, material.learner)
    with pytest.raises(TrainingDataError, match="0 slides for training and 0 for validation"):
        self_train(other, unlabelled, folder / "c", config=CONFIG)
