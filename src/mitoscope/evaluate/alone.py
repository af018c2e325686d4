"""What only one of several detectors found on the same images, and what none of them did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.matching import UNMATCHED
from mitoscope.evaluate.protocols import Protocol
from mitoscope.geometry import TREE_SLACK, Mpp

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """One cell on one image.

    Attributes
    ----------
    image : str
        Stem of its name.
    x_px0, y_px0 : float
        Centre in level-0 pixels: of the detection, of a figure that nobody found its own.
    score : float or None
        Of the detection; of a missed figure that of the best candidate near it below the threshold, None
        where there is none.
    """

    image: str
    x_px0: float
    y_px0: float
    score: float | None


@dataclass(frozen=True, slots=True)
class FoundAlone:
    """What one detector found and no other: true figures, and false detections; highest scores first."""

    true: tuple[Place, ...]
    false: tuple[Place, ...]


def found_alone(sides: Mapping[str, Evaluation]) -> dict[str, FoundAlone]:
    """Return what each of several detectors alone found, each at its own threshold.

    Parameters
    ----------
    sides : mapping of str to Evaluation
        Of the same images, under the same protocol.

    Returns
    -------
    dict of str to FoundAlone
        A true figure is found alone if no other detection above a threshold was matched with it; a false
        detection is alone if no detection of another lies within the radius of the protocol.
    """
    true: dict[str, list[Place]] = {name: [] for name in sides}
    false: dict[str, list[Place]] = {name: [] for name in sides}
    for image in next(iter(sides.values())).judged_images:
        seen = {name: _Seen.of(side, image) for name, side in sides.items()}
        times = np.sum([reading.finder != UNMATCHED for reading in seen.values()], axis=0)
        for name, one in seen.items():
            alone = one.finder[(one.finder != UNMATCHED) & (times == 1)]
            true[name] += one.places(image, alone)
            others = [other.points for key, other in seen.items() if key != name]
            strangers = np.concatenate([np.empty((0, 2)), *others])
            near = within_radius(one.points, strangers, protocol=sides[name].protocol, mpp=one.mpp)
            false[name] += one.places(image, np.flatnonzero(one.is_false & ~near))
    return {name: FoundAlone(_by_score(true[name]), _by_score(false[name])) for name in sides}


def missed_by_all(sides: Mapping[str, Evaluation]) -> tuple[Place, ...]:
    """Return the true figures that no detector found, by the best score of a candidate there."""
    missed: list[Place] = []
    for image, judged in next(iter(sides.values())).judged_images.items():
        figures = judged.cells.figures_px0
        best = np.full(len(figures), np.nan)
        is_missed = np.ones(len(figures), np.bool_)
        for side in sides.values():
            is_missed &= _Seen.of(side, image).finder == UNMATCHED
            other = side.judged_images[image]
            finder = other.sweep.matching.detection_of
            score = np.append(other.candidates.score, np.nan)[finder]
            best = np.fmax(best, score)
        rows = zip(figures[is_missed].tolist(), best[is_missed].tolist(), strict=True)
        missed += [Place(image, x, y, None if np.isnan(score) else score) for (x, y), score in rows]
    return _by_score(missed)


def within_radius(
    points: Points, others: Points, *, protocol: Protocol, mpp: Mpp | None
) -> NDArray[np.bool_]:
    """Return of each point, shape (n, 2), whether another lies within the radius of a protocol."""
    scaled = mpp is not None and protocol.radius_um is not None
    scale = np.array([mpp.x, mpp.y]) if scaled and mpp is not None else np.ones(2)
    radius = protocol.radius_um if scaled and protocol.radius_um is not None else protocol.radius_px
    if not len(points) or not len(others):
        return np.zeros(len(points), np.bool_)
    distance, _ = KDTree(others * scale).query(points * scale, distance_upper_bound=radius * TREE_SLACK)
    return np.asarray(distance <= radius)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Detections of one side on one image above its threshold: what each found, and which are false."""

    points: Points
    score: NDArray[np.float64]
    finder: NDArray[np.intp]
    is_false: NDArray[np.bool_]
    mpp: Mpp | None

    @classmethod
    def of(cls, side: Evaluation, image: str) -> _Seen:
        judged, threshold = side.judged_images[image], side.thresholds[image]
        found, matching = judged.candidates.above(threshold), judged.sweep.at(threshold)
        return cls(
            found.points_px0,
            found.score,
            matching.detection_of,
            matching.truth_of == UNMATCHED,
            judged.mpp,
        )

    def places(self, image: str, rows: NDArray[np.intp]) -> list[Place]:
        points, score = self.points[rows].tolist(), self.score[rows].tolist()
        return [Place(image, x, y, one) for (x, y), one in zip(points, score, strict=True)]


def _by_score(places: list[Place]) -> tuple[Place, ...]:
    return tuple(
        sorted(places, key=lambda one: (-1.0 if one.score is None else one.score, one.image), reverse=True)
    )
