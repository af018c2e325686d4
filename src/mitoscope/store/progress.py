"""How far the work is: of each rater in each round, in the unit of its kind, and how long the rest will take.

A screening is measured in fields, a reading in cells, the crowd's work in tiles and a case review in slides.
Free labelling has no end. In a consensus several speak with one voice: what one of them did, all did.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from mitoscope.store.encoding import id_list
from mitoscope.store.pace import NO_PIECE, paces_of
from mitoscope.store.queue import Progress, read_progress
from mitoscope.store.records import RoundKind
from mitoscope.store.terms import CONSENSUS_RATER, RoundRow, read_assignments, read_round_rows


class WorkUnit(StrEnum):
    """What the work of a round is counted in."""

    CELLS = "cells"
    FIELDS = "fields"
    TILES = "tiles"
    SLIDES = "slides"


_UNIT_OF_KIND = {
    RoundKind.SCREENING: WorkUnit.FIELDS,
    RoundKind.CROWD_BOXES: WorkUnit.TILES,
    RoundKind.CROWD_TILES: WorkUnit.TILES,
    RoundKind.CASE_REVIEW: WorkUnit.SLIDES,
}
_ENDLESS = (RoundKind.UNSTATED, RoundKind.BOARD_REVIEW)
"""Kinds in which a rater labels what is worth it, not all that is there."""


@dataclass(frozen=True, slots=True)
class SlideWork:
    """A rater's work on a slide: units done, of how many; None where nobody knows yet, or there is no end."""

    slide_id: int
    done: int
    of: int | None


@dataclass(frozen=True, slots=True)
class WorkDone:
    """A rater's work in a round.

    Parameters
    ----------
    round_id, rater_id : int
        Where and who.
    unit : WorkUnit
        What is counted.
    slides : tuple of SlideWork
        By slide of the round, in order of their ids; for the crowd none: tiles come in a random order.
    done : int
        Units done.
    of : int or None
        Units in all; None where there is no end. Of a screening whose slides are not all begun the fields of
        the others are expected to be as many as those of the slides begun; None before the first.
    is_estimate : bool
        Whether `of` rests on that.
    seconds : float or None
        Mean time a unit, of the last ones, by the server's clock (`store.pace`).
    last_s : float or None
        When the rater last did something there, in seconds since 1970.
    """

    round_id: int
    rater_id: int
    unit: WorkUnit
    slides: tuple[SlideWork, ...]
    done: int
    of: int | None
    is_estimate: bool = False
    seconds: float | None = None
    last_s: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all is done, and there was something to do."""
        return self.of is not None and not self.is_estimate and self.done >= self.of > 0

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take at the rater's own pace, where both are known, or none is left."""
        if self.of is not None and self.done >= self.of:
            return 0.0
        return None if self.of is None or self.seconds is None else (self.of - self.done) * self.seconds


def unit_of(kind: RoundKind) -> WorkUnit:
    """Return what the work of a kind of round is counted in."""
    return _UNIT_OF_KIND.get(kind, WorkUnit.CELLS)


def speaker_of(connection: sqlite3.Connection, row: RoundRow, rater_id: int) -> int:
    """Return in whose name a rater labels in a round; 0 for a consensus that has not spoken yet."""
    if row.terms.speaks_as == "rater":
        return rater_id
    found = connection.execute("SELECT id FROM rater WHERE name = ?", (CONSENSUS_RATER.name,)).fetchone()
    return 0 if found is None else int(found[0])


def work_done(
    connection: sqlite3.Connection,
    *,
    rounds: Collection[int] | None = None,
    rater_id: int | None = None,
    brief: bool = False,
) -> list[WorkDone]:
    """Return how far raters are in the rounds in which they work or have worked, by round and rater.

    Parameters
    ----------
    rounds : collection of int, optional
        These only.
    rater_id : int, optional
        This rater's only, in the rounds that are given to the rater.
    brief : bool
        Only those to whom a round is given, and without their times, which are looked up label by label.
    """
    rows = read_round_rows(connection)
    chosen = {id_: row for id_, row in rows.items() if rounds is None or id_ in rounds}
    assigned = read_assignments(connection)
    workers = {id_: set(assigned.get(id_, [])) for id_ in chosen}
    if rater_id is None and not brief:
        for id_, worker in _who_worked(connection, chosen):
            # The voice of a consensus is heard beside the names of those who speak with it.
            if chosen[id_].terms.speaks_as == "rater":
                workers[id_].add(worker)
    elif rater_id is not None:
        workers = {id_: found & {rater_id} for id_, found in workers.items()}
    every_slide = [id_ for (id_,) in connection.execute("SELECT id FROM slide ORDER BY id")]
    work = [
        (row, worker, speaker_of(connection, row, worker))
        for id_, row in chosen.items()
        for worker in sorted(workers[id_])
    ]
    paces = {} if brief else _paces(connection, {(row.id, who): (row, who) for row, _, who in work}.values())
    found = []
    for row, worker, speaker in work:
        slides = every_slide if row.terms.slides is None else sorted(row.terms.slides)
        pace = paces.get((row.id, speaker), (None, None))
        found.append(_work(connection, row, worker, speaker, slides, pace))
    return found


def rounds_read(connection: sqlite3.Connection) -> list[int]:
    """Return the open rounds in which everybody who works there has done all."""
    assigned = read_assignments(connection)
    open_ = [id_ for id_, row in read_round_rows(connection).items() if row.terms.is_open and id_ in assigned]
    is_done = dict.fromkeys(open_, True)
    for work in work_done(connection, rounds=open_, brief=True):
        is_done[work.round_id] &= work.is_complete
    return [id_ for id_, done in is_done.items() if done]


_Pace = tuple[float | None, float | None]


def _work(
    connection: sqlite3.Connection,
    row: RoundRow,
    worker: int,
    speaker: int,
    slides: list[int],
    pace: _Pace,
) -> WorkDone:
    unit, (seconds, last_s) = unit_of(row.kind), pace
    if unit is WorkUnit.TILES:
        answered, tiles = _tiles(connection, row.id, worker)
        return WorkDone(row.id, worker, unit, (), answered, tiles, seconds=seconds, last_s=last_s)
    if unit is WorkUnit.FIELDS:
        by_slide = tuple(_fields(connection, row.id, worker, slides))
    elif unit is WorkUnit.SLIDES:
        by_slide = tuple(_signed(connection, row.id, worker, slides))
    else:
        by_slide = tuple(_cells(connection, row, speaker, slides))
    of, is_estimate = _total(by_slide, unit)
    done = sum(work.done for work in by_slide)
    return WorkDone(row.id, worker, unit, by_slide, done, of, is_estimate, seconds, last_s)


def _total(slides: Collection[SlideWork], unit: WorkUnit) -> tuple[int | None, bool]:
    known = [slide.of for slide in slides if slide.of is not None]
    if len(known) == len(slides):
        return sum(known), False
    if unit is not WorkUnit.FIELDS or not known:
        return None, False
    return round(sum(known) / len(known) * len(slides)), True


def _cells(
    connection: sqlite3.Connection, row: RoundRow, speaker: int, slides: Iterable[int]
) -> Iterator[SlideWork]:
    progress = read_progress(connection, speaker, row.id)
    for slide in slides:
        one = progress.get(slide, Progress(0, 0))
        yield SlideWork(slide, one.labelled, None if row.kind in _ENDLESS else one.cells)


_FIELDS_SQL = """
SELECT s.slide_id, (SELECT max(number) + 1 FROM field AS f WHERE (f.round_id, f.slide_id) = (?1, s.slide_id)),
       (SELECT total(is_covered) FROM field_visit AS v
        WHERE (v.round_id, v.rater_id, v.slide_id, v.pass) = (?1, ?2, s.slide_id, s.pass))
FROM screening AS s WHERE (s.round_id, s.rater_id) = (?1, ?2)
"""


def _fields(
    connection: sqlite3.Connection, round_id: int, rater_id: int, slides: Iterable[int]
) -> Iterator[SlideWork]:
    begun = {
        slide: SlideWork(slide, int(covered), of)
        for slide, of, covered in connection.execute(_FIELDS_SQL, (round_id, rater_id))
    }
    for slide in slides:
        yield begun.get(slide, SlideWork(slide, 0, None))


def _signed(
    connection: sqlite3.Connection, round_id: int, rater_id: int, slides: Iterable[int]
) -> Iterator[SlideWork]:
    sql = "SELECT slide_id FROM signed_result WHERE (round_id, rater_id) = (?, ?)"
    signed = {slide for (slide,) in connection.execute(sql, (round_id, rater_id))}
    for slide in slides:
        yield SlideWork(slide, int(slide in signed), 1)


_TILES_SQL = """
SELECT (SELECT count(*) FROM task_tile WHERE round_id = ?1),
       (SELECT count(*) FROM task_tile AS t WHERE t.round_id = ?1
        AND EXISTS (SELECT 1 FROM tile_answer AS a WHERE (a.tile_id, a.rater_id) = (t.id, ?2)))
"""


def _tiles(connection: sqlite3.Connection, round_id: int, rater_id: int) -> tuple[int, int]:
    of, done = connection.execute(_TILES_SQL, (round_id, rater_id)).fetchone()
    return int(done), int(of)


_WORKED_SQL = """
SELECT DISTINCT round_id, rater_id FROM rater_tally WHERE bucket = -1 AND cells > 0
UNION SELECT DISTINCT round_id, rater_id FROM screening
UNION SELECT DISTINCT round_id, rater_id FROM signed_result
UNION SELECT DISTINCT t.round_id, a.rater_id FROM tile_answer AS a JOIN task_tile AS t ON t.id = a.tile_id
"""


def _who_worked(connection: sqlite3.Connection, rounds: Collection[int]) -> list[tuple[int, int]]:
    models = {id_ for (id_,) in connection.execute("SELECT id FROM rater WHERE kind = 'model'")}
    worked = connection.execute(_WORKED_SQL)
    return [(id_, rater) for id_, rater in worked if id_ in rounds and rater not in models]


RECENT = 200
"""So many of a rater's last labels and visits in a round tell how fast the rater is there now."""
_LABELLED_SQL = """
SELECT e.time_s, n.cell_id FROM label_now AS n INDEXED BY label_by_rater JOIN event AS e ON e.seq = n.last_seq
WHERE (n.rater_id, n.round_id) = (?, ?) AND n.label_id IS NOT NULL AND e.time_s IS NOT NULL
ORDER BY n.last_seq DESC LIMIT ?
"""
_VISITED_SQL = """
SELECT time_s, is_covered FROM field_visit WHERE (rater_id, round_id) = (?, ?)
ORDER BY time_s DESC LIMIT ?
"""
_ANSWERED_SQL = """
SELECT a.rater_id, a.time_s, t.round_id, -a.tile_id
FROM task_tile AS t JOIN tile_answer AS a ON a.tile_id = t.id
WHERE t.round_id IN (SELECT value FROM json_each(?1)) AND a.rater_id IN (SELECT value FROM json_each(?2))
"""
_LAST_SIGNED_SQL = "SELECT max(time_s) FROM signed_result WHERE (rater_id, round_id) = (?, ?)"


def _paces(
    connection: sqlite3.Connection, work: Collection[tuple[RoundRow, int]]
) -> dict[tuple[int, int], _Pace]:
    """Return mean seconds a unit and the last time, by round and rater: both by the clock of the server."""
    actions: list[tuple[int, float, int, int]] = []
    last: dict[tuple[int, int], float | None] = {}
    by_tile: list[tuple[RoundRow, int]] = []
    for row, rater in work:
        unit = unit_of(row.kind)
        if unit is WorkUnit.TILES:
            by_tile.append((row, rater))
        elif unit is WorkUnit.SLIDES:
            (last[row.id, rater],) = connection.execute(_LAST_SIGNED_SQL, (rater, row.id)).fetchone()
        else:
            actions += _recent(connection, row, rater)
    ids = id_list({row.id for row, _ in by_tile}), id_list({rater for _, rater in by_tile})
    actions += connection.execute(_ANSWERED_SQL, ids)
    for rater, time_s, round_id, _ in actions:
        last[round_id, rater] = max(last.get((round_id, rater)) or time_s, time_s)
    paces = paces_of(actions)
    return {of: (paces[of].mean_s if of in paces else None, time_s) for of, time_s in last.items()}


def _recent(
    connection: sqlite3.Connection, row: RoundRow, rater: int
) -> Iterator[tuple[int, float, int, int]]:
    """Yield what a rater did last in a round of cells or fields, as `pace.paces_of` takes it."""
    who = rater, row.id, RECENT
    is_by_field = unit_of(row.kind) is WorkUnit.FIELDS
    for time_s, cell in connection.execute(_LABELLED_SQL, who):
        yield rater, time_s, row.id, NO_PIECE if is_by_field else cell
    if is_by_field:
        for at, (time_s, is_covered) in enumerate(connection.execute(_VISITED_SQL, who)):
            yield rater, time_s, row.id, at if is_covered else NO_PIECE
