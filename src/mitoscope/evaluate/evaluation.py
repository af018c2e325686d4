"""The result of judging a detector: scores, intervals, averages, curves, and all of it as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate.average_precision import average_precision, bootstrap_average_precision
from mitoscope.evaluate.comparison import Comparison, compare
from mitoscope.evaluate.curves import FALSE_PER_IMAGE, froc, midog_froc_auc
from mitoscope.evaluate.look_alikes import LookAlikeScore, judge_look_alikes
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.protocols import Protocol
from mitoscope.evaluate.steps import Steps
from mitoscope.evaluate.sweep import Sweep
from mitoscope.evaluate.thresholds import ChosenThreshold, choose_threshold
from mitoscope.geometry import Mpp
from mitoscope.statistics import (
    Interval,
    Intervals,
    MeanScore,
    Reliability,
    Score,
    bootstrap,
    reliability,
    sum_by,
)

Points = NDArray[np.float64]
NO_POINTS = np.empty((0, 2))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores over all images, and those of each; what is not asked for is not computed.

    Attributes
    ----------
    protocol : Protocol
        The matching rule.
    threshold : float
        Detections with a score strictly above it are judged.
    threshold_source : str
        "given", or on what it was chosen.
    candidates : dict of str to Detections
        Detections of each image, whatever the threshold.
    sweeps : dict of str to Sweep
        How they match the true figures.
    cases : dict of str to str
        Case of each image.
    mpp : Mpp or None
        Resolution of all images; None where distances are in pixels.
    look_alikes_px0 : mapping of str to ndarray, or None
        Look-alikes of each image; None where none are known.
    without_predictions : tuple of str
        Images for which there were no predictions at all: all of their figures count as missed.
    without_truth : tuple of str
        Images without truth: all of their detections count as false.
    repeats, seed : int
        Of the bootstrap.
    """

    protocol: Protocol
    threshold: float
    threshold_source: str
    candidates: dict[str, Detections]
    sweeps: dict[str, Sweep]
    cases: dict[str, str]
    mpp: Mpp | None
    look_alikes_px0: Mapping[str, Points] | None
    without_predictions: tuple[str, ...]
    without_truth: tuple[str, ...]
    repeats: int
    seed: int

    def at(self, threshold: float | ChosenThreshold) -> Evaluation:
        """Return the same detections judged at another threshold, without matching them again.

        Raises
        ------
        ConfigError
            If the threshold is not in [0, 1].
        """
        value, source = read_threshold(threshold)
        return replace(self, threshold=value, threshold_source=source)

    @property
    def radius(self) -> str:
        """The distance that was used, in words."""
        return self.protocol.say_radius(self.mpp)

    @cached_property
    def images(self) -> dict[str, Score]:
        """Score of each image."""
        return {image: sweep.steps.at(self.threshold) for image, sweep in self.sweeps.items()}

    @cached_property
    def score(self) -> Score:
        """Sum over the images: the micro average."""
        return Score.total(self.images.values())

    @cached_property
    def judged(self) -> dict[str, Detections]:
        """Detections of each image above the threshold."""
        return {image: found.above(self.threshold) for image, found in self.candidates.items()}

    @cached_property
    def matchings(self) -> dict[str, Matching]:
        """Which detection above the threshold was matched with which true figure, for each image."""
        return {image: sweep.at(self.threshold) for image, sweep in self.sweeps.items()}

    @cached_property
    def intervals(self) -> Intervals:
        """95 % bootstrap intervals over the cases (images, where no cases are given)."""
        return bootstrap(list(self.case_scores.values()), repeats=self.repeats, seed=self.seed)

    @cached_property
    def look_alikes(self) -> LookAlikeScore | None:
        """How well it tells figures from look-alikes; None where no look-alikes are known."""
        if self.look_alikes_px0 is None:
            return None
        total = LookAlikeScore()
        for image, found in self.judged.items():
            total += judge_look_alikes(
                found.points_px0,
                found.score,
                matching=self.matchings[image],
                look_alikes_px0=self.look_alikes_px0.get(image, NO_POINTS),
                protocol=self.protocol,
                mpp=self.mpp,
            )
        return total

    @cached_property
    def duplicates(self) -> int:
        """Judged detections at exactly the place of another one."""
        return sum(len(found) - len(np.unique(found.points_px0, axis=0)) for found in self.judged.values())

    @cached_property
    def total_steps(self) -> Steps:
        """Scores at all thresholds, pooled over the images."""
        return Steps.total(sweep.steps for sweep in self.sweeps.values())

    @cached_property
    def case_scores(self) -> dict[str, Score]:
        """Score of each case."""
        return sum_by(self.images, self.cases)

    @cached_property
    def case_steps(self) -> dict[str, Steps]:
        """Scores of each case at all thresholds."""
        parts: dict[str, list[Steps]] = {}
        for image, sweep in self.sweeps.items():
            parts.setdefault(self.cases[image], []).append(sweep.steps)
        return {case: Steps.total(steps) for case, steps in parts.items()}

    @cached_property
    def average_precision(self) -> float | None:
        """Average precision over all detections, whatever the threshold, at 101 recalls (COCO)."""
        return average_precision(self.total_steps)

    @cached_property
    def average_precision_interval(self) -> Interval | None:
        """95 % bootstrap interval by case."""
        return bootstrap_average_precision(self.case_steps, repeats=self.repeats, seed=self.seed)

    @property
    def mean_over_images(self) -> MeanScore:
        """Macro average over images."""
        return MeanScore.of(self.images.values())

    @property
    def mean_over_cases(self) -> MeanScore:
        """Macro average over cases."""
        return MeanScore.of(self.case_scores.values())

    def outcomes(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """Return for each case the scores of its detections, whatever the threshold, and which are true.

        Those that the protocol thins are left out.
        """
        parts: dict[str, list[tuple[NDArray[np.float64], NDArray[np.bool_]]]] = {}
        for image, sweep in self.sweeps.items():
            kept = sweep.matching.judged
            outcome = sweep.scores[kept], sweep.matching.truth_of[kept] >= 0
            parts.setdefault(self.cases[image], []).append(outcome)
        return {
            case: (np.concatenate([score for score, _ in each]), np.concatenate([true for _, true in each]))
            for case, each in parts.items()
        }

    def reliability(self) -> Reliability:
        """Return the calibration of all detections, whatever the threshold; thinned ones are left out."""
        outcomes = self.outcomes().values()
        return reliability(
            np.concatenate([score for score, _ in outcomes]), np.concatenate([true for _, true in outcomes])
        )

    def by(self, group_of: Mapping[str, str]) -> dict[str, Score]:
        """Return the score of each group of images (case, tumour type, scanner, ...).

        Raises
        ------
        FormatError
            If an image has no group.
        """
        self._check_groups(group_of)
        return sum_by(self.images, group_of)

    def intervals_by(self, group_of: Mapping[str, str]) -> dict[str, Intervals]:
        """Return the intervals of each group of images, by drawing its cases; errors as for `by`."""
        self._check_groups(group_of)
        members: dict[str, dict[str, Score]] = {}
        for image, score in self.images.items():
            members.setdefault(group_of[image], {})[image] = score
        return {
            group: bootstrap(list(sum_by(scores, self.cases).values()), repeats=self.repeats, seed=self.seed)
            for group, scores in members.items()
        }

    def _check_groups(self, group_of: Mapping[str, str]) -> None:
        for image in self.images:
            if image not in group_of:
                raise FormatError(f"the image {image!r} has no group", where="evaluation")

    def compare(self, other: Evaluation) -> Comparison:
        """Compare with another detector on the same cases: paired bootstrap, this one minus the other.

        Raises
        ------
        FormatError
            If the protocols or the cases differ.
        """
        if self.protocol.name != other.protocol.name:
            raise FormatError(
                f"protocols {self.protocol.name} and {other.protocol.name} are not comparable",
                where="comparison",
                mend="judge both under one protocol",
            )
        cases = {**other.cases, **self.cases}
        return compare(
            self._by_case_of(other, cases),
            other._by_case_of(self, cases),
            repeats=self.repeats,
            seed=self.seed,
        )

    def _by_case_of(self, other: Evaluation, cases: Mapping[str, str]) -> dict[str, tuple[Score, Steps]]:
        """Return score and steps of each case, those of the other's images included.

        An image without truth that only the other has detections on holds nothing for this one.
        """
        missing = other.images.keys() - self.images.keys()
        unpaired = sorted(missing - set(other.without_truth))
        if unpaired:
            raise FormatError(
                "an image that only one of the detectors was judged on",
                where=unpaired[0],
                mend="judge both on it",
            )
        images = {**self.images, **dict.fromkeys(missing, Score())}
        scores = sum_by(images, cases)
        steps = {case: Steps.none() for case in scores}
        for image, sweep in self.sweeps.items():
            steps[cases[image]] += sweep.steps
        return {case: (score, steps[case]) for case, score in scores.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return everything that is stated, for JSON; what is undefined (0/0) is null."""
        return {
            "protocol": self.protocol.name,
            "source": self.protocol.source,
            "radius": self.radius,
            "threshold": self.threshold,
            "threshold_source": self.threshold_source,
            **self.score.as_dict(),
            "average": "micro: pooled over all images",
            "images": len(self.images),
            "cases": len(self.case_scores),
            "intervals_95": {
                "precision": _ends(self.intervals.precision),
                "recall": _ends(self.intervals.recall),
                "f1": _ends(self.intervals.f1),
                "average_precision": _ends(self.average_precision_interval),
                "by": "case",
                "repeats": self.repeats,
            },
            "mean_over_images": asdict(self.mean_over_images),
            "mean_over_cases": asdict(self.mean_over_cases),
            "average_precision": self.average_precision,
            "average_precision_interpolation": "101 recalls (COCO)",
            "best_f1": _best_f1(self.total_steps),
            "froc": _froc(self.total_steps, len(self.images)),
            "calibration": _calibration(self.reliability()),
            "look_alikes": None if self.look_alikes is None else self.look_alikes.as_dict(),
            "duplicates": self.duplicates,
            "without_predictions": list(self.without_predictions),
            "without_truth": list(self.without_truth),
            "per_image": {image: score.as_dict() for image, score in self.images.items()},
        }


def read_threshold(threshold: float | ChosenThreshold) -> tuple[float, str]:
    """Return a threshold and where it comes from, in words.

    Raises
    ------
    ConfigError
        If it is not in [0, 1].
    """
    if isinstance(threshold, ChosenThreshold):
        return threshold.value, threshold.describe()
    if not 0 <= threshold <= 1:
        raise ConfigError(f"a threshold of {threshold:g} is not in [0, 1]", where="--threshold")
    return threshold, "given"


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else interval.as_list()


def _best_f1(pooled: Steps) -> dict[str, Any] | None:
    if not len(pooled.score):
        return None
    best = choose_threshold(pooled, chosen_on="test set")
    note = "greatest F1 over all thresholds on the judged images themselves: an upper bound"
    return {"f1": best.score.f1, "threshold": best.value, "note": note}


def _froc(pooled: Steps, images: int) -> dict[str, Any] | None:
    if pooled.figures == 0:
        return None
    return {
        "mean_recall": froc(pooled, images=images).mean_recall(),
        "at_false_positives_per_image": list(FALSE_PER_IMAGE),
        "midog25_auc": midog_froc_auc(pooled, images=images),
        "midog25_auc_of": 8,
    }


def _calibration(curve: Reliability) -> dict[str, Any]:
    columns = (curve.edges[:-1], curve.edges[1:], curve.n, curve.mean_score, curve.true_share)
    names = ("from", "to", "n", "mean_score", "true_share")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "of": "all candidates, whatever the threshold",
        "ece": curve.ece,
        "largest_gap": curve.largest_gap,
        "bins": [{name: _null(value) for name, value in zip(names, row, strict=True)} for row in rows],
    }


def _null(value: float) -> float | None:
    return None if np.isnan(value) else value
