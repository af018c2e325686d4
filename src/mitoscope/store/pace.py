"""How long work takes, by the clock of the server.

A browser may say how long something was looked at; it may also be closed over lunch, or lie. So the time of a
tile or a cell is taken from when its actions came in: each lasted from the rater's action before, whatever it
was about, to itself. What is longer than `BREAK_S` is a break, and what is shorter than `WAITED_S` came in a
batch, from a browser that was offline or from a file; neither is counted, nor is the first action of all.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.encoding import id_list

BREAK_S = 300.0
"""Longer pauses between two actions of a rater are breaks."""
WAITED_S = 0.2
"""Nobody looks at something and answers faster: such answers waited together."""

NO_PIECE: Final = np.iinfo(np.int64).min

_ACTIONS_SQL = """
SELECT rater_id, time_s, round_id, cell_id AS piece FROM event
WHERE rater_id IN (SELECT value FROM json_each(:raters)) AND round_id IS NOT NULL AND time_s IS NOT NULL
UNION ALL
SELECT a.rater_id, a.time_s, t.round_id, -a.tile_id FROM tile_answer AS a
JOIN task_tile AS t ON t.id = a.tile_id WHERE a.rater_id IN (SELECT value FROM json_each(:raters))
"""
_ACTION = np.dtype([("rater", np.int64), ("time", np.float64), ("round", np.int64), ("piece", np.int64)])


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds a tile or cell: how many are timed, their mean and their median."""

    pieces: int
    mean_s: float
    median_s: float


def read_pace(connection: sqlite3.Connection, raters: Iterable[int]) -> Mapping[tuple[int, int], Pace]:
    """Return how fast these raters worked, by round and rater; who was not timed is left out."""
    return paces_of(connection.execute(_ACTIONS_SQL, {"raters": id_list(raters)}))


def paces_of(actions: Iterable[tuple[int, float, int, int]]) -> Mapping[tuple[int, int], Pace]:
    """Return how fast raters worked, by round and rater, from their actions in any order.

    The time of a piece is the sum of those of its actions: what is corrected takes longer.

    Parameters
    ----------
    actions : iterable of tuple
        Rater, seconds since 1970, round, and a number of the piece; `NO_PIECE` for what takes time but is
        none, which the mean includes.
    """
    rows = np.fromiter(actions, dtype=_ACTION)
    rows = rows[np.lexsort((rows["time"], rows["rater"]))]
    took = np.diff(rows["time"])
    kept = (np.diff(rows["rater"]) == 0) & (took <= BREAK_S) & (took >= WAITED_S)
    rows, took = rows[1:][kept], took[kept]
    order = np.lexsort((rows["piece"], rows["rater"], rows["round"]))
    rows, took = rows[order], took[order]
    begins = _begins(rows["round"], rows["rater"], rows["piece"])
    seconds, pieces = np.add.reduceat(took, begins) if len(begins) else took, rows[begins]
    bounds = [*_begins(pieces["round"], pieces["rater"]).tolist(), len(pieces)]
    found = {}
    for begin, end in itertools.pairwise(bounds):
        who, spent = pieces[begin], seconds[begin:end]
        of_piece = spent[pieces["piece"][begin:end] != NO_PIECE]
        if len(of_piece):
            pace = Pace(len(of_piece), float(spent.sum()) / len(of_piece), float(np.median(of_piece)))
            found[int(who["round"]), int(who["rater"])] = pace
    return found


def _begins(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where runs of equal keys begin; these are sorted."""
    is_new = np.ones(len(keys[0]), np.bool_)
    is_new[1:] = np.any([np.diff(key) != 0 for key in keys], axis=0)
    return np.flatnonzero(is_new)
