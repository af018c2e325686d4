"""A scorecard by stratum: kinds of region, stains, scales, tumour types.

F1 mixes skill with prevalence: a detector that finds the same share of the figures and makes the same number
of mistakes per mm² has a low precision where figures are rare, and a high one in hot spots. So precision and
F1 stand beside the prevalence of each stratum, and are also given at the prevalence of all strata together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.evaluate.curves import FALSE_PER_MM2
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.statistics import (
    Estimate,
    Interval,
    Outcomes,
    brier_score,
    calibration_error,
    divide,
    estimate,
)

Floats = NDArray[np.float64]

PER_MM2: Final = (
    "false_per_mm2",
    "missed_per_mm2",
    *(f"recall_at_{rate:g}_false_per_mm2" for rate in FALSE_PER_MM2),
    "figures_per_mm2",
    "precision_at_common_prevalence",
    "f1_at_common_prevalence",
)
"""Measures that need the examined area."""
MEASURES: Final[Mapping[str, str]] = {
    "false_per_mm2": "false per mm²",
    "missed_per_mm2": "missed per mm²",
    **{f"recall_at_{rate:g}_false_per_mm2": f"recall at {rate:g} false per mm²" for rate in FALSE_PER_MM2},
    "figures_per_mm2": "prevalence: figures per mm²",
    "share_of_figures": "prevalence: figures among candidates",
    "precision": "precision",
    "precision_at_common_prevalence": "precision at common prevalence",
    "recall": "recall",
    "f1": "F1",
    "f1_at_common_prevalence": "F1 at common prevalence",
    "average_precision": "AP",
    "calibration_error": "calibration error",
    "brier_score": "Brier score",
}
"""Measures of a stratum in their order, and what they are called in tables."""
_UNDEFINED: Final = "0/0"
NOT_PROBABILITIES: Final = "the results do not state that scores are probabilities"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its 95 % interval by case; without a value, why there is none."""

    value: float | None
    interval: Interval | None = None
    absent_because: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        ends = None if self.interval is None else self.interval.as_list()
        known = {"value": self.value, "interval_95": ends}
        return known if self.absent_because is None else {**known, "absent_because": self.absent_because}


@dataclass(frozen=True, eq=False)
class StratumScore:
    """How a detector does on one stratum.

    Attributes
    ----------
    name : str
    judged : Evaluation
        Of its images alone.
    common_per_mm2 : float or None
        Figures per mm² of all strata together; None where their area is not known.
    no_common : str or None
        Why it is not.
    """

    name: str
    judged: Evaluation
    common_per_mm2: float | None
    no_common: str | None = None

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.judged.judged_images)

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.judged.case_scores)

    @property
    def area_mm2(self) -> float | None:
        """What was examined; None where it is not known."""
        return None if self.judged.no_area else self.judged.examined_mm2

    @property
    def figures(self) -> int:
        """True figures."""
        return self.judged.total_steps.figures

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """Every measure of `MEASURES`, in their order."""
        judged = self.judged
        score, ends = judged.score, judged.intervals
        found = {
            "precision": _known(score.precision, ends.precision),
            "recall": _known(score.recall, ends.recall),
            "f1": _known(score.f1, ends.f1),
            "average_precision": _known(judged.average_precision, judged.average_precision_interval),
            "share_of_figures": self._of_sums(lambda n: divide(n[..., 4], n[..., 4] + n[..., 5])),
            "calibration_error": self._of_probabilities(calibration_error),
            "brier_score": self._of_probabilities(brier_score),
        }
        found |= self._per_mm2()
        return {name: found[name] for name in MEASURES}

    def _per_mm2(self) -> dict[str, Measure]:
        if self.judged.no_area is not None:
            return dict.fromkeys(PER_MM2, Measure(None, absent_because=self.judged.no_area))
        at_rates = {
            f"recall_at_{rate.rate:g}_false_per_mm2": _known(rate.value, rate.interval)
            for rate in self.judged.recall_at_rates
        }
        rates = dict.fromkeys(PER_MM2, _known(None, None)) | at_rates
        rates["false_per_mm2"] = self._of_sums(lambda n: divide(n[..., 1], n[..., 3]))
        rates["missed_per_mm2"] = self._of_sums(lambda n: divide(n[..., 2], n[..., 3]))
        rates["figures_per_mm2"] = self._of_sums(lambda n: divide(n[..., 0] + n[..., 2], n[..., 3]))
        common = self.common_per_mm2
        for name, share in (
            ("precision_at_common_prevalence", _precision_at),
            ("f1_at_common_prevalence", _f1_at),
        ):
            rates[name] = (
                Measure(None, absent_because=self.no_common)
                if common is None
                else self._of_sums(lambda n, share=share, common=common: share(n, common))
            )
        return rates

    @cached_property
    def _sums(self) -> Floats:
        """Of each case TP, FP, FN, mm², true and false candidates, shape (cases, 6)."""
        judged, outcomes = self.judged, self.judged.outcomes()
        return np.array(
            [
                (score.tp, score.fp, score.fn, judged.case_areas_mm2[case], true.sum(), (~true).sum())
                for case, score in judged.case_scores.items()
                for _, true in (outcomes[case],)
            ],
            np.float64,
        )

    def _of_sums(self, measure: Any) -> Measure:
        rows = np.arange(len(self._sums))
        return _estimated(
            estimate(self._sums, rows, measure, repeats=self.judged.repeats, seed=self.judged.seed)
        )

    def _of_probabilities(self, measure: Callable[..., Estimate]) -> Measure:
        if self.judged.probabilities is not True:
            return Measure(None, absent_because=NOT_PROBABILITIES)
        outcomes: list[Outcomes] = list(self.judged.outcomes().values())
        if not any(len(score) for score, _ in outcomes):
            return _known(None, None)
        return _estimated(measure(outcomes, repeats=self.judged.repeats, seed=self.judged.seed))

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        score = self.judged.score
        return {
            "images": self.images,
            "cases": self.cases,
            "examined_mm2": self.area_mm2,
            "figures": self.figures,
            "tp": score.tp,
            "fp": score.fp,
            "fn": score.fn,
            **{name: measure.as_dict() for name, measure in self.measures.items()},
        }


def _known(value: float | None, interval: Interval | None) -> Measure:
    return Measure(value, interval, _UNDEFINED if value is None else None)


def _estimated(found: Estimate) -> Measure:
    if np.isnan(found.value):
        return _known(None, None)
    return Measure(found.value, None if np.isnan(found.low) else Interval(found.low, found.high))


def _recall_and_false(sums: Floats) -> tuple[Floats, Floats]:
    return divide(sums[..., 0], sums[..., 0] + sums[..., 2]), divide(sums[..., 1], sums[..., 3])


def _precision_at(sums: Floats, figures_per_mm2: float) -> Floats:
    """Return the precision where figures were as dense, at the same recall and false positives per mm²."""
    recall, false = _recall_and_false(sums)
    return divide(recall * figures_per_mm2, recall * figures_per_mm2 + false)


def _f1_at(sums: Floats, figures_per_mm2: float) -> Floats:
    recall, false = _recall_and_false(sums)
    return divide(2 * recall * figures_per_mm2, (recall + 1) * figures_per_mm2 + false)


@dataclass(frozen=True, eq=False)
class Scorecard:
    """The strata of an evaluation, and all of it.

    Attributes
    ----------
    by : str
        What tells the strata apart.
    overall : StratumScore
        All images.
    strata : tuple of StratumScore
        In the order of their names.
    """

    by: str
    overall: StratumScore
    strata: tuple[StratumScore, ...]

    @property
    def common_per_mm2(self) -> float | None:
        """The common prevalence: figures per mm² of all images together."""
        return self.overall.common_per_mm2

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "by": self.by,
            "common_prevalence_per_mm2": self.common_per_mm2,
            "all": self.overall.as_dict(),
            "strata": {stratum.name: stratum.as_dict() for stratum in self.strata},
        }


def score_strata(judged: Evaluation, stratum_of: Mapping[str, str], *, by: str = "stratum") -> Scorecard:
    """Judge each stratum of the images of an evaluation by itself.

    Parameters
    ----------
    judged : Evaluation
    stratum_of : mapping of str to str
        Stem of each image's name → its stratum; images that are not judged do not count.
    by : str
        What tells the strata apart.

    Notes
    -----
    Precision at a common prevalence is R λ / (R λ + φ), with recall R and false positives per mm² φ of the
    stratum, and λ the figures per mm² of all images together, which is taken as known in the interval.

    Raises
    ------
    FormatError
        If a judged image has no stratum.
    """
    members: dict[str, list[str]] = {}
    for image in judged.judged_images:
        if image not in stratum_of:
            raise FormatError(
                f"the image {image!r} has no {by}", where="strata", mend="give each judged image one"
            )
        members.setdefault(stratum_of[image], []).append(image)
    area, reason = judged.examined_mm2, judged.no_area
    common = None if reason or not area else judged.total_steps.figures / area
    return Scorecard(
        by,
        StratumScore("all", judged, common, reason),
        tuple(StratumScore(name, judged.on(members[name]), common, reason) for name in sorted(members)),
    )
