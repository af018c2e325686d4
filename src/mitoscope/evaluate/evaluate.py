"""Judging detections of many images against their truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate.interval import REPEATS, Interval, Intervals, bootstrap
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.protocols import Protocol
from mitoscope.evaluate.score import Score
from mitoscope.geometry import Mpp
from mitoscope.labels import MITOTIC_FIGURE


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores over all images, and those of each.

    Attributes
    ----------
    protocol : Protocol
        The matching rule.
    threshold : float
        Detections with a score strictly above it were judged.
    score : Score
        Sum over the images.
    images : dict
        Score of each image, by its name.
    matchings : dict
        Which detection was matched with which true figure; the detections are those of `judged`.
    judged : dict
        Detections of each image above the threshold.
    intervals : Intervals
        95 % bootstrap intervals over the cases (images, where no cases are given).
    without_predictions : tuple of str
        Images for which there were no predictions at all: all of their figures count as missed.
    without_truth : tuple of str
        Images without truth: all of their detections count as false.
    """

    protocol: Protocol
    threshold: float
    score: Score
    images: dict[str, Score]
    matchings: dict[str, Matching]
    judged: dict[str, Detections]
    intervals: Intervals
    without_predictions: tuple[str, ...]
    without_truth: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON; what is undefined (0/0) is null."""
        return {
            "protocol": self.protocol.name,
            "threshold": self.threshold,
            **_shares(self.score),
            "images": len(self.images),
            "intervals_95": {
                "precision": _ends(self.intervals.precision),
                "recall": _ends(self.intervals.recall),
                "f1": _ends(self.intervals.f1),
            },
            "without_predictions": list(self.without_predictions),
            "without_truth": list(self.without_truth),
            "per_image": {image: _shares(score) for image, score in self.images.items()},
        }


def _shares(score: Score) -> dict[str, Any]:
    return {
        "tp": score.tp,
        "fp": score.fp,
        "fn": score.fn,
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def evaluate(
    predictions: Mapping[str, Detections],
    truth: Mapping[str, NDArray[np.float64]],
    *,
    protocol: Protocol,
    threshold: float,
    mpp: Mpp | None = None,
    label: str = MITOTIC_FIGURE.name,
    cases: Mapping[str, str] | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Evaluation:
    """Judge detections against the truth.

    Parameters
    ----------
    predictions : mapping of str to Detections
        By image; of each those of `label` with a score strictly above the threshold are judged.
    truth : mapping of str to ndarray, shape (m, 2)
        Centres of the true figures in level-0 pixels, by image; an image without figures has none.
    protocol : Protocol
        The matching rule.
    threshold : float
        In [0, 1].
    mpp : Mpp, optional
        Resolution of all images; the protocol's radius is then in µm, else in pixels.
    label : str
        The class that is judged.
    cases : mapping of str to str, optional
        Case of each image; the bootstrap draws cases. Without it every image is a case.
    repeats, seed
        Of the bootstrap.

    Notes
    -----
    An image named in neither is not judged. One with predictions only counts its detections as false
    positives, one with truth only its figures as missed; both are listed.

    Raises
    ------
    ConfigError
        If the threshold is not in [0, 1].
    FormatError
        If there is nothing to judge, or an image has no case.
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(f"a threshold of {threshold:g} is not in [0, 1]", where="--threshold")
    names = sorted({*predictions, *truth})
    if not names:
        raise FormatError("nothing to judge: no image in predictions or truth", where="evaluation")
    judged = {
        name: predictions.get(name, Detections.empty()).labelled(label).above(threshold) for name in names
    }
    none = np.empty((0, 2))
    matchings = {
        name: protocol.match(found.points_px0, found.score, truth.get(name, none), mpp=mpp)
        for name, found in judged.items()
    }
    scores = {name: matching.score for name, matching in matchings.items()}
    return Evaluation(
        protocol=protocol,
        threshold=threshold,
        score=sum(scores.values(), Score()),
        images=scores,
        matchings=matchings,
        judged=judged,
        intervals=bootstrap(list(_by_case(scores, cases).values()), repeats=repeats, seed=seed),
        without_predictions=tuple(name for name in names if name not in predictions),
        without_truth=tuple(name for name in names if name not in truth),
    )


def _by_case(scores: Mapping[str, Score], cases: Mapping[str, str] | None) -> dict[str, Score]:
    sums: dict[str, Score] = {}
    for image, score in scores.items():
        if cases is not None and image not in cases:
            raise FormatError(f"the image {image!r} has no case", where="evaluation")
        case = image if cases is None else cases[image]
        sums[case] = sums.get(case, Score()) + score
    return sums
