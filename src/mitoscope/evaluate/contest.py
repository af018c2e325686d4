"""Several detectors on the same images and ground truth: measures, paired differences, strata, counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Final, Literal

import numpy as np

from mitoscope.count import TEN_HPF_MM2
from mitoscope.errors import ConfigError
from mitoscope.evaluate.alone import FoundAlone, Place, found_alone, missed_by_all
from mitoscope.evaluate.common_slides import SameSlides
from mitoscope.evaluate.comparison import Difference, difference_of_sums
from mitoscope.evaluate.counts import CountAgreement, count_agreement
from mitoscope.evaluate.evaluate import evaluate
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.protocols import MITOSCOPE, Protocol
from mitoscope.evaluate.scorecard import MEASURES, Scorecard, StratumScore, score_strata
from mitoscope.evaluate.thresholds import ChosenThreshold
from mitoscope.geometry import Mpp
from mitoscope.statistics import (
    REPEATS,
    brier_of,
    brier_sums,
    calibration_of,
    calibration_sums,
    divide,
)
from mitoscope.tissue import TissueMask
from mitoscope.truth import GroundTruth

LOWER_IS_BETTER: Final = frozenset(
    {"false_per_mm2", "missed_per_mm2", "calibration_error", "brier_score", "count_error"}
)
COUNT_ERROR: Final = "count_error"
"""Mean absolute difference of found and true counts: a measure of the whole alone, not of strata."""
RANKABLE: Final = (
    *(name for name in MEASURES if name not in ("figures_per_mm2", "share_of_figures")),
    COUNT_ERROR,
)
"""Measures by which detectors can be ranked; the others tell of the images."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a detector needed.

    Attributes
    ----------
    tissue_mm2 : float
        Tissue that was searched.
    seconds : float
        By the clock on the wall, from the first window to the last verified candidate.
    images : int
        Of how many images this is known.
    threads : int or None
        That the search was given; None where it took one for each core, or searches differ.
    searched_here : bool
        Whether the comparison itself searched; otherwise the results say so.
    peak_mb : float or None
        Most memory that the process held while it searched, in MB; None where that was not measured.
    """

    tissue_mm2: float
    seconds: float
    images: int
    threads: int | None
    searched_here: bool
    peak_mb: float | None = None

    @property
    def seconds_per_mm2(self) -> float | None:
        """Seconds for a mm² of tissue; None without tissue."""
        return self.seconds / self.tissue_mm2 if self.tissue_mm2 > 0 else None


@dataclass(frozen=True, eq=False)
class Entry:
    """One detector in a comparison.

    Attributes
    ----------
    name : str
        Under which it is compared.
    judged : Evaluation
    kind : str
        ``bundle`` where the comparison searched with it, else ``results``.
    detector, version, fingerprint, licence : str or None
        As the results state them.
    threshold_source : str or None
        Where the threshold that the results state comes from, and on what it was chosen.
    cost : Cost or None
        None where nobody states it.
    tissue : mapping of str to TissueMask
        Of images on which it is known.
    """

    name: str
    judged: Evaluation
    kind: Literal["bundle", "results"] = "results"
    detector: str | None = None
    version: str | None = None
    fingerprint: str | None = None
    licence: str | None = None
    threshold_source: str | None = None
    cost: Cost | None = None
    tissue: Mapping[str, TissueMask] = field(default_factory=dict)

    @property
    def threshold_text(self) -> str:
        """Where its threshold comes from, in words."""
        if self.judged.chosen_threshold is None and self.threshold_source:
            return self.threshold_source
        return self.judged.threshold_source


@dataclass(frozen=True, eq=False)
class Pair:
    """Two detectors and how they differ, first minus second, over the same draws of the same cases."""

    first: str
    second: str
    cases: int
    differences: dict[str, Difference]


@dataclass(frozen=True, eq=False)
class Strata:
    """One way to part the images: the scorecard of each detector.

    Attributes
    ----------
    by : str
        What tells the strata apart.
    cards : dict of str to Scorecard
        By the detector's name.
    of_regions : bool
        Whether regions of images are parted: an image may then be in several strata.
    """

    by: str
    cards: dict[str, Scorecard]
    of_regions: bool = False


@dataclass(frozen=True, eq=False)
class Contest:
    """Several detectors on the same images.

    Attributes
    ----------
    entries : tuple of Entry
        In the order in which they were named.
    slides : SameSlides
        Which images are judged, and which are not.
    strata : tuple of Strata
    area_mm2 : float
        Window of the mitotic count.
    rank_by : str
        A measure of `RANKABLE`.
    notes : tuple of str
        What a reader must know.
    """

    entries: tuple[Entry, ...]
    slides: SameSlides
    strata: tuple[Strata, ...] = ()
    area_mm2: float = TEN_HPF_MM2
    rank_by: str = "f1"
    notes: tuple[str, ...] = ()

    @property
    def truth(self) -> GroundTruth:
        """The ground truth of the judged images."""
        return self.slides.truth

    @property
    def protocol(self) -> Protocol:
        """The matching rule."""
        return self.entries[0].judged.protocol

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.entries[0].judged.case_scores)

    @cached_property
    def scores(self) -> dict[str, StratumScore]:
        """The measures of each detector over all images."""
        return {entry.name: overall(entry.judged) for entry in self.entries}

    @cached_property
    def counts(self) -> dict[str, CountAgreement]:
        """The counts of each detector against those of the ground truth."""
        return {
            entry.name: count_agreement(entry.judged, tissue=entry.tissue, area_mm2=self.area_mm2)
            for entry in self.entries
        }

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every two detectors and how they differ."""
        return tuple(self._pair(first, second) for first, second in combinations(self.entries, 2))

    @cached_property
    def alone(self) -> dict[str, FoundAlone]:
        """What each detector alone found."""
        return found_alone(self._sides)

    @cached_property
    def missed(self) -> tuple[Place, ...]:
        """True figures that none found."""
        return missed_by_all(self._sides)

    @property
    def _sides(self) -> dict[str, Evaluation]:
        return {entry.name: entry.judged for entry in self.entries}

    def value(self, name: str, measure: str) -> float | None:
        """Return a measure of a detector over all images."""
        if measure == COUNT_ERROR:
            agreed = self.counts[name].bland_altman
            return None if agreed is None else agreed.absolute.value
        return self.scores[name].measures[measure].value

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Place of each detector by the measure that ranks, from 1; equals share a place, unknown come last.

        A rank says nothing of how sure it is: the paired differences do.
        """
        sign = 1.0 if self.rank_by in LOWER_IS_BETTER else -1.0
        values = {entry.name: self.value(entry.name, self.rank_by) for entry in self.entries}
        order = {name: np.inf if value is None else sign * value for name, value in values.items()}
        return {name: 1 + sum(other < own for other in order.values()) for name, own in order.items()}

    def _pair(self, first: Entry, second: Entry) -> Pair:
        sides = (first.judged, second.judged)
        compared = first.judged.compare(second.judged)
        differences = {
            name: getattr(compared, name) for name in ("f1", "precision", "recall", "average_precision")
        }
        repeats, seed = first.judged.repeats, first.judged.seed
        if all(side.no_area is None for side in sides):
            areas = [(side.case_scores, side.case_areas_mm2) for side in sides]
            rates = [
                np.array([(score.fp, area[case]) for case, score in sorted(scores.items())], np.float64)
                for scores, area in areas
            ]
            differences["false_per_mm2"] = difference_of_sums(
                rates, lambda n: divide(n[..., 0], n[..., 1]), repeats=repeats, seed=seed
            )
        if all(side.probabilities is True for side in sides):
            outcomes = [[each for _, each in sorted(side.outcomes().items())] for side in sides]
            for name, sums_of, measure in (
                ("calibration_error", calibration_sums, calibration_of),
                ("brier_score", brier_sums, brier_of),
            ):
                sums = [sums_of(side) for side in outcomes]
                differences[name] = difference_of_sums(sums, measure, repeats=repeats, seed=seed)
        differences[COUNT_ERROR] = self._count_difference(first, second)
        return Pair(first.name, second.name, compared.cases, differences)

    def _count_difference(self, first: Entry, second: Entry) -> Difference:
        """Return the difference of the mean absolute errors of the counts, on images that both count on."""
        counts = [self.counts[entry.name].images for entry in (first, second)]
        images = sorted(counts[0].keys() & counts[1].keys())
        cases = sorted({counts[0][image].case for image in images})
        sides = [np.zeros((len(cases), 2)) for _ in counts]
        for side, side_counts in zip(sides, counts, strict=True):
            for image in images:
                one = side_counts[image]
                side[cases.index(one.case)] += abs(one.found - one.true), 1
        return difference_of_sums(
            sides,
            lambda n: divide(n[..., 0], n[..., 1]),
            repeats=first.judged.repeats,
            seed=first.judged.seed,
        )


def overall(judged: Evaluation) -> StratumScore:
    """Return the measures of a detector over all images; the common prevalence is their own."""
    return score_strata(judged, dict.fromkeys(judged.judged_images, "all")).overall


def judge_entry(
    slides: SameSlides,
    name: str,
    *,
    protocol: Protocol = MITOSCOPE,
    threshold: float | ChosenThreshold | None = None,
    mpp: Mpp | None = None,
    mpp_override: bool = False,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Evaluation:
    """Judge one detector on the images of a comparison; parameters and errors as `evaluate`."""
    return evaluate(
        slides.found[name],
        slides.truth,
        protocol=protocol,
        threshold=threshold,
        mpp=mpp,
        mpp_override=mpp_override,
        repeats=repeats,
        seed=seed,
    )


def strata_of_images(entries: Iterable[Entry], stratum_of: Mapping[str, str], *, by: str) -> Strata:
    """Return the scorecards of strata into which images fall.

    Raises
    ------
    FormatError
        If a judged image has no stratum.
    """
    return Strata(by, {entry.name: score_strata(entry.judged, stratum_of, by=by) for entry in entries})


def check_rank(measure: str) -> str:
    """Return the name of a measure by which detectors can be ranked.

    Raises
    ------
    ConfigError
        Naming what there is.
    """
    if measure not in RANKABLE:
        raise ConfigError(f"no measure {measure!r}", where="--rank-by", mend=f"one of: {', '.join(RANKABLE)}")
    return measure
