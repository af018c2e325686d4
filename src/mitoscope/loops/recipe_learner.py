"""A learner by recipes: the one training loop, its bundles, and detection with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import load_bundle
from mitoscope.bundle.network import open_network, score_windows
from mitoscope.data.field import Field
from mitoscope.data.sampling import SemiConfig
from mitoscope.data.sources import StudySlides, fields_of, named_as
from mitoscope.data.split import SplitConfig, split_by_case
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, StoppedError
from mitoscope.fsio import make_directory
from mitoscope.infer import DetectConfig, check_provider, detect_slide, open_detector
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.loops.material import SlideFile, TrainingSlides
from mitoscope.search import Detector, crop_at, window
from mitoscope.slide import Plane, open_slide
from mitoscope.train.checkpoint import CHECKPOINT_NAME
from mitoscope.train.device import check_devices
from mitoscope.train.job import setup
from mitoscope.train.packing import pack, write
from mitoscope.train.recipe import Recipe, RunRecipe
from mitoscope.train.repeats import Member
from mitoscope.train.run import main

RUN, BUNDLE = "run", "bundle"
LABELLED, MINED = "labelled", "mined"
_BATCH = 64
_SCORES = ("classifier", "regressor")


class RecipeLearner:
    """Trains by recipes; runs and bundles lie in the folders that it is given.

    Parameters
    ----------
    detector, classifier : Recipe, optional
        Of detectors, and of classifiers of cells; needed by loops that ask for one.
    mined : int
        Of the foreground windows of a batch, those with a mined figure where mined ones are learnt from.
    threads : int, optional
        Of detection; by default one for each core.
    device : {"cpu", "cuda"}, optional
        Of training and detection; by default that of each recipe, and the CPU for detection.

    Raises
    ------
    ConfigError
        If a recipe is of the wrong kind, or there is no such device.
    """

    def __init__(
        self,
        detector: Recipe | None = None,
        classifier: Recipe | None = None,
        *,
        mined: int = 0,
        threads: int | None = None,
        device: Literal["cpu", "cuda"] | None = None,
    ) -> None:
        if detector is not None and detector.architecture in _SCORES:
            raise ConfigError(f"{detector.architecture} is not a detector", where="--detector")
        if classifier is not None and classifier.architecture != "classifier":
            raise ConfigError(f"{classifier.architecture} does not classify cells", where="--classifier")
        self._provider: Literal["cpu", "cuda"] = device or "cpu"
        if device is not None:
            check_devices(RunRecipe(device=device))
            check_provider(device)
            detector, classifier = (
                None if network is None else _on(network, device) for network in (detector, classifier)
            )
        self._detector, self._classifier = detector, classifier
        self._mined, self._threads = mined, threads

    @property
    def fingerprint(self) -> str:
        """Of the recipes."""
        known = (self._detector, self._classifier)
        parts = ["" if network is None else _on(network, "cpu").fingerprint() for network in known]
        parts.append(str(self._mined))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def learn_detector(self, labelled: TrainingSlides, out: Path) -> Path:
        """Train a detector in a folder and return its bundle."""
        return self._learn(self._recipe(), labelled, out)

    def _recipe(self) -> Recipe:
        if self._detector is None:
            raise ConfigError("no recipe of a detector", mend="give --detector")
        return self._detector

    def learn_with_mined(self, labelled: TrainingSlides, mined: TrainingSlides, out: Path) -> Path:
        """Train a detector as ``learn_detector`` does, a fixed share of its figures from mined slides.

        Raises
        ------
        ConfigError
            If the recipe's sampling knows no mined figures, or none are asked for.
        """
        sampling = self._recipe().data.sampling
        if not isinstance(sampling, SemiConfig) or not self._mined:
            mend = "a recipe with the sampling 'semi', and --mined-windows above 0"
            raise ConfigError("no mined figures are drawn", where="--detector", mend=mend)
        values = sampling.model_dump() | {"mined": self._mined, "mined_source": MINED}
        recipe = _with_data(self._recipe(), sampling=SemiConfig.parse(values, where="data.sampling"))
        return self._learn(recipe, labelled, out, mined=mined)

    def learn_classifier(self, labelled: TrainingSlides, out: Path) -> Path:
        """Train a classifier of cells in a folder and return its bundle.

        Raises
        ------
        ConfigError
            If there is no recipe of one.
        """
        if self._classifier is None:
            raise ConfigError("no recipe of a classifier", mend="give --classifier")
        return self._learn(self._classifier, labelled, out)

    def _learn(
        self, recipe: Recipe, labelled: TrainingSlides, out: Path, *, mined: TrainingSlides | None = None
    ) -> Path:
        bundle = out / BUNDLE
        if bundle.exists():
            return bundle
        mpp = recipe.model.mpp
        fields: list[Field] = list(fields_of(labelled.truth, labelled.files, mpp=mpp, source=LABELLED))
        held_out = {field.case for field in split_by_case(fields, recipe.data.split).validation}
        # The same cases are held out with mined slides and without, and no mined slide is.
        title = labelled.truth.source
        source = StudySlides(kind="study", study=title, title=title)
        recipe = _with_data(recipe, source=source, split=SplitConfig(held_out=tuple(sorted(held_out))))
        if mined is not None:
            fields += fields_of(mined.truth, mined.files, mpp=mpp, source=MINED)
        make_directory(out)
        job = setup(
            recipe,
            fields,
            out,
            out=out / RUN,
            member=Member("", recipe.run.seed, None),
            sources=(named_as(source, labelled.truth),),
        )
        try:
            state = main(job, resume=(out / RUN / CHECKPOINT_NAME).exists())
        except StoppedError as stopped:
            mend = "repeat the same command to continue"
            raise StoppedError(stopped.what, where=stopped.where, mend=mend) from None
        write(pack(state.judged, job), job, bundle)
        return bundle

    def detect(self, detector: Path, slide: SlideFile, out: Path) -> Detections:
        """Return what a detector finds on a slide, down to its floor."""
        config = DetectConfig(threads=self._threads, mpp=slide.mpp, provider=self._provider)
        return detect_slide(slide.path, load_bundle(detector), out, config=config).detections

    def threshold(self, detector: Path) -> float:
        """Return the score above which a detector's candidates count."""
        return load_bundle(detector).manifest.default_threshold

    def look(self, detector: Path) -> Detector:
        """Return the first stage of a detector as a function of windows."""
        return open_detector(load_bundle(detector), provider=self._provider, threads=self._threads)

    def score(
        self, classifier: Path, slide: SlideFile, points_px0: Sequence[tuple[float, float]]
    ) -> NDArray[np.float64]:
        """Return how sure a classifier is that cells of a slide are figures, in [0, 1]."""
        bundle = load_bundle(classifier)
        manifest = bundle.manifest
        session = open_network(bundle.onnx, where=str(classifier), threads=self._threads or 1)
        column = manifest.labels.index(MITOTIC_FIGURE.name)
        places = np.array(points_px0, dtype=np.float64).reshape(-1, 2)
        scores = np.empty(len(places))
        side = manifest.window_px
        mirror_px = side if manifest.border == "mirror" else 0
        with open_slide(slide.path, mpp=slide.mpp) as opened:
            plane = Plane(opened, manifest.mpp)
            centres = plane.from_px0(places).tolist()
            for start in range(0, len(places), _BATCH):
                crops = [
                    window(plane, crop_at(x, y, side), mirror_px=mirror_px)
                    for x, y in centres[start : start + _BATCH]
                ]
                scores[start : start + _BATCH] = score_windows(session, np.stack(crops))[:, column]
        return scores


def _on(recipe: Recipe, device: Literal["cpu", "cuda"]) -> Recipe:
    """Return the recipe on a device; what is learnt is the same, but for the order of sums."""
    return recipe.model_copy(update={"run": recipe.run.model_copy(update={"device": device})})


def _with_data(recipe: Recipe, **changes: object) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=changes)})
