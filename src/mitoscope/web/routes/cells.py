"""Cells: those of a slide, one of them, the next to be read, and what a rater does to them."""

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from mitoscope import store
from mitoscope.errors import ConflictError, KeyReusedError, NotFoundError, RegionError
from mitoscope.geometry import BoxPx0
from mitoscope.web.cell_records import CellColumns, CellRecord, describe_cell, describe_cells, seen_token
from mitoscope.web.forms import (
    Action,
    Answer,
    Box,
    Cell,
    CellPath,
    Coordinate,
    Done,
    Id,
    OptionalId,
    RoundId,
    Score,
    Seconds,
    Seen,
    SlideId,
    Vertices,
)
from mitoscope.web.refusal import Refusal, invalid, refusal_for
from mitoscope.web.routes.rounds import round_progress
from mitoscope.web.state import AppState, StateHere, VisitorHere, assignment, own_order, work_in

router = APIRouter()

QUEUE_MAX = 200
SKIP_MAX = 500
_LIST_CHARACTERS = 12_000
_NEVER = -1
"""The number of no event."""

_BoxText = Annotated[str | None, Query(max_length=200)]
_SkipText = Annotated[str | None, Query(max_length=_LIST_CHARACTERS)]


class Queue(Answer):
    """The next cells without my label, and how many of the round I have labelled."""

    cells: list[CellRecord]
    labelled: int
    of: int


class LastCells(Answer):
    """The cells that I labelled last, the newest first."""

    cells: list[CellRecord]


class Acted(Done):
    """An action on disk: its cell, and the cell as it is seen from now on."""

    cell: Cell
    seen: Seen


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
    if len(parts) > SKIP_MAX or not all(
        part.isascii() and part.isdigit() and len(part) < 17 for part in parts
    ):
        raise invalid(f"not a list of at most {SKIP_MAX} ids", field=field)
    return [int(part) for part in parts]


@router.get("/api/rounds/{round_id}/slides/{slide_id}/cells", responses={200: {"model": CellColumns}})
def cells(
    round_id: RoundId,
    slide_id: SlideId,
    state: StateHere,
    visitor: VisitorHere,
    box: _BoxText = None,
    since: Annotated[int | None, Query(ge=0, le=store.PUBLIC_ID_MAX)] = None,
) -> Response:
    """Return the cells of a slide as I see them in a round, in columns and in random order."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    with state.store.reading() as connection:
        of, state_of = f"cells {round_id} {slide_id} {visitor.rater_id}", None
        if since is not None:
            state_of = state.veil.find(of, since)
        found = store.cells_seen(connection, mine.sight, slide_id, box=parse_box(box), since=state_of)
        names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    version = state.veil.hide(of, found.version)
    return JSONResponse(describe_cells(found, state.tokens, names, version=version))


@router.get("/api/rounds/{round_id}/cells/{cell}")
def one_cell(round_id: RoundId, cell: CellPath, state: StateHere, visitor: VisitorHere) -> CellRecord:
    """Return one cell as I see it in a round."""
    mine = assignment(state, visitor, round_id)
    with state.store.reading() as connection:
        return _described(connection, state, mine, store.cell_of(connection, cell))


def _described(connection: Any, state: AppState, mine: store.Assignment, cell_id: int) -> CellRecord:
    if not store.takes(connection, mine.row, cell_id):
        raise NotFoundError("there is no such cell in this round", mend="read the cells again")
    return describe_cell(store.cell_seen(connection, mine.sight, cell_id), state.tokens)


@router.get("/api/rounds/{round_id}/queue")
def queue(
    round_id: RoundId,
    state: StateHere,
    visitor: VisitorHere,
    n: Annotated[int, Query(ge=1, le=QUEUE_MAX)] = 24,
    slide: OptionalId = None,
    skip: _SkipText = None,
) -> Queue:
    """Return the next cells without my label, in a random order of my own."""
    mine = assignment(state, visitor, round_id, slide_id=slide)
    skipped = parse_ids(skip, field="skip")
    slides = mine.row.terms.slides if slide is None else [slide]
    order = own_order(state, visitor, round_id)
    with state.store.reading() as connection:
        speaker = mine.sight.speaker_id
        passed = set(store.live_cells_of(connection, skipped))
        found = (
            []  # the rater's own are labelled, those of others do not show
            if mine.sight.own_only
            else store.next_cells(connection, speaker, round_id, n=n, slides=slides, skip=passed, order=order)
        )
        found = [cell for cell in found if store.shows(connection, mine.sight, cell)]
        progress = round_progress(connection, mine.row, speaker)
        seen = [describe_cell(store.cell_seen(connection, mine.sight, cell), state.tokens) for cell in found]
    return {"cells": seen, "labelled": progress.labelled, "of": progress.cells}


@router.get("/api/rounds/{round_id}/done")
def done(
    round_id: RoundId,
    state: StateHere,
    visitor: VisitorHere,
    n: Annotated[int, Query(ge=1, le=QUEUE_MAX)] = 50,
) -> LastCells:
    """Return the cells that I labelled last, the newest first."""
    mine = assignment(state, visitor, round_id)
    with state.store.reading() as connection:
        found = store.last_labelled(connection, mine.sight.speaker_id, round_id, n=n)
        seen = [store.cell_seen(connection, mine.sight, cell) for cell in found]
    return {"cells": [describe_cell(cell, state.tokens) for cell in seen]}


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

    def geometry(self) -> store.Geometry | None:
        """Return the geometry stated, or None.

        Raises
        ------
        Refusal
            If there are several, or half a point.
        """
        if (self.x is None) != (self.y is None):
            raise invalid("a point has x and y", field="x")
        stated = [place for place in (self.x, self.box, self.circle, self.vertices) if place is not None]
        if len(stated) > 1:
            raise invalid("a point, a box, a circle or a polygon, not several", field="box")
        if self.x is not None and self.y is not None:
            return store.Geometry.spot(self.x, self.y)
        if self.vertices is not None:
            return store.Geometry.polygon(self.vertices)
        for shape, one in ((store.Shape.BOX, self.box), (store.Shape.CIRCLE, self.circle)):
            if one is not None:
                x, y, width, height = one
                return store.Geometry(shape, (x, y, x + width, y + height))
        return None


@router.post("/api/rounds/{round_id}/actions")
def act(round_id: RoundId, body: CellAction, state: StateHere, visitor: VisitorHere) -> Acted:
    """Do something to a cell, once; it is on disk when this answers."""
    with state.store.reading() as connection:
        is_repeated = store.has_key(connection, body.key)
    # Who lost the answer learns that it is done, also where the round was closed meanwhile.
    enter = assignment if is_repeated else work_in
    mine = enter(state, visitor, round_id, slide_id=body.slide)
    _check_form(body)
    cell_id = 0
    try:
        with state.store.writing() as connection:
            if body.cell is not None:
                cell_id = store.cell_of(connection, body.cell)
            store.check_cell(connection, mine, cell_id, kind=body.kind)
            done = _record(connection, state, mine, body, cell_id)
            cell = store.cell_seen(connection, mine.sight, done.cell_id)
    except ConflictError as error:
        raise _conflict(state, mine, error, cell_id) from None
    return {
        "cell": cell.public_id,
        "seen": seen_token(cell, state.tokens),
        "is_repeated": done.is_repeated,
    }


def _check_form(body: CellAction) -> None:
    """Refuse what does not go together."""
    geometry = body.geometry()
    if body.kind in ("create", "move") and geometry is None:
        raise invalid("where is the cell?", field="x", mend="give x and y, a box, a circle or vertices")
    if body.kind in ("label", "delete", "restore") and geometry is not None:
        raise invalid(f"a place, but the action is {body.kind!r}", field="x")
    if body.kind == "create" and (body.slide is None or body.cell is not None):
        raise invalid("a new cell has a slide and no number yet", field="slide")
    if body.kind != "create" and (body.cell is None or body.slide is not None):
        raise invalid("which cell?", field="cell")


def _record(
    connection: Any, state: AppState, mine: store.Assignment, body: CellAction, cell_id: int
) -> store.Acknowledgement:
    if body.kind == "create":
        return _create(connection, mine, body)
    action = replace(
        _action(mine, body.kind, cell_id, body.key),
        geometry=body.geometry(),
        expected=None
        if body.expected is None
        else _expected(connection, state, mine, cell_id, body.expected),
    )
    return store.record(connection, _spoken(action, body) if body.kind == "label" else action)


def _expected(connection: Any, state: AppState, mine: store.Assignment, cell_id: int, token: str) -> int:
    """Return the event that a token stands for: the last that the rater can see, or one that never was."""
    sight = mine.sight
    last = store.last_visible(connection, cell_id, rater_id=sight.speaker_id, round_id=sight.round_id)
    return last if compare_digest(state.tokens.of(cell_id, last)[0], token) else _NEVER


def _create(connection: Any, mine: store.Assignment, body: CellAction) -> store.Acknowledgement:
    made = replace(_action(mine, "create", 0, body.key), geometry=body.geometry())
    done = store.record(connection, made, slide_id=body.slide)
    if mine.row.is_listed and mine.row.kind is not store.RoundKind.UNSTATED:
        store.list_cells(connection, mine.row.id, [done.cell_id])
    if body.label is None:
        return done
    label = _spoken(_action(mine, "label", done.cell_id, f"{body.key}/label"), body)
    said = store.record(connection, label)
    return store.Acknowledgement(said.seq, said.cell_id, is_repeated=done.is_repeated)


def _action(mine: store.Assignment, kind: str, cell_id: int, key: str) -> store.CellEvent:
    sight = mine.sight
    return store.CellEvent(
        kind, cell_id, sight.speaker_id, sight.round_id, key=key, entered_by=mine.entered_by
    )


def _spoken(action: store.CellEvent, body: CellAction) -> store.CellEvent:
    return replace(action, label_id=body.label, score=body.score, seconds=body.seconds)


def _conflict(state: AppState, mine: store.Assignment, error: ConflictError, cell_id: int) -> Refusal:
    if isinstance(error, KeyReusedError) or not cell_id:
        return refusal_for(error)
    with state.store.reading() as connection:
        present = _described(connection, state, mine, cell_id)
    mend = "look at it again and repeat the action"
    return Refusal(409, "conflict", f"this cell {error.what}", mend=mend, cell=present)
