"""How far and how fast raters are, and who overruled whom."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from mitoscope.store.queue import read_progress


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """A rater in a round on a slide.

    Parameters
    ----------
    round_id, rater_id, slide_id : int
        Who and where.
    labelled, cells : int
        Cells labelled, of how many; of a first screening all that there are.
    seconds_median : float or None
        Of the labels whose time was taken.
    per_minute : float or None
        Labels a minute at work: their number over the sum of their times.
    """

    round_id: int
    rater_id: int
    slide_id: int
    labelled: int
    cells: int
    seconds_median: float | None
    per_minute: float | None


@dataclass(frozen=True, slots=True)
class Overruling:
    """One rater's labels that another's decision turned: how many, and of how many decided on."""

    overruled_id: int
    by_id: int
    cells: int
    decided: int


_TIMES_SQL = """
SELECT e.round_id, e.rater_id, c.slide_id, e.seconds FROM event AS e JOIN cell AS c ON c.id = e.cell_id
WHERE e.kind = 'label' AND e.label_id IS NOT NULL AND e.seconds IS NOT NULL
"""
_WORKED_SQL = """
SELECT DISTINCT round_id, rater_id FROM rater_tally WHERE cells > 0
UNION SELECT round_id, rater_id FROM assignment ORDER BY 1, 2
"""
# A third expert decides between two who differ; a consensus decides over every expert of the cell.
_OVERRULED_SQL = """
WITH decision AS (
    SELECT t.cell_id, t.rater_id AS by_id, t.label_id FROM expert_opinion AS t
    JOIN first_three AS f ON f.cell_id = t.cell_id
    WHERE t.rank = 3 AND f.first <> f.second AND t.label_id IN (f.first, f.second)
    UNION ALL
    SELECT o.cell_id, o.rater_id, o.label_id FROM opinion AS o
    WHERE o.kind = 'consensus' AND o.label_id IS NOT NULL)
SELECT e.rater_id, d.by_id, sum(e.label_id <> d.label_id), count(*)
FROM decision AS d JOIN expert_opinion AS e ON e.cell_id = d.cell_id AND e.rank <= 2
WHERE e.rater_id <> d.by_id
GROUP BY e.rater_id, d.by_id ORDER BY 1, 2
"""


def progress_rows(connection: sqlite3.Connection) -> list[ProgressRow]:
    """Return how far and how fast each rater is, by round and slide."""
    times: dict[tuple[int, int, int], list[float]] = {}
    for round_id, rater_id, slide_id, seconds in connection.execute(_TIMES_SQL):
        times.setdefault((round_id, rater_id, slide_id), []).append(seconds)
    rows = []
    for round_id, rater_id in connection.execute(_WORKED_SQL).fetchall():
        for slide_id, done in read_progress(connection, rater_id, round_id).items():
            taken = times.get((round_id, rater_id, slide_id), [])
            total = sum(taken)
            rows.append(
                ProgressRow(
                    round_id,
                    rater_id,
                    slide_id,
                    done.labelled,
                    done.cells,
                    float(np.median(taken)) if taken else None,
                    60 * len(taken) / total if total > 0 else None,
                )
            )
    return rows


def overrulings(connection: sqlite3.Connection) -> list[Overruling]:
    """Return who overruled whom: a third expert one of the first two, or a consensus an expert."""
    return [Overruling(*row) for row in connection.execute(_OVERRULED_SQL)]
