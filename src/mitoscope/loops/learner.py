"""What a loop asks of training and detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.search import Detector
from mitoscope.truth import GroundTruth


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
