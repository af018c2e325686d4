"""How sure a count is: what the detector leaves open, what chance adds, and what choosing the window adds.

A calibrated score is the probability that a candidate is a figure. Over all candidates of a window, those
below the threshold too, the sum of the scores is the expected number of figures, and how many there are is
Poisson-binomial: the error of the detector. Figures that were never proposed are no candidates; nothing here
covers them. The figures of a window are in turn one sample of how active the tissue is: their mean has the
wider, joint interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.count.grading import AID, GradingRule
from mitoscope.statistics import CountDistribution, Interval, random_parts

PARTS = 4
"""Into so many parts figures are split: all but one choose the window, that one is counted in it."""
SPLITS = 4
"""Random splits over which the count of a hot spot is corrected."""
COVERS = "the candidates; figures that were never proposed are not covered"
"""What expected numbers and their intervals are of."""
_NOT_CALIBRATED = "the scores are not calibrated, so they are no probabilities"
_NOT_STATED = "it is not stated that the scores are probabilities"


def why_no_interval(calibrated: bool | None) -> str:
    """Return why there is no expected number; empty where scores are probabilities."""
    if calibrated:
        return ""
    return _NOT_STATED if calibrated is None else _NOT_CALIBRATED


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected number of figures.

    Attributes
    ----------
    number : float
        Sum of the probabilities of all candidates.
    detector : Interval
        95 % of how many of the candidates are figures.
    interval : Interval
        95 % of the mean number in as much tissue that is as active: error of the detector and of sampling.
    """

    number: float
    detector: Interval
    interval: Interval

    @classmethod
    def of(cls, found: CountDistribution) -> Expected:
        """Summarise a distribution."""
        return cls(found.mean, found.interval(), found.mean_interval())

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {
            "expected": self.number,
            "interval": self.interval.as_list(),
            "detector_interval": self.detector.as_list(),
        }


@dataclass(frozen=True, slots=True)
class WholeDensity:
    """Figures per mm² of all that was searched.

    Attributes
    ----------
    figures : int
        Mitotic figures above the threshold.
    area_mm2 : float or None
        What was searched, without gaps: tissue, inside the tumour where one is outlined. None where neither
        tissue nor the size of the slide is known.
    within : str
        What the area is of: ``tissue``, ``tumour tissue``, ``slide``, …
    expected : Expected or None
        Of the same area; None where scores are no probabilities.
    """

    figures: int
    area_mm2: float | None
    within: str
    expected: Expected | None

    @property
    def per_mm2(self) -> float | None:
        """Figures per mm²; None without an area."""
        return self._per_mm2(self.figures)

    @property
    def expected_per_mm2(self) -> float | None:
        """Expected figures per mm²."""
        return None if self.expected is None else self._per_mm2(self.expected.number)

    @property
    def interval(self) -> Interval | None:
        """95 % of the mean per mm²: error of the detector and of sampling."""
        if self.expected is None or not self.area_mm2:
            return None
        ends = self.expected.interval
        return Interval(ends.low / self.area_mm2, ends.high / self.area_mm2)

    def _per_mm2(self, number: float) -> float | None:
        return number / self.area_mm2 if self.area_mm2 else None

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {
            "figures": self.figures,
            "expected": None if self.expected is None else self.expected.number,
            "area_mm2": self.area_mm2,
            "within": self.within,
            "per_mm2": self.per_mm2,
            "expected_per_mm2": self.expected_per_mm2,
            "interval": None if self.interval is None else self.interval.as_list(),
        }


@dataclass(frozen=True, slots=True)
class Graded:
    """What a grading scheme says of a count: an aid, not a grade.

    Attributes
    ----------
    rule : GradingRule
        The scheme on its area.
    band : str
        Of the plain count; empty where the window is too small for the scheme.
    grades : mapping of str to float, or None
        Band → probability that the number of figures in the window lies in it; None where scores are no
        probabilities or the window is too small.
    repeated : mapping of str to float, or None
        The same of a second window of the same size in tissue that is as active.
    reason : str
        Why something is missing; empty if nothing.
    """

    rule: GradingRule
    band: str
    grades: Mapping[str, float] | None
    repeated: Mapping[str, float] | None
    reason: str

    @classmethod
    def of(
        cls, rule: GradingRule, count: int, found: CountDistribution | None, *, too_small: str, reason: str
    ) -> Graded:
        """Grade a count.

        Parameters
        ----------
        found : CountDistribution or None
            How many figures there may be in the window.
        too_small : str
            Why the window does not hold the scheme's area; empty where it does.
        reason : str
            Why there is no distribution.
        """
        if too_small:
            return cls(rule, "", None, None, too_small)
        band = rule.band_of(count).name
        if found is None:
            return cls(rule, band, None, None, reason)
        return cls(
            rule,
            band,
            {each.name: found.share_between(each.first, each.last) for each in rule.bands},
            {each.name: found.repeated_between(each.first, each.last) for each in rule.bands},
            "",
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        scheme = self.rule.scheme
        return {
            "name": scheme.name,
            "title": scheme.title,
            "area_mm2": self.rule.area_mm2,
            "bands": {band.name: [band.first, band.last] for band in self.rule.bands},
            "band_of_count": self.band or None,
            "grades": None if self.grades is None else dict(self.grades),
            "grades_of_a_second_window": None if self.repeated is None else dict(self.repeated),
            "reason": self.reason or None,
            "note": scheme.note,
            "source": scheme.source,
            "read": scheme.read,
            "aid": AID,
        }


def corrected_count(
    points_px0: ArrayLike,
    count_other: Callable[[NDArray[np.float64], NDArray[np.float64]], int],
    *,
    splits: int,
    parts: int = PARTS,
) -> float:
    """Return the count of the hot spot without what choosing the fullest window adds.

    Parameters
    ----------
    points_px0 : array_like, shape (n, 2)
        All figures in level-0 px.
    count_other : callable
        Chooses the window by some figures and returns how many of the others lie in it.
    splits : int
        Random splits over which the mean is taken.
    parts : int, default 4
        Parts of a split.

    Notes
    -----
    The fullest of many windows holds more than its tissue gives on average: chance chose it too. Each figure
    falls in a random part; all parts but one choose the window, and that one is counted in it. The sum over
    the parts is without that bias: parts of a Poisson process are independent. Fewer figures choose less
    surely, so of a true hot spot a little is lost: ``benchmarks/results/hot_spot_optimism.md``. The order of
    the figures does not matter, and the same figures always give the same.
    """
    points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
    points = points[np.lexsort((points[:, 0], points[:, 1]))]
    counts = [
        count_other(points[part != held_out], points[part == held_out])
        for part in random_parts(len(points), parts=parts, repeats=splits)
        for held_out in range(parts)
    ]
    return sum(counts) / splits
