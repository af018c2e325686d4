"""What a loop works with: a frozen version, its slides in folds, and what trains and asks detectors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mitoscope.config import Config
from mitoscope.detections import Detections
from mitoscope.errors import FormatError, TrainingDataError
from mitoscope.search import Detector
from mitoscope.store import Frozen, Store
from mitoscope.truth import GroundTruth, SlideTruth, TrueCells, balanced_folds


def fold_cases(slides: Iterable[SlideTruth], folds: int, *, seed: int = 0) -> dict[str, int]:
    """Return the fold in which each slide is held out; all slides of a case together.

    Parameters
    ----------
    slides : iterable of SlideTruth
        Of a frozen version.
    folds : int
    seed : int

    Raises
    ------
    TrainingDataError
        See :func:`mitoscope.truth.balanced_folds`.
    """
    figures: dict[str, int] = {}
    case_of = {slide.name: slide.case for slide in slides}
    for slide in slides:
        case = case_of[slide.name]
        figures[case] = figures.get(case, 0) + int(slide.cells.is_figure.sum())
    fold_of = balanced_folds(figures, folds=folds, seed=seed)
    return {name: fold_of[case] for name, case in case_of.items()}


def check_classes(
    slides: Iterable[SlideTruth], fold_of: Mapping[str, int], labels: Iterable[str], *, folds: int
) -> None:
    """Refuse folds of which one has to be trained without a class.

    Raises
    ------
    TrainingDataError
        Naming the fold and the class.
    """
    there = {
        (fold_of[slide.name], label)
        for slide in slides
        if slide.name in fold_of
        for label in set(slide.cells.label.tolist())
    }
    for fold in range(folds):
        for label in labels:
            if not any((other, label) in there for other in range(folds) if other != fold):
                what = f"without a {label} outside of fold {fold + 1}, nothing can be trained for it"
                raise TrainingDataError(what, where="folds", mend="fewer folds, or label more cases")


@dataclass(frozen=True, eq=False)
class TrainingSlides:
    """What may be learnt from.

    Parameters
    ----------
    truth : GroundTruth
        Of some slides.
    files : mapping of str to Path
        Slide name → file, of all its slides.
    """

    truth: GroundTruth
    files: Mapping[str, Path]


class Fold(NamedTuple):
    """Cases that are held out, and what may be learnt from for them."""

    title: str
    folder: str
    others: TrainingSlides
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlideFile:
    """A slide to look at.

    Parameters
    ----------
    path : Path
    mpp : float, optional
        Resolution as the study states it, µm/px; without it the file's counts.
    """

    path: Path
    mpp: float | None = None


class Learner(Protocol):
    """Trains detectors and classifiers of cells, and asks them.

    What trains may be called again after a stop with the same arguments: training goes on, and what is done
    is returned at once.
    """

    @property
    def fingerprint(self) -> str:
        """What the outcome depends on besides the labelled slides: recipes, versions."""

    def learn_detector(self, labelled: TrainingSlides, out: Path) -> Path:
        """Train a detector in a folder and return its bundle."""

    def learn_with_mined(self, labelled: TrainingSlides, mined: TrainingSlides, out: Path) -> Path:
        """Train a detector as ``learn_detector`` does, a fixed share of its figures from mined slides."""

    def learn_classifier(self, labelled: TrainingSlides, out: Path) -> Path:
        """Train a classifier of cells in a folder and return its bundle."""

    def detect(self, detector: Path, slide: SlideFile, out: Path) -> Detections:
        """Return what a detector finds on a slide, down to its floor."""

    def threshold(self, detector: Path) -> float:
        """Return the score above which a detector's candidates count."""

    def look(self, detector: Path) -> Detector:
        """Return the first stage of a detector as a function of windows."""

    def score(
        self, classifier: Path, slide: SlideFile, points_px0: Sequence[tuple[float, float]]
    ) -> NDArray[np.float64]:
        """Return how sure a classifier is that cells of a slide are figures, in [0, 1]."""


Say = Callable[[str], None]
"""Told each step of a loop in a line."""


def named(learn: Callable[..., Path], *given: object) -> str:
    """Train, and return the path of the bundle as a step of a loop keeps it."""
    return str(learn(*given))


def say_nothing(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, eq=False)
class Material:
    """A version to learn from and to better.

    Parameters
    ----------
    store : Store
        Open for writing.
    frozen : Frozen
        Of the store.
    files : mapping of str to Path
        Slide name → file, of all slides of the version.
    learner : Learner

    Raises
    ------
    FormatError
        If a slide of the version has no file.
    """

    store: Store
    frozen: Frozen
    files: Mapping[str, Path]
    learner: Learner

    def __post_init__(self) -> None:
        missing = [name for name in self.slides if name not in self.files]
        if missing:
            mend = "give the folder of the slides with --slides"
            raise FormatError(f"no file of the slide {missing[0]!r}", where=self.frozen.name, mend=mend)

    @property
    def slides(self) -> tuple[str, ...]:
        """Names of the slides."""
        return tuple(slide.name for slide in self.frozen.truth.slides)

    @cached_property
    def _stated_mpp(self) -> dict[str, float]:
        return {slide.name: slide.mpp.mean for slide in self.frozen.truth.slides if slide.mpp is not None}

    def slide_file(self, name: str) -> SlideFile:
        """Return a slide to look at, at the resolution that the version states."""
        return SlideFile(self.files[name], self._stated_mpp.get(name))

    @cached_property
    def cells(self) -> dict[str, TrueCells]:
        """Cells by slide."""
        return {slide.name: slide.cells for slide in self.frozen.truth.slides}

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes of which there is a cell."""
        return tuple(self.frozen.truth.counts())

    def folds(self, folds: int, labels: Iterable[str], *, seed: int) -> tuple[Fold, ...]:
        """Return the folds of cases.

        Raises
        ------
        TrainingDataError
            If there are fewer cases than folds, or a fold would be trained without one of the classes.
        """
        truth = self.frozen.truth
        fold_of = fold_cases(truth.slides, folds, seed=seed)
        check_classes(truth, fold_of, labels, folds=folds)
        found = []
        for fold in range(folds):
            held_out = sorted(name for name, its in fold_of.items() if its == fold)
            others = self.training_slides([name for name, its in fold_of.items() if its != fold])
            found.append(Fold(f"fold {fold + 1}", f"fold-{fold + 1}", others, tuple(held_out)))
        return tuple(found)

    def training_slides(self, slides: Collection[str]) -> TrainingSlides:
        """Return the cells on some slides, to learn from."""
        files = {name: self.files[name] for name in self.slides if name in slides}
        truth = self.frozen.truth
        return TrainingSlides(truth.with_slides(slide for slide in truth if slide.name in slides), files)

    def inputs(self, review: str, config: Config) -> dict[str, str]:
        """Return what the outcome of a loop depends on."""
        return {
            "version": f"{self.frozen.name} {self.frozen.truth.sha256}",
            "learner": self.learner.fingerprint,
            "review": review,
            "settings": config.fingerprint(),
        }
