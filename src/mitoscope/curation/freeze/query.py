"""Which cells of a study stand in a version of a data set, and under which rule they have their class."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from pydantic import Field

from mitoscope.config import Config
from mitoscope.errors import StoreError
from mitoscope.store.agreed import CROWD_THRESHOLD, Policy, agreed
from mitoscope.store.dump import read_slides
from mitoscope.store.vocabulary import id_of, read_labels


class Query(Config):
    """A choice of cells.

    Parameters
    ----------
    policy : Policy
        How the labels of a cell become one; cells without an agreed class are left out.
    threshold : float
        Smallest score of the crowd policy, in [0, 1].
    slides, tumour_types, labels : tuple of str
        Only these; empty for all.
    without : tuple of str
        Rounds whose listed cells are left out, e.g. candidate rounds, so that the set before them can still
        be frozen after them.
    """

    policy: Policy = Policy.MAJORITY
    threshold: float = Field(default=CROWD_THRESHOLD, ge=0, le=1)
    slides: tuple[str, ...] = ()
    tumour_types: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def select(connection: sqlite3.Connection, query: Query) -> dict[int, int]:
    """Return the label id by cell id of the cells that a query chooses, in order of their ids.

    Raises
    ------
    StoreError
        If there is no slide, tumour type, label or round of a name.
    """
    slides = select_slides(connection, query)
    labels = {id_of(connection, "label", name) for name in query.labels} or set(read_labels(connection))
    left_out = _listed(connection, query.without)
    view = agreed(connection, query.policy, threshold=query.threshold)
    rows = zip(view.cell_id.tolist(), view.slide_id.tolist(), view.label_id.tolist(), strict=True)
    return {
        cell: label
        for cell, slide, label in rows
        if label in labels and slide in slides and cell not in left_out
    }


def select_slides(connection: sqlite3.Connection, query: Query) -> set[int]:
    """Return the ids of the slides that a query chooses.

    Raises
    ------
    StoreError
        If there is no slide or tumour type of a name.
    """
    known = read_slides(connection)
    chosen = {id_of(connection, "slide", name) for name in query.slides} or set(known)
    types = {slide.domain.tumour_type for slide in known.values()}
    for odd in sorted(set(query.tumour_types) - types):
        there = ", ".join(sorted(one for one in types if one)) or "none"
        raise StoreError(f"no slide of the tumour type {odd!r}", mend=f"known are {there}")
    if query.tumour_types:
        chosen = {one for one in chosen if known[one].domain.tumour_type in query.tumour_types}
    return chosen


def _listed(connection: sqlite3.Connection, rounds: Iterable[str]) -> set[int]:
    sql = "SELECT cell_id FROM round_cell WHERE round_id = ?"
    ids = [id_of(connection, "round", name) for name in rounds]
    return {cell for one in ids for (cell,) in connection.execute(sql, (one,))}
