"""A learner whose faults are known: it knows the truth of the slides and forgets some of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.loops.material import SlideFile, TrainingSlides
from mitoscope.search import Detector
from tests.curation.simulated import KnownCells, chance


class Oracle:
    """Finds figures with their true class as score; notes what it was asked.

    Parameters
    ----------
    truth : mapping of str to KnownCells
        By the stem of the slide.
    recall : float
        Share of the true cells that it finds.
    """

    def __init__(self, truth: Mapping[str, KnownCells], *, recall: float = 1.0, seed: int = 0) -> None:
        self._truth, self._recall, self._seed = truth, recall, seed
        self.taught: list[TrainingSlides] = []
        self.detected: list[str] = []
        self.scored: list[str] = []

    @property
    def fingerprint(self) -> str:
        return f"oracle {self._recall} {self._seed}"

    def learn_detector(self, labelled: TrainingSlides, out: Path) -> Path:
        self.taught.append(labelled)
        return out

    def learn_classifier(self, labelled: TrainingSlides, out: Path) -> Path:
        self.taught.append(labelled)
        return out

    def detect(self, detector: Path, slide: SlideFile, out: Path) -> Detections:
        self.detected.append(slide.path.stem)
        cells = self._truth[slide.path.stem]
        if detector.name == "final":
            return Detections.of(cells.points_px0[:1], [0.9])
        name = slide.path.stem
        kept = [chance(self._seed, name, repr(p)) < self._recall for p in cells.points_px0.tolist()]
        return Detections.of(cells.points_px0[np.array(kept)], np.full(sum(kept), 0.5))

    def score(
        self, classifier: Path, slide: SlideFile, points_px0: Sequence[tuple[float, float]]
    ) -> NDArray[np.float64]:
        self.scored.append(slide.path.stem)
        truth = [self._truth[slide.path.stem].truth_at(*point) for point in points_px0]
        return np.array([0.96 if one == MITOTIC_FIGURE.name else 0.04 for one in truth])

    def learn_with_mined(self, labelled: TrainingSlides, mined: TrainingSlides, out: Path) -> Path:
        self.taught += [labelled, mined]
        return out

    def threshold(self, detector: Path) -> float:
        return 0.4

    def look(self, detector: Path) -> Detector:
        return Detector(find_dark_red, 0.25)


def find_dark_red(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Find the pixels of pure red without blue; the score is their green value over 255."""
    rows = []
    for window in windows:
        y, x = np.nonzero((window[..., 0] == 255) & (window[..., 2] == 0))
        rows.append(np.column_stack([x + 0.5, y + 0.5, window[y, x, 1] / 255]).reshape(-1, 3))
    longest = max([1, *map(len, rows)])
    return np.stack([np.pad(row, ((0, longest - len(row)), (0, 0))) for row in rows]).astype(np.float32)
