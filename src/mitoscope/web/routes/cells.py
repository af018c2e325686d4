"""Cells: those of a slide, one of them, the next to be read, and what a rater does to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from mitoscope.errors import ConflictError, RegionError
from mitoscope.geometry import BoxPx0
from mitoscope.store import Geometry, Shape, actions
from mitoscope.store.actions import Acknowledgement
from mitoscope.store.cell_seen import cell_seen
from mitoscope.store.cells_seen import cells_seen
from mitoscope.store.queue import next_cells
from mitoscope.store.reading_order import reading_order
from mitoscope.store.sight import is_made_by, takes
from mitoscope.store.vocabulary import read_raters
from mitoscope.web.answers.cells import Acted, CellColumns, CellRecord, LastCells, Queue
from mitoscope.web.bodies import (
    Action,
    Box,
    Cell,
    CellPath,
    Coordinate,
    Id,
    OptionalId,
    RoundId,
    Score,
    Seconds,
    Seen,
    SlideId,
    Vertices,
)
from mitoscope.web.describe import describe_cell, describe_cells, round_progress
from mitoscope.web.desk import Desk, DeskHere, Seat, VisitorHere, seat, working_seat
from mitoscope.web.refusal import Refusal, invalid, no_such, not_yours, there_is

router = APIRouter()

QUEUE_MAX = 200
SKIP_MAX = 500
_LIST_CHARACTERS = 12_000

_BoxText = Annotated[str | None, Query(max_length=200)]
_SkipText = Annotated[str | None, Query(max_length=_LIST_CHARACTERS)]


def parse_box(text: str | None) -> BoxPx0 | None:
    """Read ``x,y,width,height``."""
    if text is None:
        return None
    try:
        x, y, width, height = (float(part) for part in text.split(","))
        return BoxPx0(x, y, width, height)
    except (ValueError, RegionError):
        raise invalid(f"box {text[:40]!r} is not x,y,width,height", field="box") from None


def parse_ids(text: str | None, *, field: str) -> list[int]:
    """Read ids joined by commas."""
    parts = [] if not text else text.split(",")
    if len(parts) > SKIP_MAX or not all(one.isascii() and one.isdigit() and len(one) < 17 for one in parts):
        raise invalid(f"not a list of at most {SKIP_MAX} ids", field=field)
    return [int(one) for one in parts]


@router.get("/api/rounds/{round_id}/slides/{slide_id}/cells", responses={200: {"model": CellColumns}})
def cells(
    round_id: RoundId,
    slide_id: SlideId,
    desk: DeskHere,
    visitor: VisitorHere,
    box: _BoxText = None,
    since: Annotated[int | None, Query(ge=0, le=(1 << 62))] = None,
) -> Response:
    """Return the cells of a slide as I see them in a round, in columns and in random order."""
    mine = seat(desk, visitor, round_id, slide_id=slide_id)
    with desk.store.reading() as connection:
        found = cells_seen(connection, mine.sight, slide_id, box=parse_box(box), since=since)
        names = {id_: one.name for id_, one in read_raters(connection).items()}
    return JSONResponse(describe_cells(found, desk.veil, names))


@router.get("/api/rounds/{round_id}/cells/{cell}")
def one_cell(round_id: RoundId, cell: CellPath, desk: DeskHere, visitor: VisitorHere) -> CellRecord:
    """Return one cell as I see it in a round."""
    return _described(desk, seat(desk, visitor, round_id), desk.veil.cell_id(cell))


def _described(desk: Desk, mine: Seat, cell_id: int) -> CellRecord:
    with desk.store.reading() as connection:
        if not takes(connection, mine.row, cell_id):
            raise no_such("cell in this round")
        with there_is("cell in this round"):
            return describe_cell(cell_seen(connection, mine.sight, cell_id), desk.veil)


@router.get("/api/rounds/{round_id}/queue")
def queue(
    round_id: RoundId,
    desk: DeskHere,
    visitor: VisitorHere,
    n: Annotated[int, Query(ge=1, le=QUEUE_MAX)] = 24,
    slide: OptionalId = None,
    skip: _SkipText = None,
) -> Queue:
    """Return the next cells without my label, in a random order of my own."""
    mine = seat(desk, visitor, round_id, slide_id=slide)
    passed = set(desk.veil.cell_ids(parse_ids(skip, field="skip")))
    slides = mine.row.terms.slides if slide is None else [slide]
    with desk.store.writing() as connection:
        order = reading_order(connection, round_id, visitor.rater_id)
    with desk.store.reading() as connection:
        speaker = mine.sight.speaker_id
        found = next_cells(connection, speaker, round_id, n=n, slides=slides, skip=passed, order=order)
        progress = round_progress(connection, mine.row, speaker)
        seen = [describe_cell(cell_seen(connection, mine.sight, one), desk.veil) for one in found]
    return {"cells": seen, "labelled": progress.labelled, "of": progress.cells}


_DONE_SQL = """
SELECT n.cell_id FROM label_now AS n JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
WHERE (n.rater_id, n.round_id) = (?, ?) AND n.label_id IS NOT NULL ORDER BY n.last_seq DESC LIMIT ?
"""


@router.get("/api/rounds/{round_id}/done")
def done(
    round_id: RoundId,
    desk: DeskHere,
    visitor: VisitorHere,
    n: Annotated[int, Query(ge=1, le=QUEUE_MAX)] = 50,
) -> LastCells:
    """Return the cells that I labelled last, the newest first."""
    mine = seat(desk, visitor, round_id)
    with desk.store.reading() as connection:
        rows = connection.execute(_DONE_SQL, (mine.sight.speaker_id, round_id, n)).fetchall()
        return {
            "cells": [describe_cell(cell_seen(connection, mine.sight, one), desk.veil) for (one,) in rows]
        }


class CellAction(Action):
    """Something that a rater does to a cell."""

    kind: Literal["create", "label", "move", "delete", "restore"]
    cell: Cell | None = None
    slide: Id | None = None
    x: Coordinate | None = None
    y: Coordinate | None = None
    box: Box | None = None
    circle: Box | None = None
    vertices: Vertices | None = None
    label: Id | None = None
    score: Score | None = None
    seconds: Seconds | None = None
    expected: Seen | None = None

    def geometry(self) -> Geometry | None:
        """Return the geometry stated, or None.

        Raises
        ------
        Refusal
            If there are several, or half a point.
        """
        if (self.x is None) != (self.y is None):
            raise invalid("a point has x and y", field="x")
        stated = [one for one in (self.x, self.box, self.circle, self.vertices) if one is not None]
        if len(stated) > 1:
            raise invalid("a point, a box, a circle or a polygon, not several", field="box")
        if self.x is not None and self.y is not None:
            return Geometry.spot(self.x, self.y)
        if self.vertices is not None:
            return Geometry.polygon(self.vertices)
        for shape, one in ((Shape.BOX, self.box), (Shape.CIRCLE, self.circle)):
            if one is not None:
                x, y, width, height = one
                return Geometry(shape, (x, y, x + width, y + height))
        return None


@router.post("/api/rounds/{round_id}/actions")
def act(round_id: RoundId, body: CellAction, desk: DeskHere, visitor: VisitorHere) -> Acted:
    """Do something to a cell, once; it is on disk when this answers."""
    mine = working_seat(desk, visitor, round_id, slide_id=body.slide)
    cell_id = _check(desk, mine, body)
    try:
        with desk.store.writing() as connection:
            done = _record(connection, desk, mine, body, cell_id)
            seen = cell_seen(connection, mine.sight, done.cell_id).seen
    except ConflictError as error:
        raise _conflict(desk, mine, error, cell_id) from None
    return {
        "cell": desk.veil.cell(done.cell_id),
        "seq": done.seq,
        "seen": desk.veil.seen([done.cell_id], [seen])[0],
        "is_repeated": done.is_repeated,
    }


def _check(desk: Desk, mine: Seat, body: CellAction) -> int:
    """Return the cell's id, 0 for one to be created; refuse what the round does not allow."""
    geometry = body.geometry()
    if body.kind in ("create", "move") and geometry is None:
        raise invalid("where is the cell?", field="x", mend="give x and y, a box, a circle or vertices")
    if body.kind in ("label", "delete", "restore") and geometry is not None:
        raise invalid(f"a place, but the action is {body.kind!r}", field="x")
    if body.kind == "create":
        if body.slide is None or body.cell is not None:
            raise invalid("a new cell has a slide and no number yet", field="slide")
        if mine.row.is_listed:
            raise not_yours("this round is about the cells of a list; no cell can be added")
        return 0
    if body.cell is None or body.slide is not None:
        raise invalid("which cell?", field="cell")
    cell_id = desk.veil.cell_id(body.cell)
    with desk.store.reading() as connection:
        if not takes(connection, mine.row, cell_id):
            raise no_such("cell in this round")
        own_place = body.kind == "label" or not (mine.row.is_blinded or mine.row.is_listed)
        if not own_place and not is_made_by(connection, mine.sight, cell_id):
            raise not_yours("somebody else found this cell: here it can be labelled, not moved or deleted")
        with there_is("cell in this round"):
            cell_seen(connection, mine.sight, cell_id)
    return cell_id


def _record(connection: Any, desk: Desk, mine: Seat, body: CellAction, cell_id: int) -> Acknowledgement:
    if body.kind == "create":
        return _create(connection, mine, body)
    action = replace(
        _action(mine, body.kind, cell_id, body.key),
        geometry=body.geometry(),
        expected=None if body.expected is None else desk.veil.event(cell_id, body.expected),
    )
    return actions.record(connection, _spoken(action, body) if body.kind == "label" else action)


def _create(connection: Any, mine: Seat, body: CellAction) -> Acknowledgement:
    made = replace(_action(mine, "create", 0, body.key), geometry=body.geometry())
    done = actions.record(connection, made, slide_id=body.slide)
    if body.label is None:
        return done
    label = _spoken(_action(mine, "label", done.cell_id, f"{body.key}/label"), body)
    said = actions.record(connection, label)
    return Acknowledgement(said.seq, said.cell_id, is_repeated=done.is_repeated)


def _action(mine: Seat, kind: str, cell_id: int, key: str) -> actions.Action:
    sight = mine.sight
    return actions.Action(
        kind, cell_id, sight.speaker_id, sight.round_id, key=key, entered_by=mine.entered_by
    )


def _spoken(action: actions.Action, body: CellAction) -> actions.Action:
    return replace(action, label_id=body.label, score=body.score, seconds=body.seconds)


def _conflict(desk: Desk, mine: Seat, error: ConflictError, cell_id: int) -> Refusal:
    if error.where is not None and error.where.startswith("key"):
        return Refusal(409, "key_used", error.what, mend=error.mend)
    what = "this cell has changed since you saw it" if "changed" in error.what else f"this cell {error.what}"
    mend = "look at it again and repeat the action"
    return Refusal(409, "conflict", what, mend=mend, cell=_described(desk, mine, cell_id))
