"""Raters and their tasks: how far they agree, how long a tile or cell takes, how often they are right.

Table 3 of Ji et al., by task and by rater. A tile is judged as a whole here, figure or none, whether boxes
were drawn on it or yes and no were asked: so the tasks compare. A cell is judged by its class.

What is right: on gold tiles what is known of them; on the others what more than half of the qualified said
(Ji et al.: the vote of the majority); of a cell what the majority of the experts or a consensus says.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.tiles import TILE_ROUNDS, says_figure
from mitoscope.exchange import inert
from mitoscope.statistics import REPEATS, Estimate, estimate, fleiss_of, fleiss_parts
from mitoscope.store import (
    Pace,
    Policy,
    RoundKind,
    RoundRow,
    Store,
    agreed_by,
    is_right,
    labels_in_round,
    last_event,
    last_statement,
    made_once,
    read_crowd_work,
    read_pace,
    read_raters,
    read_round_rows,
    read_slides,
    state_of_tiles,
)

_NO_KAPPA = Estimate(np.nan, np.nan, np.nan)
_CELL_ROUNDS = (
    RoundKind.SCREENING,
    RoundKind.SECOND_READ,
    RoundKind.THIRD_EXPERT,
    RoundKind.CANDIDATE_REVIEW,
)


@dataclass(frozen=True, slots=True)
class RaterWork:
    """A rater in a task.

    Parameters
    ----------
    task, kind, rater : str
        The round, its kind, the rater.
    state : str
        ``qualified``, ``testing`` or ``failed`` where there are gold tiles to be passed, else empty.
    pieces : int
        Tiles or cells answered.
    timed : int
        Of these, how many were timed by the server; see :mod:`mitoscope.store.pace`.
    seconds_mean, seconds_median : float or None
        A tile or cell.
    gold : int
        Gold tiles answered, of which the first answer counts.
    gold_accuracy : float or None
        Share of them that was right.
    compared : int
        Other tiles or cells of which it is known what is right.
    accuracy : float or None
        Share of these that was right.
    """

    task: str
    kind: str
    rater: str
    state: str
    pieces: int
    timed: int
    seconds_mean: float | None
    seconds_median: float | None
    gold: int
    gold_accuracy: float | None
    compared: int
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class TaskWork:
    """A task of several raters.

    Parameters
    ----------
    task, kind : str
        The round and its kind.
    raters, pieces : int
        Who answered, and of how many tiles or cells.
    kappa : Estimate
        Fleiss' kappa of the first ``kappa_raters`` answers to each tile or cell that so many answered.
    kappa_raters, kappa_pieces : int
        How many answers, and of how many tiles or cells; 0 where there are no two.
    seconds_mean : float or None
        The mean over the raters' means.
    accuracy : float or None
        The mean over the raters' accuracies (Ji et al., "mean accuracy").
    """

    task: str
    kind: str
    raters: int
    pieces: int
    kappa: Estimate
    kappa_raters: int
    kappa_pieces: int
    seconds_mean: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class WorkTable:
    """All tasks of a study, and who worked in them."""

    tasks: tuple[TaskWork, ...]
    raters: tuple[RaterWork, ...]


class _Said(NamedTuple):
    """One answer: of which tile or cell, by whom, what (a class, or 1 and 0 of a tile), on which slide."""

    piece: int
    rater: int
    label: int
    slide: int


@dataclass(slots=True)
class _Task:
    row: RoundRow
    said: list[_Said]
    truth: Mapping[int, int]
    gold: Mapping[int, Sequence[bool]]
    """Rater → whether each gold tile was right."""
    state: Mapping[int, str]
    not_compared: frozenset[int]


def work_table(store: Store, *, name: str | None = None, repeats: int = REPEATS, seed: int = 0) -> WorkTable:
    """Return how far raters agree, how fast they are and how often right, by task and by rater.

    Parameters
    ----------
    store : Store
    name : str, optional
        Of a round; by default all rounds in which anybody has answered.
    repeats, seed : int
        Of the intervals of kappa, which draw cases.
    """
    with store.reading() as connection:
        rows = [row for row in read_round_rows(connection).values() if name is None or row.name == name]
        stated, intervals = last_statement(connection), {"repeats": repeats, "seed": seed}
        found: dict[int, _Work] = {}
        for row in rows:
            if row.kind in TILE_ROUNDS:
                state = (stated, repeats, seed, *state_of_tiles(connection, row.id))
                make = partial(_work_on_tiles, connection, row, **intervals)
                found[row.id] = made_once(connection, ("work", row.id), state, make)
        cell_rows = [row for row in rows if row.kind in _CELL_ROUNDS]
        if cell_rows:
            ids = tuple(row.id for row in cell_rows)
            state = (stated, repeats, seed, last_event(connection))
            make_all = partial(_work_on_cells, connection, cell_rows, **intervals)
            found |= made_once(connection, ("work", *ids), state, make_all)
        works = {row.id: found[row.id] for row in rows if row.id in found and found[row.id].by_rater}
        pace = read_pace(connection, {rater for work in works.values() for rater in work.by_rater})
    timed = [_timed(work, id_, pace) for id_, work in works.items()]
    return WorkTable(
        tuple(work.task for work in timed),
        tuple(rater for work in timed for rater in work.by_rater.values()),
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """A task and its raters by id."""

    task: TaskWork
    by_rater: Mapping[int, RaterWork]


def _work_on_tiles(connection: sqlite3.Connection, row: RoundRow, *, repeats: int, seed: int) -> _Work:
    return _untimed(connection, _tiles(connection, row), _cases(connection), repeats=repeats, seed=seed)


def _work_on_cells(
    connection: sqlite3.Connection, rows: Sequence[RoundRow], *, repeats: int, seed: int
) -> dict[int, _Work]:
    case_of = _cases(connection)
    return {
        task.row.id: _untimed(connection, task, case_of, repeats=repeats, seed=seed)
        for task in _cells(connection, rows)
    }


def _untimed(
    connection: sqlite3.Connection, task: _Task, case_of: Mapping[int, int], *, repeats: int, seed: int
) -> _Work:
    """Return the work in a task but for how long it took: raters also work elsewhere."""
    names = {id_: rater.name for id_, rater in read_raters(connection).items()}
    by_rater = _raters(task, names)
    return _Work(_task(task, list(by_rater.values()), case_of, repeats=repeats, seed=seed), by_rater)


def _timed(work: _Work, round_id: int, pace: Mapping[tuple[int, int], Pace]) -> _Work:
    by_rater = {}
    for id_, rater in work.by_rater.items():
        speed = pace.get((round_id, id_))
        by_rater[id_] = (
            rater
            if speed is None
            else replace(rater, timed=speed.pieces, seconds_mean=speed.mean_s, seconds_median=speed.median_s)
        )
    means = [rater.seconds_mean for rater in by_rater.values() if rater.seconds_mean is not None]
    return _Work(replace(work.task, seconds_mean=_mean(means)), by_rater)


def _cases(connection: sqlite3.Connection) -> dict[int, int]:
    """Return the number of the case of each slide."""
    slides = read_slides(connection)
    cases = {
        case: at
        for at, case in enumerate(dict.fromkeys(slide.case or slide.name for slide in slides.values()))
    }
    return {id_: cases[one.case or one.name] for id_, one in slides.items()}


def _right_cells(connection: sqlite3.Connection, cells: Collection[int]) -> dict[int, int]:
    """Return the class of those cells that have one by two experts or more, or by a consensus."""
    found: dict[int, int] = {}
    for view in agreed_by(connection, (Policy.MAJORITY, Policy.RECORDED), cells=cells):
        known = view.label_id > 0
        found |= dict(zip(view.cell_id[known].tolist(), view.label_id[known].tolist(), strict=True))
    return found


def _cells(connection: sqlite3.Connection, rows: Sequence[RoundRow]) -> list[_Task]:
    said = {row.id: [_Said(*reading) for reading in labels_in_round(connection, row.id)] for row in rows}
    asked = {reading.piece for given in said.values() for reading in given}
    right = _right_cells(connection, asked) if asked else {}
    return [_Task(row, said[row.id], right, {}, {}, frozenset()) for row in rows]


def _tiles(connection: sqlite3.Connection, row: RoundRow) -> _Task:
    work = read_crowd_work(connection, row.id)
    slide_of = {tile.id: tile.slide_id for tile in work.tiles}
    gold = {tile.id: tile.gold for tile in work.tiles if tile.gold is not None}
    said = [
        _Said(answer.tile_id, answer.rater_id, int(says_figure(answer.content)), slide_of[answer.tile_id])
        for answer in work.answers
    ]
    qualified = {rater for rater, stands in work.standing.items() if stands.state == "qualified"}
    votes: dict[int, list[int]] = defaultdict(list)
    for answer in said:
        if answer.rater in qualified:
            votes[answer.piece].append(answer.label)
    # With a single answer there is no majority to be measured by, and a draw is none either.
    truth = {
        tile: int(2 * sum(given) > len(given))
        for tile, given in votes.items()
        if len(given) > 1 and 2 * sum(given) != len(given)
    }
    on_gold: dict[int, list[bool]] = defaultdict(list)
    for one in work.answers if gold else ():
        if one.tile_id in gold:
            on_gold[one.rater_id].append(is_right(gold[one.tile_id], one.first))
    state = {rater: stands.state for rater, stands in work.standing.items() if stands.needed}
    return _Task(row, said, truth, on_gold, dict(state), frozenset(gold))


def _raters(task: _Task, names: Mapping[int, str]) -> dict[int, RaterWork]:
    by_rater: dict[int, list[_Said]] = defaultdict(list)
    for reading in task.said:
        by_rater[reading.rater].append(reading)
    found = {}
    for rater, mine in sorted(by_rater.items()):
        gold = task.gold.get(rater, ())
        compared = [
            task.truth[reading.piece] == reading.label
            for reading in mine
            if reading.piece in task.truth and reading.piece not in task.not_compared
        ]
        found[rater] = RaterWork(
            task=task.row.name,
            kind=str(task.row.kind),
            rater=names[rater],
            state=task.state.get(rater, ""),
            pieces=len(mine),
            timed=0,
            seconds_mean=None,
            seconds_median=None,
            gold=len(gold),
            gold_accuracy=_mean(gold),
            compared=len(compared),
            accuracy=_mean(compared),
        )
    return found


def _task(
    task: _Task, raters: Sequence[RaterWork], case_of: Mapping[int, int], *, repeats: int, seed: int
) -> TaskWork:
    answers: dict[int, list[_Said]] = defaultdict(list)
    for reading in task.said:
        answers[reading.piece].append(reading)
    several = [given for given in answers.values() if len(given) > 1]
    each = int(np.median([len(given) for given in several])) if several else 0
    used = [given[:each] for given in several if len(given) >= each]
    return TaskWork(
        task=task.row.name,
        kind=str(task.row.kind),
        raters=len(raters),
        pieces=len(answers),
        kappa=_kappa(used, each, case_of, repeats=repeats, seed=seed) if used else _NO_KAPPA,
        kappa_raters=each,
        kappa_pieces=len(used),
        seconds_mean=None,
        accuracy=_mean([rater.accuracy for rater in raters if rater.accuracy is not None]),
    )


def _kappa(
    used: Sequence[Sequence[_Said]], raters: int, case_of: Mapping[int, int], *, repeats: int, seed: int
) -> Estimate:
    labels = sorted({reading.label for given in used for reading in given})
    said = np.array([[reading.label for reading in given] for given in used])
    counts = np.stack([(said == label).sum(axis=1) for label in labels], axis=1)
    case: NDArray[np.int64] = np.array([case_of[given[0].slide] for given in used], dtype=np.int64)
    parts = fleiss_parts(counts, raters)
    return estimate(parts, case, lambda sums: fleiss_of(sums, raters), repeats=repeats, seed=seed)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def raters_csv(table: WorkTable) -> str:
    """Return the rows of the raters as the text of a CSV."""
    text = io.StringIO()
    columns = [field.name for field in fields(RaterWork)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for rater in table.raters:
        values = asdict(rater)
        writer.writerow(
            [
                ""
                if values[name] is None
                else inert(values[name])
                if isinstance(values[name], str)
                else values[name]
                for name in columns
            ]
        )
    return text.getvalue()
