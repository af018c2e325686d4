"""How far raters agree: per domain and in all, as MIDOG++ Table 3 prints it, and with kappas and alpha."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.ratings import NO_LABEL, Ratings, ratings
from mitoscope.statistics import (
    REPEATS,
    Estimate,
    alpha_of,
    alpha_parts,
    cohen_of,
    confusion_parts,
    divide,
    estimate,
    fleiss_of,
    fleiss_parts,
)
from mitoscope.store import RaterKind, Study
from mitoscope.truth import majority_of_three

Measure = Callable[[NDArray[np.float64]], NDArray[np.float64]]

ALL = "all"
"""The name of the row over all domains."""


@dataclass(frozen=True, slots=True)
class TwoReads:
    """What the first two raters of a cell said, and what a third made of their disputes.

    Parameters
    ----------
    cells : int
        Cells with labels of two raters or more.
    agreed : mapping
        Label → cells to which both gave it.
    disagreed : int
        Cells on which the two differ.
    third : mapping
        Label → disputed cells to which a third rater gave it.
    final : mapping
        Label → cells after the third.
    unresolved : int
        Disputed cells without a third, or to which the third gave a third label.
    undisputed_thirds : int
        Cells with a third label although the first two agree. A third expert is asked of disputes alone:
        some of these labels may be those of a model, as in MIDOG++ from its domain 2 on, and so may some of
        what looks like a dispute.
    """

    cells: int
    agreed: Mapping[str, int]
    disagreed: int
    third: Mapping[str, int]
    final: Mapping[str, int]
    unresolved: int
    undisputed_thirds: int = 0

    @property
    def third_share(self) -> dict[str, float]:
        """Label → share of the third's labels."""
        total = sum(self.third.values())
        return {label: count / total for label, count in self.third.items()} if total else {}


@dataclass(frozen=True, eq=False)
class PairAgreement:
    """Two raters: the cells both labelled, their confusion (rows the first's labels), Cohen's kappa."""

    raters: tuple[str, str]
    cells: int
    confusion: NDArray[np.int64]
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class RaterTime:
    """Seconds a label: how many are timed, their median and quartiles."""

    rater: str
    labels: int
    median_s: float
    quartiles_s: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Agreement:
    """The agreement in one domain, or in all.

    Parameters
    ----------
    domain : str
        Its name, or :data:`ALL`.
    cells, cases : int
        With at least one label.
    reads : TwoReads
        Two reads and a third.
    disagreement : Estimate
        Of the first two.
    fleiss : Estimate
        Fleiss' kappa of the first ``fleiss_raters`` labels of each cell.
    fleiss_raters : int
        The number of labels that every cell with two or more has. A third expert sees disputed cells only:
        a kappa over the cells with exactly two labels would be 1, and one over those with three nought.
    alpha : Estimate
        Krippendorff's alpha, nominal, over all labels of cells with two or more. It takes absent labels as
        absent by chance, which those of a third expert are not.
    pairs : tuple of PairAgreement
        For each two raters that have cells in common.
    times : tuple of RaterTime
        For each rater whose labels are timed.
    """

    domain: str
    cells: int
    cases: int
    reads: TwoReads
    disagreement: Estimate
    fleiss: Estimate
    fleiss_raters: int
    alpha: Estimate
    pairs: tuple[PairAgreement, ...]
    times: tuple[RaterTime, ...]


def agreement(
    study: Study,
    *,
    kinds: Collection[RaterKind] = (RaterKind.EXPERT,),
    by: Sequence[str] = ("tumour_type",),
    repeats: int = REPEATS,
    seed: int = 0,
) -> tuple[Agreement, ...]:
    """Return the agreement in each domain of a study, and in all.

    Parameters
    ----------
    study : Study
        From a store (``export_study``) or a reader of ``exchange``.
    kinds : collection of RaterKind
        Whose labels count; experts by default.
    by : sequence of str
        Attributes of a slide that make a domain; see :func:`mitoscope.curation.ratings.ratings`.
    repeats, seed : int
        Of the bootstrap intervals, which draw cases.
    """
    whole = ratings(study, kinds=kinds, by=by)
    parts = {name: part for name, part in whole.by_domain().items() if len(part)} | {ALL: whole}
    return tuple(_measure(name, part, repeats=repeats, seed=seed) for name, part in parts.items())


def two_reads(part: Ratings) -> TwoReads:
    """Return what the first two raters said and what the third made of it."""
    first, second, third = (part.in_turn(turn) for turn in range(3))
    read = (first != NO_LABEL) & (second != NO_LABEL)
    first, second, third = first[read], second[read], third[read]
    both = np.where(first == second, first, NO_LABEL)
    disputed = both == NO_LABEL
    final = majority_of_three(first, second, third)
    return TwoReads(
        cells=int(read.sum()),
        agreed=_count(both, part.labels),
        disagreed=int(disputed.sum()),
        third=_count(third[disputed], part.labels),
        final=_count(final, part.labels),
        unresolved=int((final == NO_LABEL).sum()),
        undisputed_thirds=int((~disputed & (third != NO_LABEL)).sum()),
    )


def _count(labels: NDArray[np.int64], names: tuple[str, ...]) -> dict[str, int]:
    return {name: int((labels == index).sum()) for index, name in enumerate(names)}


def _measure(name: str, part: Ratings, *, repeats: int, seed: int) -> Agreement:
    raters = _raters_of_all(part)
    first = fleiss_parts(part.counts(first=raters), raters)
    one, other = part.in_turn(0), part.in_turn(1)
    read = ((one >= 0) & (other >= 0)).astype(np.float64)
    disputed = np.column_stack([read * (one != other), read])

    def interval(parts: NDArray[np.float64], measure: Measure) -> Estimate:
        return estimate(parts, part.case, measure, repeats=repeats, seed=seed)

    return Agreement(
        domain=name,
        cells=len(part),
        cases=len(np.unique(part.case)),
        reads=two_reads(part),
        disagreement=interval(disputed, _rate),
        fleiss=interval(first, lambda sums: fleiss_of(sums, raters)),
        fleiss_raters=raters,
        alpha=interval(alpha_parts(part.counts()), alpha_of),
        pairs=tuple(_pairs(part, repeats=repeats, seed=seed)),
        times=tuple(_times(part)),
    )


def _raters_of_all(part: Ratings) -> int:
    number = part.labels_each()
    return int(number[number >= 2].min(initial=len(part.raters))) if (number >= 2).any() else 2


def _rate(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return divide(sums[..., 0], sums[..., 1])


def _pairs(part: Ratings, *, repeats: int, seed: int) -> list[PairAgreement]:
    found, classes = [], len(part.labels)
    for one, other in combinations(range(len(part.raters)), 2):
        parts = confusion_parts(part.label[:, one], part.label[:, other], classes)
        table = parts.sum(axis=0).astype(np.int64).reshape(classes, classes)
        if table.sum():
            kappa = estimate(parts, part.case, cohen_of, repeats=repeats, seed=seed)
            names = (part.raters[one], part.raters[other])
            found.append(PairAgreement(names, int(table.sum()), table, kappa))
    return found


def _times(part: Ratings) -> list[RaterTime]:
    found = []
    for column, rater in enumerate(part.raters):
        seconds = part.seconds[:, column]
        seconds = seconds[np.isfinite(seconds)]
        if len(seconds):
            low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
            found.append(RaterTime(rater, len(seconds), median, (low, high)))
    return found
