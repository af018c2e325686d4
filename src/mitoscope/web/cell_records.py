"""Slides, rounds and cells as the page reads them."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mitoscope.store import Shape, queue
from mitoscope.store.cell_seen import SeenCell
from mitoscope.store.cells_seen import SeenCells
from mitoscope.store.queue import Progress
from mitoscope.store.terms import RoundRow
from mitoscope.web.answers.rounds import Round, RoundSettings
from mitoscope.web.answers.slides import Slide
from mitoscope.web.deep_zoom import TILE_PX, max_level
from mitoscope.web.shelf import ShownSlide
from mitoscope.web.veil import Veil

_BIN = re.compile(r"(.+), bin (\d+) of (\d+)")


@exact
class Opinion(TypedDict):
    """What somebody else said of a cell, and when, in seconds since 1970."""

    rater: int
    rater_name: str
    label: int
    round_name: str
    time_s: float | None


@exact
class CellRecord(TypedDict):
    """One cell: centre and size in level-0 px, its shape as 1 spot, 2 box, 3 circle or 4 polygon.

    The label is my own of this round, 0 where I have given none; the score is a model's.
    """

    cell: Cell
    slide: int
    x: float
    y: float
    width: float
    height: float
    shape: Shape
    vertices: list[Pair] | None
    label: int
    score: float | None
    is_deleted: bool
    seen: Seen
    others: list[Opinion]


@exact
class CellColumns(TypedDict):
    """The cells of a slide, one column a value: centres and sizes in level-0 px, shapes as of one cell.

    A label or rater of 0 is none; raters are named by their ids. Deleted are those gone since the version
    that was asked for; not complete is what has too many cells.
    """

    version: int
    complete: bool
    cell: list[Cell]
    x: list[float]
    y: list[float]
    width: list[float]
    height: list[float]
    shape: list[Shape]
    label: list[int]
    score: list[float | None]
    rater: list[int]
    mine: list[bool]
    seen: list[Seen]
    raters: dict[str, str]
    deleted: list[Cell]


@exact
class Queue(TypedDict):
    """The next cells without my label, and how many of the round I have labelled."""

    cells: list[CellRecord]
    labelled: int
    of: int


@exact
class LastCells(TypedDict):
    """The cells that I labelled last, the newest first."""

    cells: list[CellRecord]


@exact
class Acted(Done):
    """An action on disk: its cell, the number of its event, and the cell as it is seen from now on."""

    cell: Cell
    seq: int
    seen: Seen


def describe_slide(shown: ShownSlide) -> Slide:
    """Return a slide."""
    record, info = shown.record, shown.info
    size = record.size if info is None else info.size
    mpp = record.mpp if info is None else info.mpp
    return {
        "id": shown.id,
        "name": record.name,
        "case": record.case,
        "width": None if size is None else size.width,
        "height": None if size is None else size.height,
        "mpp": None if mpp is None else mpp.mean,
        "mpp_x": None if mpp is None else mpp.x,
        "mpp_y": None if mpp is None else mpp.y,
        "tile_size": TILE_PX,
        "max_level": None if size is None else max_level(size),
        "state": shown.state,
        "reason": shown.reason,
        "mend": shown.mend,
    }


def describe_round(
    connection: sqlite3.Connection, row: RoundRow, rater_id: int, *, speaker_id: int | None = None
) -> Round:
    """Return a round with a rater's progress in it."""
    terms = row.terms
    found = _BIN.fullmatch(row.name)
    progress = round_progress(connection, row, speaker_id or rater_id)
    board = connection.execute("SELECT id FROM board WHERE round_id = ?", (row.id,)).fetchone()
    position = connection.execute(
        "SELECT content FROM position WHERE (round_id, rater_id) = (?, ?)", (row.id, rater_id)
    ).fetchone()
    slides = connection.execute("SELECT id FROM slide ORDER BY id").fetchall()
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "is_blinded": row.is_blinded,
        "is_open": terms.is_open,
        "slides": [one for (one,) in slides if terms.slides is None or one in terms.slides],
        "shows_labels": terms.shows_labels,
        "shows_cells": terms.shows_cells,
        "speaks_as": terms.speaks_as,
        "review": found.group(1) if found else None,
        "bin": int(found.group(2)) if found else None,
        "bins": int(found.group(3)) if found else None,
        "board": None if board is None else board[0],
        "labelled": progress.labelled,
        "cells": progress.cells,
        "position": None if position is None else json.loads(position[0]),
        "settings": cast("RoundSettings", dict(terms.settings)),
    }


def round_progress(connection: sqlite3.Connection, row: RoundRow, rater_id: int) -> Progress:
    """Return how far a rater is in a round, on its slides."""
    rows = queue.read_progress(connection, rater_id, row.id)
    wanted = [one for slide, one in rows.items() if row.terms.slides is None or slide in row.terms.slides]
    return Progress(sum(one.labelled for one in wanted), sum(one.cells for one in wanted))


def describe_cell(cell: SeenCell, veil: Veil) -> CellRecord:
    """Return a cell with what the rater may know of it."""
    x_min, y_min, x_max, y_max = cell.bounds_px0
    return {
        "cell": veil.cell(cell.cell_id),
        "slide": cell.slide_id,
        "x": (x_min + x_max) / 2,
        "y": (y_min + y_max) / 2,
        "width": x_max - x_min,
        "height": y_max - y_min,
        "shape": Shape(cell.shape),
        "vertices": None if cell.vertices_px0 is None else cell.vertices_px0.tolist(),
        "label": cell.label_id,
        "score": cell.score,
        "is_deleted": cell.is_deleted,
        "seen": veil.seen([cell.cell_id], [cell.seen])[0],
        "others": [
            {
                "rater": one.rater_id,
                "rater_name": one.rater,
                "label": one.label_id,
                "round_name": one.round,
                "time_s": one.time_s,
            }
            for one in cell.others
        ],
    }


def describe_cells(cells: SeenCells, veil: Veil, names: dict[int, str]) -> CellColumns:
    """Return the cells of a slide in columns."""
    bounds = cells.bounds_px0
    raters = sorted({one for one in cells.rater_id.tolist() if one})
    return {
        "version": cells.version,
        "complete": cells.is_complete,
        "cell": veil.cells(cells.cell_id),
        "x": _numbers((bounds[:, 0] + bounds[:, 2]) / 2),
        "y": _numbers((bounds[:, 1] + bounds[:, 3]) / 2),
        "width": _numbers(bounds[:, 2] - bounds[:, 0]),
        "height": _numbers(bounds[:, 3] - bounds[:, 1]),
        "shape": cells.shape.tolist(),
        "label": cells.label_id.tolist(),
        "score": _scores(cells.score),
        "rater": cells.rater_id.tolist(),
        "mine": cells.is_mine.tolist(),
        "seen": veil.seen(cells.cell_id, cells.seen),
        "raters": {str(one): names[one] for one in raters},
        "deleted": veil.cells(list(cells.deleted)),
    }


def _numbers(values: NDArray[np.float64]) -> list[float]:
    """Return pixels to a thousandth; where all are whole, as whole numbers, which are written faster."""
    rounded = values.round(3)
    whole = rounded.astype(np.int64)
    numbers: list[float] = (whole if np.array_equal(whole, rounded) else rounded).tolist()
    return numbers


def _scores(values: NDArray[np.float64]) -> list[float | None]:
    """Return scores to four places, None for NaN."""
    if np.isnan(values).all():
        return [None] * len(values)
    return [None if one != one else one for one in values.round(4).tolist()]
