"""Who gave which label to which cell: the matrix from which every measure of agreement starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.store import LabelEvents, RaterKind, SlideRecord, Study
from mitoscope.truth import Part

NO_LABEL = -1
"""Stands where a rater gave no label, withdrew it or said "unknown"."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """Labels of live cells by rater.

    Parameters
    ----------
    label : ndarray of int64, shape (n, r)
        Index of the label that rater j gave to cell i, or :data:`NO_LABEL`.
    turn : ndarray of int64, shape (n, r)
        Position of the rater among those of the cell, from 0, in the order in which they first spoke, but
        for a third expert, who comes third however many read; r where the rater gave no label.
    raters : tuple of str
        Names, by column.
    labels : tuple of str
        Names, by index.
    case : ndarray of int64, shape (n,)
        Number of the cell's case: the unit of resampling.
    domain : ndarray of int64, shape (n,)
        Index into ``domains``.
    domains : tuple of str
        Names of the domains.
    seconds : ndarray of float64, shape (n, r)
        Time the rater took; NaN where it is not stated.
    """

    label: NDArray[np.int64]
    turn: NDArray[np.int64]
    raters: tuple[str, ...]
    labels: tuple[str, ...]
    case: NDArray[np.int64]
    domain: NDArray[np.int64]
    domains: tuple[str, ...]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Ratings:
        """Return the cells of an array of rows or a mask."""
        return Ratings(
            self.label[rows],
            self.turn[rows],
            self.raters,
            self.labels,
            self.case[rows],
            self.domain[rows],
            self.domains,
            self.seconds[rows],
        )

    def by_domain(self) -> dict[str, Ratings]:
        """Return the ratings of each domain, in order."""
        return {name: self.take(self.domain == index) for index, name in enumerate(self.domains)}

    def in_turn(self, turn: int) -> NDArray[np.int64]:
        """Return the label by the rater who spoke first (0), second (1), ... on each cell, shape (n,)."""
        if not self.raters:
            return np.full(len(self), NO_LABEL, dtype=np.int64)
        spoke = self.turn == turn
        given = np.where(spoke, self.label, NO_LABEL).max(axis=1)
        return np.asarray(given, dtype=np.int64)

    def labels_each(self) -> NDArray[np.int64]:
        """Return how many raters labelled each cell, shape (n,)."""
        return np.asarray((self.label != NO_LABEL).sum(axis=1), dtype=np.int64)

    def counts(self, first: int | None = None) -> NDArray[np.int64]:
        """Return how many raters, or how many of the first so many, gave each label, shape (n, k)."""
        spoke = self.label if first is None else np.where(self.turn < first, self.label, NO_LABEL)
        by_label = [(spoke == label).sum(axis=1) for label in range(len(self.labels))]
        return np.stack(by_label, axis=1) if by_label else np.empty((len(self), 0), dtype=np.int64)


DOMAIN_FIELDS = ("tumour_type", "scanner", "species", "laboratory")


def ratings(
    study: Study,
    *,
    kinds: Collection[RaterKind] = (RaterKind.EXPERT,),
    by: Sequence[str] = ("tumour_type",),
) -> Ratings:
    """Return who gave which label to which live cell.

    A rater's label is the last one given, over all rounds; the order of raters is that of their first labels.

    Parameters
    ----------
    study : Study
        From a store (``export_study``) or a reader of ``exchange``.
    kinds : collection of RaterKind
        Whose labels count; experts by default.
    by : sequence of str
        Attributes that make a domain: ``tumour_type``, ``scanner``, ``species``, ``laboratory``.

    Raises
    ------
    FormatError
        If there is no such attribute.
    """
    odd = [name for name in by if name not in DOMAIN_FIELDS]
    if odd:
        raise FormatError(f"a slide has no {odd[0]!r}", mend=f"known: {', '.join(DOMAIN_FIELDS)}")
    columns = [index for index, rater in enumerate(study.raters) if rater.kind in kinds]
    label, seconds, first, decided = _matrix(study.events, study.parts, columns, len(study.cells))
    domains, domain = _numbered([_domain(slide, by) for slide in study.slides])
    _, case = _numbered([slide.case or f"\0{slide.name}" for slide in study.slides])
    live = ~study.cells.deleted
    given = live & (label != NO_LABEL).any(axis=1)
    slide = study.cells.slide[given]
    return Ratings(
        label=label[given],
        turn=_turns(label[given], first[given], decided[given]),
        raters=tuple(study.raters[index].name for index in columns),
        labels=study.labels.names,
        case=case[slide],
        domain=domain[slide],
        domains=domains,
        seconds=seconds[given],
    )


def _matrix(
    events: LabelEvents, parts: NDArray[np.int64], columns: list[int], cells: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return label, seconds, row of the first event, and that of the last if it decides, else -1."""
    label = np.full((cells, len(columns)), NO_LABEL, dtype=np.int64)
    seconds = np.full((cells, len(columns)), np.nan)
    first = np.full((cells, len(columns)), len(events), dtype=np.int64)
    decided = np.full((cells, len(columns)), -1, dtype=np.int64)
    for column, rater in enumerate(columns):
        rows = np.flatnonzero(events.rater == rater)
        # Of repeated indexes NumPy keeps the last assignment, so rows in order leave the last label.
        label[events.cell[rows], column] = events.label[rows]
        seconds[events.cell[rows], column] = events.seconds[rows]
        first[events.cell[rows[::-1]], column] = rows[::-1]
        decided[events.cell[rows], column] = np.where(parts[rows] == Part.DECISION, rows, -1)
    return label, seconds, first, decided


def _turns(
    label: NDArray[np.int64], first: NDArray[np.int64], decided: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the turn of each rater, by the rule of :func:`mitoscope.truth.ranked_experts`."""
    silent = label == NO_LABEL
    spoke = _places(np.where(silent, np.iinfo(np.int64).max, first))
    decides = (decided >= 0) & (spoke >= 2) & ~silent
    latest = decided.max(initial=0)
    # Whoever decides stands before all further readers, the last of several first.
    turn = _places(np.where(spoke < 2, spoke, np.where(decides, 2 + latest - decided, 3 + latest + spoke)))
    turn[silent] = label.shape[1]
    return turn


def _places(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each value in its row, from 0."""
    order = np.argsort(values, axis=1, kind="stable")
    place = np.empty_like(values)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(values.shape[1]), values.shape), axis=1)
    return place


def _domain(slide: SlideRecord, by: Sequence[str]) -> str:
    return ", ".join(getattr(slide.domain, name) or f"{name.replace('_', ' ')} not stated" for name in by)


def _numbered(names: list[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    index = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return tuple(index), np.array([index[name] for name in names], dtype=np.int64)
