"""What a file's labels come to, cell by cell: the class that a format with room for one label states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.kinds import RaterKind
from mitoscope.store.records import Rater, Study

CONSENSUS = Rater("consensus", RaterKind.CONSENSUS)
"""Who speaks where a file states only the outcome."""
UNKNOWN = -1


def outcome(study: Study) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return label and score of each cell.

    The last label of a consensus rater counts. Where there is none, it is the label on which all others
    agree, each with their last word; where they do not, it is unknown (SlideRunner's rule for
    ``agreedClass``).

    Returns
    -------
    label : ndarray of int64, shape (n,)
        Index into the labels of the study, -1 where it is unknown.
    score : ndarray of float64, shape (n,)
        The highest score that was given with this label, NaN where there is none.
    """
    consensus = [index for index, rater in enumerate(study.raters) if rater.kind is RaterKind.CONSENSUS]
    spoken = np.isin(study.events.rater, consensus)
    label = _unanimous(study, ~spoken)
    label[study.events.cell[spoken]] = study.events.label[spoken]
    return label, _scores(study, label)


def _unanimous(study: Study, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    # All raters' last words; withdrawn labels do not count.
    n = len(study.cells)
    cell, rater, label = (
        column[rows] for column in (study.events.cell, study.events.rater, study.events.label)
    )
    pair = cell * max(len(study.raters), 1) + rater
    _, last = np.unique(pair[::-1], return_index=True)
    last = len(pair) - 1 - last
    last = last[label[last] >= 0]
    low, high = np.full(n, np.iinfo(np.int64).max), np.full(n, UNKNOWN, dtype=np.int64)
    np.minimum.at(low, cell[last], label[last])
    np.maximum.at(high, cell[last], label[last])
    return np.where(low == high, high, UNKNOWN)


def _scores(study: Study, label: NDArray[np.int64]) -> NDArray[np.float64]:
    events = study.events
    score = np.full(len(study.cells), np.nan)
    rows = np.flatnonzero((events.label == label[events.cell]) & ~np.isnan(events.score))
    np.fmax.at(score, events.cell[rows], events.score[rows])
    return score
