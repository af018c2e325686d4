"""The agreed class of a cell: a view by policy, never stored over what the raters said."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.encoding import well_formed


class Policy(StrEnum):
    """How the labels of a cell become one; the SQL views of the same names say it exactly."""

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


CROWD_THRESHOLD = 0.5
"""A label needs the score of half of the crowd by default."""


@dataclass(frozen=True, eq=False)
class Agreed:
    """The agreed class of all live cells, in order of their ids.

    Parameters
    ----------
    cell_id : ndarray of int64, shape (n,)
        Ids of the cells.
    slide_id : ndarray of int64, shape (n,)
        Their slides.
    label_id : ndarray of int64, shape (n,)
        The agreed label; 0 where there is none.
    """

    cell_id: NDArray[np.int64]
    slide_id: NDArray[np.int64]
    label_id: NDArray[np.int64]


@well_formed()
def agreed(connection: sqlite3.Connection, policy: Policy, *, threshold: float = CROWD_THRESHOLD) -> Agreed:
    """Return the agreed class of all live cells.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    policy : Policy
        How labels become one.
    threshold : float
        Smallest score of the crowd policy, in [0, 1].
    """
    where = "WHERE score >= ?" if policy is Policy.CROWD else ""
    view = f"SELECT cell_id, label_id FROM agreed_{Policy(policy)} {where}"  # noqa: S608 names of an enum
    values = (threshold,) if policy is Policy.CROWD else ()
    labels = dict(connection.execute(view, values).fetchall())
    cells = connection.execute("SELECT id, slide_id FROM cell WHERE is_deleted = 0 ORDER BY id").fetchall()
    table = np.array(cells, dtype=np.int64).reshape(-1, 2)
    label_id = [labels.get(cell) or 0 for cell, _ in cells]
    return Agreed(table[:, 0], table[:, 1], np.array(label_id, dtype=np.int64))
