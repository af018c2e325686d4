"""The similarity board: all crops in one picture, re-classed where they stand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from mitoscope import store
from mitoscope.curation.board import Grid, Layout, lay_out
from mitoscope.curation.board.coordinates import MINIMUM_CROPS, CellPoints
from mitoscope.curation.board.layout import OCCUPANCY
from mitoscope.curation.review import ask_second, open_board, relabelled
from mitoscope.errors import LevelError, MitoscopeError, RegionError
from mitoscope.extras import how_to_install
from mitoscope.loops.board_image import write_board
from mitoscope.loops.crops import MPP, CropPlace, gather_crops
from mitoscope.slide import acquire
from mitoscope.web.board_job import JobState, lacking
from mitoscope.web.cell_records import seen_token
from mitoscope.web.deep_zoom import TILE_PX, encode_jpeg, max_level, read_tile
from mitoscope.web.forms import (
    Action,
    Answer,
    Cell,
    Done,
    Id,
    LevelNumber,
    Name,
    RowId,
    Seen,
    TileNumber,
    described,
)
from mitoscope.web.refusal import Refusal, invalid, no_such
from mitoscope.web.routes.rounds import check_raters, note_round
from mitoscope.web.state import AppState, ComparerHere, LeadHere, StateHere, VisitorHere, done_once

router = APIRouter()
CELLS_MAX = 100_000
NO_CLASS_COLOUR = "#868e96"
OCCUPANCY_SMALL = 0.5
"""A small board is half full: with the 17 % of CMC one would look at white."""
SMALL_BELOW = 2000
CROP_PX = 128
"""Side of a crop on a board whose layout is learnt: what the network saw (CMC)."""

PictureState = Literal["drawing", "ready", "failed"]
_Numbers = Annotated[
    list[Annotated[float, Field(ge=-1e9, le=1e9)]], Field(min_length=1, max_length=CELLS_MAX)
]


class BoardOpened(Done):
    """The ids of a board and of its round."""

    board: int
    round: int


class BoardColumns(Answer):
    """A board: its picture in px of its own, how far that is drawn, and its cells, one column a value.

    Places are columns and rows of the board, x and y the centre of a cell in level-0 px of its slide; a label
    of 0 is none.
    """

    id: int
    name: str
    round: int
    columns: int
    rows: int
    cell_px: int
    width: int
    height: int
    max_level: int
    tile_size: int
    state: PictureState
    done: float
    of: float
    reason: str | None
    cell: list[Cell]
    column: list[int]
    row: list[int]
    slide: list[int]
    x: list[float]
    y: list[float]
    before: list[int]
    label: list[int]
    seen: list[Seen]


class ReclassedCell(Answer):
    """A cell whose label was another before, 0 for none; its centre in level-0 px."""

    cell: Cell
    before: int
    now: int
    slide: int
    x: float
    y: float


class Reclassed(Answer):
    """The cells that have another class on a board than before."""

    cells: list[ReclassedCell]


class SecondAsked(Done):
    """The id of the round in which the re-classed cells are read again, and how many they are."""

    round: int
    cells: int


class _Asked(Action):
    name: Name
    raters: Annotated[tuple[Id, ...], Field(max_length=1000)] = ()


class NewBoard(_Asked):
    """Cells and where they lie in two dimensions, in any unit."""

    cells: Annotated[list[Cell], Field(min_length=1, max_length=CELLS_MAX)]
    x: _Numbers
    y: _Numbers
    cell_px: Annotated[int, Field(ge=16, le=256)] = 64


@router.post("/api/boards")
def add(body: NewBoard, state: StateHere, lead: LeadHere) -> BoardOpened:
    """Open the review of a board; its picture is drawn in the background."""
    if not len(body.cells) == len(body.x) == len(body.y):
        raise invalid("cells, x and y differ in length", field="x")
    if len(set(body.cells)) != len(body.cells):
        raise invalid("a cell appears twice on the board", field="cells")
    check_raters(state, body.raters)
    with state.store.reading() as connection:
        ids = store.live_cells_of(connection, body.cells)
    if len(ids) < len(body.cells):
        raise invalid("a cell of the board is not in the study", field="cells")
    places = np.column_stack([body.x, body.y])
    return _open(state, lead, body, ids, places, cell_px=body.cell_px)


def _open(
    state: AppState, lead: store.Visitor, body: _Asked, ids: list[int], places: Any, *, cell_px: int
) -> BoardOpened:
    """Open the review of a board of cells whose places in two dimensions are known."""
    with state.store.reading() as connection:
        before = store.labels_before(connection, ids)
    open_board(state.store, body.name, ids)
    occupancy = OCCUPANCY if len(ids) >= SMALL_BELOW else OCCUPANCY_SMALL
    grid = Grid.for_crops(len(ids), cell_px=cell_px, occupancy=occupancy)
    layout = lay_out(places, grid)

    def act(connection: Any) -> BoardOpened:
        round_id = store.id_of(connection, "round", body.name)
        on_board = [
            store.BoardPlace(cell, int(layout.column[row]), int(layout.row[row]), before.get(cell))
            for row, cell in enumerate(ids)
        ]
        board = store.add_board(
            connection, round_id, on_board, columns=grid.columns, rows=grid.rows, cell_px=grid.cell_px
        )
        store.write_terms(connection, round_id, store.Terms(shows_labels=True))
        store.assign(connection, round_id, body.raters or [lead.rater_id])
        note_round(connection, lead, store.ActivityKind.ROUND_OPENED, round_id, concerns=body.raters)
        return {"board": board, "round": round_id, "is_repeated": False}

    done = done_once(state, lead, body.key, f"board {body.name}", act)
    with state.store.reading() as connection:
        board = store.read_board(connection, done["board"])
    _picture(state, board)
    return done


class BoardLearning(Answer):
    """Whether the layout of a board can be learnt here, and how the one that is learnt stands.

    Install is the command that adds what is not installed here, null where all is; name is that of the
    board's round, said what its process reported last.
    """

    install: str | None
    cells: int
    name: str
    state: JobState
    said: str


class BoardLearningChanged(BoardLearning, Done):
    """How it stands after a change."""


@router.get("/api/board-learning")
def learning(state: StateHere, lead: LeadHere) -> BoardLearning:  # noqa: ARG001 it must be one
    """Return whether a board can be learnt here, and how the one that is learnt stands."""
    cells = _cells_in(state)
    return described(BoardLearning, state.board_job.now, install=_install(), cells=cells)


def _cells_in(state: AppState) -> int:
    with state.store.snapshot() as copy:
        return len(copy.live_cells())


def _install() -> str | None:
    extras = lacking()
    return how_to_install(*extras) if extras else None


class LearntBoard(_Asked):
    """The name of a board of all cells, and who works on it."""


@router.post("/api/board-learning")
def learn(body: LearntBoard, state: StateHere, lead: LeadHere) -> BoardLearningChanged:
    """Begin to learn the layout of a board of all cells; its round opens when that is done."""
    if (install := _install()) is not None:
        mend = f"{install} where the server runs"
        raise Refusal(409, "conflict", "a board needs what is not installed here", mend=mend)
    check_raters(state, body.raters)
    cells = _cells_in(state)
    if cells < MINIMUM_CROPS:
        mend = "label cells, or search slides"
        raise Refusal(409, "conflict", f"a board needs {MINIMUM_CROPS} cells, here are {cells}", mend=mend)
    if body.name in {round_.name for round_ in state.store.rounds().values()}:
        what = f"there is a round {body.name!r} already"
        raise Refusal(409, "conflict", what, mend="choose another name")

    def keep(points: CellPoints) -> None:
        live = set(state.store.live_cells())
        rows = [row for row, cell in enumerate(points.cell_id.tolist()) if cell in live]
        ids = points.cell_id[rows].tolist()
        _open(state, lead, body, ids, points.points[rows], cell_px=CROP_PX)

    state.board_job.start(body.name, keep)
    return {**learning(state, lead), "is_repeated": False}


@router.post("/api/board-learning/stop")
def stop_learning(body: Action, state: StateHere, lead: LeadHere) -> BoardLearningChanged:
    """Stop learning; the next board goes on where it was."""
    state.board_job.stop()
    now = learning(state, lead)

    def act(_: Any) -> BoardLearningChanged:
        return {**now, "is_repeated": False}

    return done_once(state, lead, body.key, "stop learning a board", act)


def _board(state: AppState, visitor: VisitorHere, board_id: int) -> tuple[store.Board, store.Assignment]:
    """Return a board that the visitor may see, and the visitor's place in its round."""
    with state.store.reading() as connection:
        found = store.read_board(connection, board_id)
        mine = store.permit(connection, visitor, store.Operation.READ, round_id=found.round_id)
        store.check_board(connection, mine.sight, board_id)
    return found, mine


@dataclass
class BoardPicture:
    """The picture of a board, which is drawn once, and how far it is; then it is shown like a slide."""

    path: Path
    state: PictureState = "drawing"
    done: float = 0.0
    of: float = 1.0
    reason: str | None = None

    def progress(self, done: float, of: float) -> None:
        """Note how many parts of the work are done."""
        self.done, self.of = done, of


def _picture(state: AppState, board: store.Board) -> BoardPicture:
    """Return the picture of a board, in a folder beside the study, beginning to draw it if nobody has."""
    with state.lock:
        known: BoardPicture | None = state.boards.get(board.id)
        if known is None or (known.state == "ready" and not known.path.is_file()):
            study = state.store.path
            path = study.parent / f"{study.stem}.boards" / f"{board.id}" / "board.tiff"
            known = state.boards[board.id] = BoardPicture(path, "ready" if path.is_file() else "drawing")
            if known.state == "drawing":
                _start(state, board, known)
        return known


def _start(state: AppState, board: store.Board, picture: BoardPicture) -> None:
    """Begin to draw, in a thread that does not keep the process alive."""
    slides = state.store.slides()
    with state.store.reading() as connection:
        places = store.read_places(connection, board.id)
        colours = {id_: label.colour for id_, label in store.read_labels(connection).items()}
        where = store.read_centres(connection, board.id)
    try:
        infos = {slide: state.slides.info(slide) for slide, *_ in where.values()}
        files = {slides[slide].name: state.slides.path(slide) for slide in infos}
    except Refusal as refusal:
        picture.state, picture.reason = "failed", refusal.what
        return
    centres = (where[place.cell_id] for place in places)
    cells = [CropPlace(slides[slide].name, x, y, infos[slide].mpp.mean) for slide, x, y in centres]
    frames = [
        NO_CLASS_COLOUR if place.before_label_id is None else colours[place.before_label_id]
        for place in places
    ]
    on_board = np.array([(place.column, place.row) for place in places], dtype=np.int64)
    grid = Grid(board.columns, board.rows, board.cell_px)
    layout = Layout(grid, on_board[:, 0], on_board[:, 1], on_board.astype(np.float64), "greedy")
    folder, override, report = picture.path.parent, state.slides.mpp_override, picture.progress

    def draw() -> None:
        try:
            crops = gather_crops(
                cells, files, folder, side_px=board.cell_px, mpp_override=override, progress=report
            )
            write_board(picture.path, layout, crops, frames, mpp=MPP, progress=report)
        except MitoscopeError as error:
            picture.state, picture.reason = "failed", error.what
        else:
            picture.state = "ready"

    threading.Thread(target=draw, daemon=True).start()


@router.get("/api/boards/{board_id}", responses={200: {"model": BoardColumns}})
def board(board_id: RowId, state: StateHere, visitor: VisitorHere) -> Response:
    """Return a board: where each cell stands, its class before and now."""
    found, mine = _board(state, visitor, board_id)
    picture = _picture(state, found)
    grid = Grid(found.columns, found.rows, found.cell_px)
    with state.store.reading() as connection:
        places = store.read_places(connection, board_id)
        cells = [store.cell_seen(connection, mine.sight, place.cell_id) for place in places]
    columns = described(
        BoardColumns,
        found,
        round=found.round_id,
        width=grid.size.width,
        height=grid.size.height,
        max_level=max_level(grid.size),
        tile_size=TILE_PX,
        state=picture.state,
        done=picture.done,
        of=picture.of,
        reason=picture.reason,
        cell=[cell.public_id for cell in cells],
        column=[place.column for place in places],
        row=[place.row for place in places],
        slide=[cell.slide_id for cell in cells],
        x=[cell.centre_px0[0] for cell in cells],
        y=[cell.centre_px0[1] for cell in cells],
        before=[place.before_label_id or 0 for place in places],
        label=[
            cell.label_id or place.before_label_id or 0 for place, cell in zip(places, cells, strict=True)
        ],
        seen=[seen_token(cell, state.tokens) for cell in cells],
    )
    return JSONResponse(columns)


@router.get(
    "/api/boards/{board_id}/tiles/{level}/{column}_{row}.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def tile(
    board_id: RowId,
    level: LevelNumber,
    column: TileNumber,
    row: TileNumber,
    state: StateHere,
    visitor: VisitorHere,
) -> Response:
    """Return a tile of the picture of a board."""
    found, _ = _board(state, visitor, board_id)
    picture = _picture(state, found)
    if picture.state != "ready":
        reason = picture.reason or f"{picture.done:.0f} of {picture.of:.0f} parts are drawn"
        raise Refusal(503, "not_ready", f"the board is not drawn yet: {reason}", mend="wait a little")
    slide = acquire(picture.path)
    try:
        content = state.tiles.get(
            ("board", board_id, level, column, row),
            lambda: encode_jpeg(read_tile(slide, level, column, row)),
        )
    except (LevelError, RegionError):
        raise no_such("tile") from None
    return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})


def _before(state: AppState, board_id: int) -> dict[int, int]:
    with state.store.reading() as connection:
        places = store.read_places(connection, board_id)
    return {place.cell_id: place.before_label_id for place in places if place.before_label_id is not None}


@router.get("/api/boards/{board_id}/changed")
def changed(board_id: RowId, state: StateHere, visitor: VisitorHere) -> Reclassed:
    """Return the cells that have another class on the board than before."""
    found, mine = _board(state, visitor, board_id)
    before = _before(state, board_id)
    now = relabelled(state.store, found.name, before)
    with state.store.reading() as connection:
        cells = [store.cell_seen(connection, mine.sight, cell) for cell in now]
    return {
        "cells": [
            {
                "cell": cell.public_id,
                "before": before.get(cell.cell_id, 0),
                "now": now[cell.cell_id],
                "slide": cell.slide_id,
                "x": cell.centre_px0[0],
                "y": cell.centre_px0[1],
            }
            for cell in cells
        ]
    }


class Second(Action):
    """Who reads the re-classed cells, without the board."""

    raters: Annotated[list[Id], Field(min_length=1, max_length=1000)]


@router.post("/api/boards/{board_id}/second")
def second(board_id: RowId, body: Second, state: StateHere, lead: ComparerHere) -> SecondAsked:
    """Put the re-classed cells before a second expert, blinded and without the board."""
    with state.store.reading() as connection:
        found = store.read_board(connection, board_id)
    check_raters(state, body.raters)
    ask_second(state.store, found.name, _before(state, board_id))

    def act(connection: Any) -> SecondAsked:
        round_id = store.id_of(connection, "round", f"{found.name}, second read")
        row = store.read_round_row(connection, round_id)
        store.write_terms(connection, round_id, row.terms)
        store.assign(connection, round_id, body.raters)
        note_round(connection, lead, store.ActivityKind.ROUND_OPENED, round_id, concerns=body.raters)
        cells = store.count_listed(connection, round_id)
        return {"round": round_id, "cells": cells, "is_repeated": False}

    return done_once(state, lead, body.key, f"second read of board {board_id}", act)
