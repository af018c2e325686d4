"""How far and how fast raters are, and who overruled whom."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from mitoscope.store.agreed import read_opinions
from mitoscope.store.queue import read_progress
from mitoscope.truth import NO_CLASS, RaterKind, first_three, ranked_experts


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
    """Return who overruled whom: a third expert one of the first two, or a consensus an expert.

    A third expert decides between two who differ; a consensus decides over every expert of the cell.
    """
    cells = np.array([id_ for (id_,) in connection.execute("SELECT id FROM cell ORDER BY id")], np.int64)
    opinions = read_opinions(connection, cells)
    experts, rank = ranked_experts(opinions)
    first, second, _ = first_three(opinions, len(cells)).T
    one, two = first[experts.cell], second[experts.cell]
    third = experts.take((rank == 2) & (one != two) & ((experts.label == one) | (experts.label == two)))
    heard = experts.take(rank < 2)
    counts: dict[tuple[int, int], list[int]] = {}
    for decided in (third, opinions.of_kinds(RaterKind.CONSENSUS)):
        for by in np.unique(decided.rater).tolist():
            mine = decided.take(decided.rater == by)
            label_of = np.full(len(cells), NO_CLASS, dtype=np.int64)
            label_of[mine.cell] = mine.label
            asked = heard.take((label_of[heard.cell] != NO_CLASS) & (heard.rater != by))
            for overruled in np.unique(asked.rater).tolist():
                rows = asked.rater == overruled
                turned = asked.label[rows] != label_of[asked.cell[rows]]
                pair = counts.setdefault((overruled, by), [0, 0])
                pair[0] += int(turned.sum())
                pair[1] += int(rows.sum())
    return [Overruling(*pair, *numbers) for pair, numbers in sorted(counts.items())]
