"""Choosing a threshold: for what, on what it was chosen, how sure it is, and what few cases may change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mitoscope.bundle import F1, GREATEST_F1, ROBUST
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate.curves import precision_recall
from mitoscope.evaluate.sweep import Steps
from mitoscope.statistics import (
    REPEATS,
    Estimate,
    Interval,
    Intervals,
    Score,
    bootstrap,
    divide,
    draw_sums,
    estimate,
    percentiles,
)

ChosenOn = Literal["validation set", "test set"]
CASES_ENOUGH: Final = 10
FIGURES_ENOUGH: Final = 50
"""Below either the interval of the threshold is itself unsure, and a user is told so."""
PRIOR_FIGURES: Final = 20.0
"""What the bundle's own point counts for beside few fields.

The weight of n observations beside a mean that is known from elsewhere is n / (n + k), where k is the
variance of one of them over the variance between groups (credibility, Bühlmann 1967). In log-odds the best
threshold of n figures has a variance of about 28 / n (BreCaHAD, drawn by field), and those of laboratories
one of about 1.5 (a laboratory with another scanner lay 1.7 off, BreCaHAD 0.5): k = 28 / 1.5, about 20.
"""
_STEP: Final = 0.005
_THRESHOLDS: Final = np.round(np.arange(0, 1, _STEP), 3)
_RECALL_AT: Final = re.compile(r"recall-at-([0-9]+(?:\.[0-9]+)?)-per-mm2")
_UNBIASED: Final = "unbiased-count"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """A threshold that was chosen, and on what.

    Attributes
    ----------
    value : float
        Scores strictly above it count.
    score : Score
        What it gives on the set on which it was chosen.
    chosen_on : {"validation set", "test set"}
        A threshold chosen on the test set flatters the detector: every output says so.
    """

    value: float
    score: Score
    chosen_on: ChosenOn

    def describe(self) -> str:
        """Return in words where the threshold comes from."""
        f1 = "undefined" if self.score.f1 is None else f"{self.score.f1:.4f}"
        line = f"of greatest F1 on the {self.chosen_on} ({f1} there)"
        return f"{line}: optimistic, chosen on what it is judged on" if self.chosen_on == "test set" else line


def choose_threshold(steps: Steps, *, chosen_on: ChosenOn = "validation set") -> ChosenThreshold:
    """Choose the threshold of greatest pooled F1 among all that make a difference; of equals the highest.

    Parameters
    ----------
    steps : Steps
        Of the images on which to choose.
    chosen_on : {"validation set", "test set"}
        Stands in every output.

    Raises
    ------
    FormatError
        If there is neither a detection nor a true figure.
    """
    curve = precision_recall(steps)
    if np.isnan(curve.f1).all():
        raise FormatError(
            f"no threshold can be chosen: no detections and figures in the {chosen_on}", where="evaluation"
        )
    value = float(curve.threshold[int(np.nanargmax(curve.f1))])
    return ChosenThreshold(value, steps.at(value), chosen_on)


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a threshold is chosen for.

    Parameters
    ----------
    name : str
        ``f1`` (the greatest F1 of all cases together), ``unbiased-count`` (as many detections as figures),
        ``recall-at-N-per-mm2`` (the greatest recall with at most N false detections per mm²) or ``robust``
        (the greatest F1 in the laboratory where it is smallest).
    false_per_mm2 : float, optional
        N.
    """

    name: str
    false_per_mm2: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the name of a criterion.

        Raises
        ------
        ConfigError
            Naming what there is.
        """
        if text in (F1, _UNBIASED, ROBUST):
            return cls(text)
        if (match := _RECALL_AT.fullmatch(text)) and float(match[1]) > 0:
            return cls(f"recall-at-{float(match[1]):g}-per-mm2", float(match[1]))
        known = f"{F1}, {_UNBIASED}, {ROBUST}, recall-at-N-per-mm2 (N above 0)"
        raise ConfigError(f"no criterion {text!r}", where="--point", mend=f"one of: {known}")

    @property
    def words(self) -> str:
        """What it is, in words."""
        if self.false_per_mm2 is not None:
            return f"greatest recall at {self.false_per_mm2:g} false detections per mm² or fewer"
        return {
            F1: GREATEST_F1,
            _UNBIASED: "as many detections as figures",
            ROBUST: "greatest F1 in the laboratory where it is smallest",
        }[self.name]

    @property
    def by_laboratory(self) -> bool:
        """Whether it looks at laboratories one by one."""
        return self.name == ROBUST

    def merit(self, counts: Floats) -> Floats:
        """Return how good each threshold is, shape (..., t).

        Parameters
        ----------
        counts : ndarray of float64, shape (..., g, t, 4)
            TP, FP, FN and examined mm² of each laboratory at each threshold.
        """
        tp, fp, fn, area = np.moveaxis(counts, -1, 0)
        if self.by_laboratory:
            return np.asarray(np.nan_to_num(np.fmin.reduce(_f1(tp, fp, fn), axis=-2)))
        tp, fp, fn, area = (values.sum(axis=-2) for values in (tp, fp, fn, area))
        if self.false_per_mm2 is not None:
            # Of equal recall the fewest false ones: a share of a figure, which never outweighs one.
            allowed = fp <= self.false_per_mm2 * area
            return np.asarray(np.where(allowed, tp - fp / (1 + fp.max()), -2 - fp))
        if self.name == _UNBIASED:
            return np.asarray(-np.abs(fp - fn))
        return np.asarray(np.nan_to_num(_f1(tp, fp, fn)))

    def places(self, counts: Floats) -> NDArray[np.intp]:
        """Return the place of the best threshold, shape (...): of equals the middle one.

        Equal thresholds are neighbours: the middle is the farthest from where the merit falls.
        """
        merit = self.merit(counts)
        is_best = merit == merit.max(axis=-1, keepdims=True)
        middle = is_best.sum(axis=-1, keepdims=True) // 2 + 1
        return np.asarray(np.argmax(is_best.cumsum(axis=-1) == middle, axis=-1))


def _f1(tp: Floats, fp: Floats, fn: Floats) -> Floats:
    return divide(2 * tp, 2 * tp + fp + fn)


BEST_F1: Final = Criterion(F1)


@dataclass(frozen=True, slots=True)
class Prior:
    """A threshold that was there before, which counts for some figures beside those of few fields.

    Parameters
    ----------
    threshold : float
    source : str
        Who stated it.
    weight : float
        For how many figures it counts.
    """

    threshold: float
    source: str
    weight: float = PRIOR_FIGURES

    def __post_init__(self) -> None:
        if not 0 < self.weight < np.inf:
            raise ConfigError(f"a prior of {self.weight:g} figures", where="--weight", mend="give 0 or more")

    def draw(self, thresholds: Floats, *, figures: int) -> Floats:
        """Return thresholds of some figures drawn towards this one: the mean of the log-odds by weight."""
        share = figures / (figures + self.weight)
        own, there = (
            logit(np.clip(values, _STEP / 2, 1 - _STEP / 2)) for values in (thresholds, self.threshold)
        )
        return np.asarray(expit(share * own + (1 - share) * there), np.float64)


@dataclass(frozen=True, slots=True)
class FittedPoint:
    """A threshold with what it gives on the images on which it was chosen.

    Parameters
    ----------
    criterion : Criterion
        What it was chosen for.
    threshold : float
        Scores strictly above it count.
    alone : float
        The threshold that the cases alone give; another one where there was a prior.
    interval : Interval or None
        95 % of the thresholds that would have been chosen on as many other cases (bootstrap by case); None
        for a single case.
    score : Score
    intervals : Intervals
        Of precision, recall and F1 at the threshold.
    cases, figures : int
        On how many it was chosen.
    count_bias : Estimate
        Detections minus figures in a case, the mean, with its interval by case.
    false_per_mm2 : Estimate or None
        False detections per mm², by case; None where the area is not known.
    prior : Prior or None
        Towards which it was drawn.
    """

    criterion: Criterion
    threshold: float
    alone: float
    interval: Interval | None
    score: Score
    intervals: Intervals
    cases: int
    figures: int
    count_bias: Estimate
    false_per_mm2: Estimate | None = None
    prior: Prior | None = None

    @property
    def is_sure(self) -> bool:
        """Whether there were cases and figures enough."""
        return self.cases >= CASES_ENOUGH and self.figures >= FIGURES_ENOUGH


def fit_point(
    cases: Sequence[Steps],
    criterion: Criterion = BEST_F1,
    *,
    areas_mm2: Sequence[float] | None = None,
    laboratories: Sequence[str] | None = None,
    prior: Prior | None = None,
    floor: float = 0.0,
    repeats: int = REPEATS,
    seed: int = 0,
) -> FittedPoint:
    """Choose the threshold that is best for something, in steps of 0.005; of equals the middle.

    Parameters
    ----------
    cases : sequence of Steps
        One a case.
    criterion : Criterion
        For what; by default the greatest F1 of all cases together.
    areas_mm2 : sequence of float, optional
        What was examined of each case.
    laboratories : sequence of str, optional
        Where each case comes from.
    prior : Prior, optional
        A threshold to draw the chosen one to, the more the fewer figures there are.
    floor : float
        No threshold below it is offered: no candidates were kept there.
    repeats, seed
        Of the bootstrap.

    Raises
    ------
    FormatError
        If there is no true figure, or no candidate on any, or none with as few false detections as allowed.
    ConfigError
        If the criterion needs areas or laboratories that are not given.
    """
    offered = _THRESHOLDS[floor <= _THRESHOLDS]
    if not any(steps.at_many(offered)[:, 0].any() for steps in cases):
        raise FormatError("no threshold can be chosen: no figure is found at any", where="evaluation")
    counts = _counts(cases, offered, _known_areas(criterion, areas_mm2, len(cases)))
    grouped = _by_laboratory(criterion, counts, laboratories)
    place = int(criterion.places(grouped.sum(axis=0)))
    _check_found(criterion, grouped.sum(axis=0)[:, place])
    drawn = draw_sums(grouped.reshape(len(cases), -1), repeats=repeats, seed=seed)
    chosen = offered[criterion.places(drawn.reshape(repeats, *grouped.shape[1:]))]
    figures, alone = sum(steps.figures for steps in cases), float(offered[place])
    threshold = alone
    if prior is not None:
        threshold = round(float(prior.draw(offered[place], figures=figures)), 6)
        chosen = prior.draw(chosen, figures=figures)
    scores = [steps.at(threshold) for steps in cases]
    return FittedPoint(
        criterion=criterion,
        threshold=threshold,
        alone=alone,
        interval=percentiles(chosen) if len(cases) > 1 else None,
        score=Score.total(scores),
        intervals=bootstrap(scores, repeats=repeats, seed=seed),
        cases=len(cases),
        figures=figures,
        count_bias=_ratio([(score.fp - score.fn, 1) for score in scores], repeats=repeats, seed=seed),
        false_per_mm2=None
        if areas_mm2 is None
        else _ratio(
            [(one.fp, area) for one, area in zip(scores, areas_mm2, strict=True)], repeats=repeats, seed=seed
        ),
        prior=prior,
    )


def _check_found(criterion: Criterion, counts: Floats) -> None:
    """Refuse a choice among thresholds at which nothing is found, counts of shape (g, 4)."""
    if criterion.false_per_mm2 is not None and criterion.merit(counts[:, None])[0] <= 0:
        raise FormatError(
            "no threshold can be chosen: wherever a figure is found there are more than "
            f"{criterion.false_per_mm2:g} false detections per mm²",
            where="evaluation",
            mend="allow more of them",
        )
    if criterion.by_laboratory and not counts[counts[:, :3].any(axis=1), 0].all():
        raise FormatError(
            "no threshold can be chosen: at none are figures of all laboratories found",
            where="evaluation",
        )


def _known_areas(criterion: Criterion, areas_mm2: Sequence[float] | None, cases: int) -> Sequence[float]:
    if areas_mm2 is None and criterion.false_per_mm2 is not None:
        raise ConfigError(
            f"{criterion.name} needs the examined area of all images", where="--point", mend="give --mpp"
        )
    return [0.0] * cases if areas_mm2 is None else areas_mm2


def _counts(cases: Sequence[Steps], offered: Floats, areas_mm2: Sequence[float]) -> Floats:
    """Return TP, FP, FN and mm² of each case at each threshold, shape (cases, t, 4)."""
    counts = np.stack([steps.at_many(offered) for steps in cases]).astype(np.float64)
    areas = np.broadcast_to(np.asarray(areas_mm2)[:, None, None], (*counts.shape[:2], 1))
    return np.concatenate([counts, areas], axis=-1)


def _by_laboratory(criterion: Criterion, counts: Floats, laboratories: Sequence[str] | None) -> Floats:
    """Return the counts of each case in the row of its laboratory, shape (cases, g, t, 4)."""
    if not criterion.by_laboratory:
        return counts[:, None]
    names = sorted(set(laboratories or ()))
    if laboratories is None or len(names) < 2:
        raise ConfigError(
            f"{criterion.name} needs cases of two laboratories or more",
            where="--point",
            mend="name them in a column laboratory of the ground truth",
        )
    is_there = np.array([[name == own for name in names] for own in laboratories])
    return np.asarray(np.where(is_there[..., None, None], counts[:, None], 0.0))


def _ratio(parts: Sequence[tuple[float, float]], *, repeats: int, seed: int) -> Estimate:
    """Return the sum of the first over the sum of the second, drawn by case."""
    rows = np.array(parts, np.float64)
    return estimate(
        rows,
        np.arange(len(rows)),
        lambda sums: divide(sums[..., 0], sums[..., 1]),
        repeats=repeats,
        seed=seed,
    )
