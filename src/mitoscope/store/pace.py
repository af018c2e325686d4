"""How long work takes, by the clock of the server.

A browser may say how long something was looked at; it may also be closed over lunch, or lie. So the time of a
tile or a cell is taken from when its actions came in: each lasted from the rater's action before, whatever it
was about, to itself. What is longer than `BREAK_S` is a break, and what is shorter than `WAITED_S` came in a
batch, from a browser that was offline or from a file; neither is counted, nor is the first action of all.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mitoscope.store.encoding import id_list

BREAK_S = 300.0
"""Longer pauses between two actions of a rater are breaks."""
WAITED_S = 0.2
"""Nobody looks at something and answers faster: such answers waited together."""

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
    """Return how fast these raters worked, by round and rater; those of whom nothing is timed are left out.

    The time of a tile or cell is the sum of those of its actions: what is corrected takes longer.
    """
    rows = np.fromiter(connection.execute(_ACTIONS_SQL, {"raters": id_list(raters)}), dtype=_ACTION)
    rows = rows[np.lexsort((rows["time"], rows["rater"]))]
    if len(rows) < 2:
        return {}
    took = np.diff(rows["time"])
    same_rater = rows["rater"][1:] == rows["rater"][:-1]
    kept = same_rater & (took <= BREAK_S) & (took >= WAITED_S)
    rows, took = rows[1:][kept], took[kept]
    work = rows[["round", "rater", "piece"]]
    pieces, index = np.unique(work, return_inverse=True)
    seconds = np.bincount(index, weights=took, minlength=len(pieces))
    by_work: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (round_id, rater_id, _), taken in zip(pieces.tolist(), seconds.tolist(), strict=True):
        by_work[round_id, rater_id].append(taken)
    return {
        of: Pace(len(taken), float(np.mean(taken)), float(np.median(taken))) for of, taken in by_work.items()
    }
