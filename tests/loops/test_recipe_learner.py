"""The loops with real training on small synthetic slides, through the real command."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tomli_w
from PIL import Image

from mitoscope.errors import ConfigError, ScaleError
from mitoscope.geometry import BoxPx
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.slide import open_slide
from mitoscope.store import Frozen, Policy, Query, Round, RoundKind, SlideRecord, Store
from tests.cli.test_curate import run
from tests.curation.simulated import KnownCells, SimulatedExpert, SimulatedStudy

from .lessons import CLASSIFIER, DETECTOR, synthetic_slides

pytestmark = pytest.mark.train
pytest.importorskip("torch")

from mitoscope.data.sources import fields_of  # noqa: E402
from mitoscope.loops.material import Material, SlideFile  # noqa: E402
from mitoscope.loops.recipe_learner import MINED, RecipeLearner  # noqa: E402
from mitoscope.train import Recipe  # noqa: E402


@dataclass(frozen=True)
class Place:
    """A folder with slides and a study, and what is true on them."""

    folder: Path
    truth: dict[SlideRecord, KnownCells]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Return four slides and a study of them, of which an expert missed every second figure or more."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        truth = synthetic_slides(folder, 4)
        with Store.create(folder / "study.mito") as store:
            study = SimulatedStudy(store, truth)
            missing = SimulatedExpert("expert 1", miss={MITOTIC_FIGURE.name: 0.6}, confusion=0)
            study.screen(missing, Round("screening", RoundKind.SCREENING))
            store.freeze("MEL", Query(policy=Policy.UNANIMOUS))
        yield Place(folder, truth)


def opened(store: Store, folder: Path, learner: RecipeLearner) -> Material:
    frozen: Frozen = store.version("MEL")
    files = {one.name: folder / one.name for one in frozen.truth.slides}
    return Material(store, frozen, files, learner)


@pytest.fixture
def folder(place: Place) -> Path:
    """Return the folder."""
    return place.folder


def test_missed_figures_are_found_by_the_real_command(place: Place, folder: Path) -> None:
    (folder / "detector.toml").write_text(tomli_w.dumps(DETECTOR), encoding="utf-8")
    arguments = ("missed", folder / "study.mito", "odael", "--version", "MEL", "--slides", folder)
    paths = ("--detector", folder / "detector.toml", "--out", folder / "odael", "--folds", 2)
    assert "wait for two experts" in run(*arguments, *paths)
    again = json.loads(run(*arguments, *paths, "--json"))
    assert again["repeated"]
    with Store.open(folder / "study.mito") as store:
        study = SimulatedStudy(store, place.truth)
        before = study.missed_figures(range(1, store.overview().cells + 1 - again["candidates"]))
        found = study.missed_figures(range(1, store.overview().cells + 1))
    assert len(before) > 5
    assert len(found) < 0.4 * len(before)


def test_a_classifier_and_mined_figures_are_learnt(folder: Path) -> None:
    learner = RecipeLearner(
        Recipe.parse(DETECTOR, where="detector"),
        Recipe.parse(CLASSIFIER, where="classifier"),
        mined=2,
        threads=1,
    )
    with Store.open(folder / "study.mito") as store:
        material = opened(store, folder, learner)
        labelled = material.training_slides(material.slides[:3])
        classifier = learner.learn_classifier(labelled, folder / "classifier")
        points = [(x, y) for x, y in material.cells[material.slides[3]].points_px0.tolist()]
        score = learner.score(classifier, material.slide_file(material.slides[3]), points)
        assert score.shape == (len(points),)
        assert ((score >= 0) & (score <= 1)).all()
        # A picture that states no resolution is looked at with that of the study.
        picture = folder / "picture.png"
        with open_slide(material.files[material.slides[3]]) as slide:
            Image.fromarray(slide.read(BoxPx(0, 0, slide.info.size.width, slide.info.size.height)).rgb).save(
                picture
            )
        np.testing.assert_allclose(
            learner.score(classifier, SlideFile(picture, 0.25), points), score, atol=1e-6
        )
        with pytest.raises(ScaleError):
            learner.score(classifier, SlideFile(picture), points)
        mined = material.training_slides(material.slides[3:])
        (field, *_) = fields_of(mined.truth, mined.files, mpp=0.25, source=MINED)
        wanted = mined.truth.by_name[field.name].cells.figures_px0
        assert np.allclose(sorted(field.figures[:, 0]), sorted(wanted[:, 0]))
        bundle = learner.learn_with_mined(labelled, mined, folder / "with mined")
        assert learner.learn_with_mined(labelled, mined, folder / "with mined") == bundle
        detector = learner.look(bundle)
        assert detector.mpp == 0.25
        assert detector.network(np.zeros((1, 64, 64, 3), dtype=np.uint8)).shape[2] == 3
        assert 0 <= learner.threshold(bundle) <= 1


def test_recipes_of_the_wrong_kind_are_refused(folder: Path) -> None:
    detector, classifier = (Recipe.parse(one, where="recipe") for one in (DETECTOR, CLASSIFIER))
    with pytest.raises(ConfigError, match="classifier is not a detector"):
        RecipeLearner(classifier)
    with pytest.raises(ConfigError, match="fcn-resnet12 does not classify"):
        RecipeLearner(detector, detector)
    with Store.open(folder / "study.mito") as store:
        labelled = opened(store, folder, RecipeLearner(detector)).training_slides(["slide 0.tiff"])
    with pytest.raises(ConfigError, match="no mined figures are drawn"):
        RecipeLearner(detector).learn_with_mined(labelled, labelled, folder / "none")
    with pytest.raises(ConfigError, match="no recipe of a classifier"):
        RecipeLearner(detector).learn_classifier(labelled, folder / "none")
    with pytest.raises(ConfigError, match="no recipe of a detector"):
        RecipeLearner(None, classifier).learn_detector(labelled, folder / "none")


def test_a_device_that_is_not_there_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    with pytest.raises(ConfigError, match="no GPU that torch can use"):
        RecipeLearner(device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="provider 'cuda' is not available; install onnxruntime-gpu"):
        RecipeLearner(device="cuda")


def test_a_learner_travels_with_its_recipes() -> None:
    learner = RecipeLearner(
        Recipe.parse(DETECTOR, where="detector"), Recipe.parse(CLASSIFIER, where="classifier"), threads=1
    )
    assert pickle.loads(pickle.dumps(learner)).fingerprint == learner.fingerprint
