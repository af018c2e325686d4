"""The result of judging a detector: scores, intervals, averages, curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.evaluate.average_precision import average_precision, bootstrap_average_precision
from mitoscope.evaluate.averages import MeanScore, mean_score, sum_by
from mitoscope.evaluate.calibration import Reliability, reliability
from mitoscope.evaluate.comparison import Comparison, compare
from mitoscope.evaluate.describe import describe
from mitoscope.evaluate.interval import Interval, Intervals, bootstrap
from mitoscope.evaluate.look_alikes import LookAlikeScore
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.protocol import Protocol
from mitoscope.evaluate.score import Score
from mitoscope.evaluate.steps import Steps


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores over all images, and those of each.

    Attributes
    ----------
    protocol : Protocol
        The matching rule.
    threshold : float
        Detections with a score strictly above it were judged.
    threshold_source : str
        "given", or on what it was chosen.
    radius : str
        The distance that was used, in words.
    score : Score
        Sum over the images: the micro average.
    images : dict
        Score of each image, by its name.
    matchings : dict
        Which detection was matched with which true figure; the detections are those of `judged`.
    judged : dict
        Detections of each image above the threshold.
    candidates : dict
        Scores of all detections of each image, whatever the threshold, and how they match.
    steps : dict
        Scores of each image at all thresholds.
    cases : dict
        Case of each image.
    intervals : Intervals
        95 % bootstrap intervals over the cases (images, where no cases are given).
    look_alikes : LookAlikeScore or None
        None where no look-alikes are known.
    duplicates : int
        Judged detections at exactly the place of another one.
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
    radius: str
    score: Score
    images: dict[str, Score]
    matchings: dict[str, Matching]
    judged: dict[str, Detections]
    candidates: dict[str, tuple[NDArray[np.float64], Matching]]
    steps: dict[str, Steps]
    cases: dict[str, str]
    intervals: Intervals
    look_alikes: LookAlikeScore | None
    duplicates: int
    without_predictions: tuple[str, ...]
    without_truth: tuple[str, ...]
    repeats: int
    seed: int

    @cached_property
    def total_steps(self) -> Steps:
        """Scores at all thresholds, pooled over the images."""
        return Steps.total(self.steps.values())

    @cached_property
    def case_scores(self) -> dict[str, Score]:
        """Score of each case."""
        return sum_by(self.images, self.cases)

    @cached_property
    def case_steps(self) -> dict[str, Steps]:
        """Scores of each case at all thresholds."""
        return {
            case: Steps.total(self.steps[image] for image in self.images if self.cases[image] == case)
            for case in self.case_scores
        }

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
        return mean_score(self.images.values())

    @property
    def mean_over_cases(self) -> MeanScore:
        """Macro average over cases."""
        return mean_score(self.case_scores.values())

    def reliability(self, *, bins: int = 10) -> Reliability:
        """Return the calibration of all candidates, whatever the threshold; thinned ones are left out."""
        found = self.candidates.values()
        scores = [score[matching.judged] for score, matching in found]
        true = [matching.truth_of[matching.judged] >= 0 for _, matching in found]
        return reliability(np.concatenate(scores), np.concatenate(true), bins=bins)

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
        for image, own in self.steps.items():
            steps[cases[image]] += own
        return {case: (score, steps[case]) for case, score in scores.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON; what is undefined (0/0) is null."""
        return describe(self)
