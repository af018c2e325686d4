"""Which label of a cell is the agreed one: the policies of the papers, on columns of opinions.

Every room that needs the class of a cell gets it from here: the store's overview and versions, exports,
training, evaluation and counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError

NO_CLASS: Final = -1
"""Where a cell has no agreed class, and where a rater withdrew a label."""
CROWD_THRESHOLD: Final = 0.5
"""A label needs the score of half of the crowd by default."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class RaterKind(StrEnum):
    """Who speaks."""

    EXPERT = "expert"
    CROWD = "crowd"
    MODEL = "model"
    CONSENSUS = "consensus"
    """Several raters with one voice, or a file that states only the outcome."""


class Part(IntEnum):
    """In which part of the work an expert spoke of a cell: it tells a further reader from a third expert."""

    UNSTATED = 0
    """In no certain one, as in most files: the third to speak is the third expert."""
    READING = 1
    """In a screening, a second read or a review of candidates: one more independent reading."""
    DECISION = 2
    """As a third expert, who was asked because two differ."""


class Policy(StrEnum):
    """How the labels of a cell become one."""

    SETTLED = "settled"
    """What was recorded as the outcome, else the experts' majority, else the word of the only expert, else
    the crowd's. The default everywhere: after a review every cell has the class that the review gave it."""
    UNANIMOUS = "unanimous"
    """All experts and crowd raters gave the same label (SlideRunner's rule for its agreed class)."""
    CONSENSUS = "consensus"
    """The first two experts agree, or else what was recorded as their consensus (CCMCT)."""
    MAJORITY = "majority"
    """The first two experts agree, or else the third decides between them (CMC, MIDOG++)."""
    CROWD = "crowd"
    """The label of the highest score among crowd raters, where it reaches a threshold (Ji et al.)."""
    RECORDED = "recorded"
    """The last label of a rater of kind consensus, e.g. the outcome that a file states."""


_KINDS: Final = tuple(RaterKind)


@dataclass(frozen=True, eq=False)
class Opinions:
    """The last word of each rater on each cell, in columns of equal length.

    Parameters
    ----------
    cell : ndarray of int64, shape (n,)
        Row of the cell.
    rater : ndarray of int64, shape (n,)
        Number of the rater.
    kind : ndarray of int64, shape (n,)
        Index of the rater's kind into ``tuple(RaterKind)``.
    label : ndarray of int64, shape (n,)
        Number of the class, at least 0; opinions that were withdrawn are not among them.
    score : ndarray of float64, shape (n,)
        In [0, 1], NaN where none was given.
    first : ndarray of int64, shape (n,)
        When the rater first spoke of the cell, in any unit: the order of the experts.
    last : ndarray of int64, shape (n,)
        When the rater last spoke of it.
    part : ndarray of int64, shape (n,)
        In which :class:`Part` of the work the last word was given.
    """

    cell: Ints
    rater: Ints
    kind: Ints
    label: Ints
    score: Floats
    first: Ints
    last: Ints
    part: Ints

    def take(self, rows: NDArray[np.bool_] | Ints) -> Opinions:
        """Return some of the opinions."""
        return Opinions(
            self.cell[rows],
            self.rater[rows],
            self.kind[rows],
            self.label[rows],
            self.score[rows],
            self.first[rows],
            self.last[rows],
            self.part[rows],
        )

    def of_kinds(self, *kinds: RaterKind) -> Opinions:
        """Return the opinions of raters of some kinds."""
        return self.take(np.isin(self.kind, [_KINDS.index(kind) for kind in kinds]))


def last_opinions(
    cell: Ints,
    rater: Ints,
    label: Ints,
    score: Floats,
    *,
    kind_of_rater: list[RaterKind],
    order: Ints | None = None,
    part: Ints | None = None,
) -> Opinions:
    """Return the last word of each rater on each cell, from label events in their order.

    Parameters
    ----------
    cell, rater, label : ndarray of int64, shape (n,)
        Of each event; a label below 0 withdraws what the rater said before.
    score : ndarray of float64, shape (n,)
        NaN where there is none.
    kind_of_rater : list of RaterKind
        By number of the rater.
    order : ndarray of int64, shape (n,), optional
        Ascending numbers of the events, by default their rows.
    part : ndarray of int64, shape (n,), optional
        In which :class:`Part` of the work each was given, by default unstated.
    """
    parts = np.zeros(len(cell), dtype=np.int64) if part is None else part
    when = np.arange(len(cell), dtype=np.int64) if order is None else order
    pair = cell * max(len(kind_of_rater), 1) + rater
    _, first, place = np.unique(pair, return_index=True, return_inverse=True)
    last = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(last, place, np.arange(len(pair)))
    kinds = np.array([_KINDS.index(kind) for kind in kind_of_rater] or [0], dtype=np.int64)
    found = Opinions(
        cell[last],
        rater[last],
        kinds[rater[last]],
        label[last],
        score[last],
        when[first],
        when[last],
        parts[last],
    )
    return found.take(found.label >= 0)


@dataclass(frozen=True, eq=False)
class AgreedClasses:
    """The agreed class of each cell.

    Parameters
    ----------
    label : ndarray of int64, shape (cells,)
        Number of the class, `NO_CLASS` where there is none.
    agreement : ndarray of float64, shape (cells,)
        Share of the experts and crowd raters who gave that label, in [0, 1]. Where none of them spoke: the
        share that a consensus stated with the label (the agreement of merged crowd boxes), where only a model
        spoke its score, else 1. NaN where there is no class.
    """

    label: Ints
    agreement: Floats


def agreed_classes(
    opinions: Opinions, cells: int, policy: Policy, *, threshold: float = CROWD_THRESHOLD
) -> AgreedClasses:
    """Return the agreed class of all cells under a policy, with the agreement on it.

    Parameters
    ----------
    opinions : Opinions
        Their cells are rows below ``cells``.
    cells : int
        Number of cells.
    policy : Policy
        The rule.
    threshold : float
        Smallest score of the crowd, in [0, 1].

    Raises
    ------
    FormatError
        If a score is not in [0, 1].
    """
    given = opinions.score[~np.isnan(opinions.score)]
    if len(given) and not (given.min() >= 0 and given.max() <= 1):
        odd = given[(given < 0) | (given > 1)][0]
        raise FormatError(f"a score of {odd:g} is not in [0, 1]", where="labels")
    label = _RULES[policy](opinions, cells, threshold)
    return AgreedClasses(label, _agreement(opinions, label))


def _recorded(opinions: Opinions, cells: int, _: float) -> Ints:
    spoken = opinions.of_kinds(RaterKind.CONSENSUS)
    label = np.full(cells, NO_CLASS, dtype=np.int64)
    order = np.argsort(spoken.last, kind="stable")
    label[spoken.cell[order]] = spoken.label[order]
    return label


def _unanimous(opinions: Opinions, cells: int, _: float) -> Ints:
    people = opinions.of_kinds(RaterKind.EXPERT, RaterKind.CROWD)
    low = np.full(cells, np.iinfo(np.int64).max)
    high = np.full(cells, NO_CLASS, dtype=np.int64)
    np.minimum.at(low, people.cell, people.label)
    np.maximum.at(high, people.cell, people.label)
    return np.where(low == high, high, NO_CLASS)


def ranked_experts(opinions: Opinions) -> tuple[Opinions, Ints]:
    """Return the opinions of experts by cell, and which of its experts each is: first, second, third, ….

    The first two are those who spoke first. The third is who was asked to decide between them, the last of
    several; where nobody was, it is the next reader.
    """
    experts = opinions.of_kinds(RaterKind.EXPERT)
    experts = experts.take(np.lexsort((experts.rater, experts.first, experts.cell)))
    rank = _rank_in_cell(experts.cell)
    decides = (rank >= 2) & (experts.part == Part.DECISION)
    turn = np.where(rank < 2, 0, np.where(decides, 1, 2))
    experts = experts.take(np.lexsort((np.where(decides, -experts.last, experts.first), turn, experts.cell)))
    return experts, _rank_in_cell(experts.cell)


def _rank_in_cell(cell: Ints) -> Ints:
    """Return the place of each row among those of its cell, from 0; rows of a cell stand together."""
    starts = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]]) if len(cell) else np.empty(0, np.int64)
    return np.arange(len(cell)) - np.repeat(starts, np.diff(np.r_[starts, len(cell)]))


def first_three(opinions: Opinions, cells: int) -> Ints:
    """Return the labels of the first, second and third expert (:func:`ranked_experts`), shape (cells, 3)."""
    experts, rank = ranked_experts(opinions)
    return _table(experts, rank, experts.label, cells)


def _table(experts: Opinions, rank: Ints, values: Ints, cells: int) -> Ints:
    table = np.full((cells, 3), NO_CLASS, dtype=np.int64)
    kept = rank < 3
    table[experts.cell[kept], rank[kept]] = values[kept]
    return table


@dataclass(frozen=True, eq=False)
class Disputes:
    """On which cells experts differ.

    Parameters
    ----------
    differ : ndarray of bool, shape (cells,)
        The first two experts gave different labels: the disagreement that tables of agreement print.
    is_open : ndarray of bool, shape (cells,)
        Of these, nobody has decided yet: no third expert agreed with one of the two, and no consensus was
        recorded after both had spoken. A further reader of the cell is not a third expert: that label counts
        in the majority, and the cell waits all the same.
    """

    differ: NDArray[np.bool_]
    is_open: NDArray[np.bool_]


def disputes(opinions: Opinions, cells: int) -> Disputes:
    """Return on which cells the first two experts differ, and which of these wait for a decision."""
    experts, rank = ranked_experts(opinions)
    first, second, third = _table(experts, rank, experts.label, cells).T
    differ = (first != NO_CLASS) & (second != NO_CLASS) & (first != second)
    part_of_third = _table(experts, rank, experts.part, cells)[:, 2]
    is_decided = (part_of_third != Part.READING) & (majority_of_three(first, second, third) != NO_CLASS)
    spoken = opinions.of_kinds(RaterKind.CONSENSUS)
    recorded = np.full(cells, -1, dtype=np.int64)
    np.maximum.at(recorded, spoken.cell, spoken.last)
    is_settled = recorded > _table(experts, rank, experts.last, cells)[:, :2].max(axis=1)
    return Disputes(differ, differ & ~is_decided & ~is_settled)


def majority_of_three(first: Ints, second: Ints, third: Ints) -> Ints:
    """Return the label on which two experts agree, else that of a third who decides, else `NO_CLASS`.

    CMC and MIDOG++: the third expert sees only the cells on which the first two disagree.
    """
    both = (first != NO_CLASS) & (second != NO_CLASS)
    agreed = both & (first == second)
    decides = both & (third != NO_CLASS) & ((third == first) | (third == second))
    return np.where(agreed, first, np.where(decides, third, NO_CLASS))


def _majority(opinions: Opinions, cells: int, _: float) -> Ints:
    return majority_of_three(*first_three(opinions, cells).T)


def _consensus(opinions: Opinions, cells: int, threshold: float) -> Ints:
    first, second, _ = first_three(opinions, cells).T
    recorded = _recorded(opinions, cells, threshold)
    outcome = np.where((first == second) & (first != NO_CLASS), first, recorded)
    return np.where(first == NO_CLASS, NO_CLASS, outcome)  # a consensus of experts needs one


def _crowd(opinions: Opinions, cells: int, threshold: float) -> Ints:
    label, score = _crowd_scores(opinions, cells)
    return np.where(score >= threshold, label, NO_CLASS)


def _crowd_scores(opinions: Opinions, cells: int) -> tuple[Ints, Floats]:
    """Return the label of the crowd's highest score, of equals that of the lowest number, and the score."""
    crowd = opinions.of_kinds(RaterKind.CROWD)
    label, best = np.full(cells, NO_CLASS, dtype=np.int64), np.full(cells, -1.0)
    if not len(crowd.cell):
        return label, best
    asked = np.bincount(crowd.cell, minlength=cells)
    labels = int(crowd.label.max()) + 1
    key, place = np.unique(crowd.cell * labels + crowd.label, return_inverse=True)
    total = np.bincount(place, weights=np.where(np.isnan(crowd.score), 1.0, crowd.score))
    cell, name = key // labels, key % labels
    score = total / asked[cell]
    order = np.lexsort((-name, score))
    label[cell[order]], best[cell[order]] = name[order], score[order]
    return label, best


def _settled(opinions: Opinions, cells: int, threshold: float) -> Ints:
    table = first_three(opinions, cells)
    only = np.where((table[:, 0] != NO_CLASS) & (table[:, 1] == NO_CLASS), table[:, 0], NO_CLASS)
    crowd = np.where(table[:, 0] != NO_CLASS, NO_CLASS, _crowd(opinions, cells, threshold))
    label = _recorded(opinions, cells, threshold)
    for rule in (majority_of_three(*table.T), only, crowd):
        label = np.where(label == NO_CLASS, rule, label)
    return label


_RULES = {
    Policy.SETTLED: _settled,
    Policy.UNANIMOUS: _unanimous,
    Policy.CONSENSUS: _consensus,
    Policy.MAJORITY: _majority,
    Policy.CROWD: _crowd,
    Policy.RECORDED: _recorded,
}


def _agreement(opinions: Opinions, label: Ints) -> Floats:
    cells = len(label)
    people = opinions.of_kinds(RaterKind.EXPERT, RaterKind.CROWD)
    asked = np.bincount(people.cell, minlength=cells).astype(np.float64)
    # A crowd rater may answer with a score: the agreement is then the mean score, as in the crowd's rule.
    voice = np.where(np.isnan(people.score), 1.0, people.score)
    yes = np.bincount(people.cell, weights=voice * (people.label == label[people.cell]), minlength=cells)
    share = np.divide(yes, asked, out=np.full(cells, np.nan), where=asked > 0)
    share = np.where(np.isnan(share), _stated_share(opinions, label), share)
    return np.where(label == NO_CLASS, np.nan, share)


def _stated_share(opinions: Opinions, label: Ints) -> Floats:
    stated = np.ones(len(label))
    for kind in (RaterKind.MODEL, RaterKind.CONSENSUS):  # a consensus is not weakened by what a model scored
        said = opinions.of_kinds(kind)
        rows = np.flatnonzero(said.label == label[said.cell])
        score = np.full(len(label), np.nan)
        np.fmax.at(score, said.cell[rows], said.score[rows])
        stated[said.cell[rows]] = np.where(np.isnan(score), 1.0, score)[said.cell[rows]]
    return stated
