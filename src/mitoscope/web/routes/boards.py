"""The similarity board: all crops in one picture, re-classed where they stand."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from mitoscope.curation.board import Grid, ask_second, lay_out, open_board, relabelled
from mitoscope.curation.board.grid import OCCUPANCY
from mitoscope.errors import LevelError, RegionError
from mitoscope.loops.crops import CropPlace
from mitoscope.slide import acquire
from mitoscope.store.board import Board, BoardPlace, add_board, read_board, read_places
from mitoscope.store.cell_seen import cell_seen
from mitoscope.store.terms import Terms, assign, read_round_row, write_terms
from mitoscope.store.vocabulary import id_of, read_labels
from mitoscope.web.board_picture import BoardPicture, Drawing, picture_path
from mitoscope.web.bodies import Action, Cell, Id, LevelNumber, Name, RowId, TileNumber
from mitoscope.web.deep_zoom import TILE_PX, encode_jpeg, max_level, read_tile
from mitoscope.web.desk import Desk, DeskHere, LeadHere, VisitorHere, done_once, seat
from mitoscope.web.refusal import Refusal, invalid, no_such, there_is
from mitoscope.web.routes.rounds import check_raters

router = APIRouter()
CELLS_MAX = 100_000
NO_CLASS_COLOUR = "#868e96"
OCCUPANCY_SMALL = 0.5
"""A small board is half full: with the 17 % of CMC one would look at white."""
SMALL_BELOW = 2000

_Numbers = Annotated[
    list[Annotated[float, Field(ge=-1e9, le=1e9)]], Field(min_length=1, max_length=CELLS_MAX)
]


PictureState = Literal["drawing", "ready", "failed"]

@exact
class BoardOpened(Done):
    """The ids of a board and of its round."""

    board: int
    round: int


@exact
class BoardColumns(TypedDict):
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


@exact
class ReclassedCell(TypedDict):
    """A cell whose label was another before, 0 for none; its centre in level-0 px."""

    cell: Cell
    before: int
    now: int
    slide: int
    x: float
    y: float


@exact
class Reclassed(TypedDict):
    """The cells that have another class on a board than before."""

    cells: list[ReclassedCell]


@exact
class SecondAsked(Done):
    """The id of the round in which the re-classed cells are read again, and how many they are."""

    round: int
    cells: int


class NewBoard(Action):
    """Cells and where they lie in two dimensions, in any unit."""

    name: Name
    cells: Annotated[list[Cell], Field(min_length=1, max_length=CELLS_MAX)]
    x: _Numbers
    y: _Numbers
    cell_px: Annotated[int, Field(ge=16, le=256)] = 64
    raters: Annotated[tuple[Id, ...], Field(max_length=1000)] = ()


@router.post("/api/boards")
def add(body: NewBoard, desk: DeskHere, lead: LeadHere) -> BoardOpened:
    """Open the review of a board; its picture is drawn in the background."""
    if not len(body.cells) == len(body.x) == len(body.y):
        raise invalid("cells, x and y differ in length", field="x")
    ids = desk.veil.cell_ids(body.cells)
    if len(set(ids)) != len(ids):
        raise invalid("a cell stands twice on the board", field="cells")
    check_raters(desk, body.raters)
    known = _known(desk, lead.rater_id, body.key)
    if known is None:
        _check_cells(desk, ids)
        open_board(desk.store, body.name, ids)
    occupancy = OCCUPANCY if len(ids) >= SMALL_BELOW else OCCUPANCY_SMALL
    grid = Grid.for_crops(len(ids), cell_px=body.cell_px, occupancy=occupancy)
    layout = lay_out(np.column_stack([body.x, body.y]), grid)
    before = _labels_before(desk, ids)

    def act(connection: Any) -> BoardOpened:
        round_id = id_of(connection, "round", body.name)
        places = [
            BoardPlace(cell, int(layout.column[row]), int(layout.row[row]), before.get(cell))
            for row, cell in enumerate(ids)
        ]
        board = add_board(
            connection, round_id, places, columns=grid.columns, rows=grid.rows, cell_px=grid.cell_px
        )
        write_terms(connection, round_id, Terms(shows_labels=True))
        assign(connection, round_id, body.raters or [lead.rater_id])
        return {"board": board, "round": round_id, "is_repeated": False}

    done = done_once(desk, lead, body.key, f"board {body.name}", act)
    with desk.store.reading() as connection:
        board = read_board(connection, done["board"])
    _picture(desk, board)
    return done


def _known(desk: Desk, rater_id: int, key: str) -> int | None:
    with desk.store.reading() as connection:
        sql = "SELECT 1 FROM request WHERE (key, rater_id) = (?, ?)"
        row = connection.execute(sql, (key, rater_id)).fetchone()
    return None if row is None else 1


def _check_cells(desk: Desk, ids: list[int]) -> None:
    with desk.store.reading() as connection:
        for cell in ids:
            row = connection.execute("SELECT is_deleted FROM cell WHERE id = ?", (cell,)).fetchone()
            if row is None or row[0]:
                raise invalid("a cell of the board is not in the study", field="cells")


_BEFORE_SQL = """
SELECT n.cell_id, n.label_id FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id
WHERE n.label_id IS NOT NULL AND r.kind <> 'model' ORDER BY r.kind = 'consensus', n.last_seq
"""


def _labels_before(desk: Desk, ids: list[int]) -> dict[int, int]:
    """Return what was last said of cells, a consensus going before an expert."""
    wanted = set(ids)
    with desk.store.reading() as connection:
        return {cell: label for cell, label in connection.execute(_BEFORE_SQL) if cell in wanted}


def _board(desk: Desk, board_id: int) -> Board:
    with desk.store.reading() as connection, there_is("board"):
        return read_board(connection, board_id)


def _picture(desk: Desk, board: Board) -> BoardPicture:
    """Return the picture of a board, beginning to draw it if nobody has."""
    with desk.lock:
        known: BoardPicture | None = desk.boards.get(board.id)
        if known is None or (known.state == "ready" and not known.path.is_file()):
            known = desk.boards[board.id] = BoardPicture(picture_path(desk.store.path, board.id))
            if known.path.is_file():
                known.state = "ready"
            else:
                _start(desk, board, known)
        return known


def _start(desk: Desk, board: Board, picture: BoardPicture) -> None:
    slides = desk.store.slides()
    with desk.store.reading() as connection:
        places = read_places(connection, board.id)
        colours = {id_: one.colour for id_, one in read_labels(connection).items()}
        rows = connection.execute(
            "SELECT c.id, c.slide_id, (c.x_min_px0 + c.x_max_px0) / 2, (c.y_min_px0 + c.y_max_px0) / 2 "
            "FROM board_place AS p JOIN cell AS c ON c.id = p.cell_id WHERE p.board_id = ?",
            (board.id,),
        ).fetchall()
    where = {cell: (slide, x, y) for cell, slide, x, y in rows}
    try:
        files = {slides[slide].name: desk.shelf.path(slide) for slide in {one[0] for one in where.values()}}
    except Refusal as refusal:
        picture.state, picture.reason = "failed", refusal.what
        return
    drawing = Drawing(
        places=[CropPlace.on(slides[slide], x, y) for slide, x, y in (where[one.cell_id] for one in places)],
        colours=[
            NO_CLASS_COLOUR if one.before_label_id is None else colours[one.before_label_id] for one in places
        ],
        files=files,
    )
    picture.start(board, places, drawing)


@router.get("/api/boards/{board_id}", responses={200: {"model": BoardColumns}})
def board(board_id: RowId, desk: DeskHere, visitor: VisitorHere) -> Response:
    """Return a board: where each cell stands, its class before and now."""
    found = _board(desk, board_id)
    mine = seat(desk, visitor, found.round_id)
    picture = _picture(desk, found)
    grid = Grid(found.columns, found.rows, found.cell_px)
    with desk.store.reading() as connection:
        places = read_places(connection, board_id)
        cells = [cell_seen(connection, mine.sight, one.cell_id) for one in places]
    columns: BoardColumns = {
        "id": found.id,
        "name": found.name,
        "round": found.round_id,
        "columns": found.columns,
        "rows": found.rows,
        "cell_px": found.cell_px,
        "width": grid.size.width,
        "height": grid.size.height,
        "max_level": max_level(grid.size),
        "tile_size": TILE_PX,
        "state": picture.state,
        "done": picture.done,
        "of": picture.of,
        "reason": picture.reason,
        "cell": desk.veil.cells([one.cell_id for one in places]),
        "column": [one.column for one in places],
        "row": [one.row for one in places],
        "slide": [one.slide_id for one in cells],
        "x": [(one.bounds_px0[0] + one.bounds_px0[2]) / 2 for one in cells],
        "y": [(one.bounds_px0[1] + one.bounds_px0[3]) / 2 for one in cells],
        "before": [one.before_label_id or 0 for one in places],
        "label": [now.label_id or one.before_label_id or 0 for one, now in zip(places, cells, strict=True)],
        "seen": desk.veil.seen([one.cell_id for one in cells], [one.seen for one in cells]),
    }
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
    desk: DeskHere,
    visitor: VisitorHere,
) -> Response:
    """Return a tile of the picture of a board."""
    found = _board(desk, board_id)
    seat(desk, visitor, found.round_id)
    picture = _picture(desk, found)
    if picture.state != "ready":
        reason = picture.reason or f"{picture.done:.0f} of {picture.of:.0f} parts are drawn"
        raise Refusal(503, "not_ready", f"the board is not drawn yet: {reason}", mend="wait a little")
    slide = acquire(picture.path)
    try:
        content = desk.tiles.get(
            ("board", board_id, level, column, row),
            lambda: encode_jpeg(read_tile(slide, level, column, row)),
        )
    except (LevelError, RegionError):
        raise no_such("tile") from None
    return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})


def _before(desk: Desk, board_id: int) -> dict[int, int]:
    with desk.store.reading() as connection:
        places = read_places(connection, board_id)
    return {one.cell_id: one.before_label_id for one in places if one.before_label_id is not None}


@router.get("/api/boards/{board_id}/changed")
def changed(board_id: RowId, desk: DeskHere, visitor: VisitorHere) -> Reclassed:
    """Return the cells that have another class on the board than before."""
    found = _board(desk, board_id)
    mine = seat(desk, visitor, found.round_id)
    before = _before(desk, board_id)
    now = relabelled(desk.store, found.name, before)
    with desk.store.reading() as connection:
        cells = [(one, cell_seen(connection, mine.sight, one)) for one in now]
    return {
        "cells": [
            {
                "cell": desk.veil.cell(one),
                "before": before.get(one, 0),
                "now": now[one],
                "slide": seen.slide_id,
                "x": (seen.bounds_px0[0] + seen.bounds_px0[2]) / 2,
                "y": (seen.bounds_px0[1] + seen.bounds_px0[3]) / 2,
            }
            for one, seen in cells
        ]
    }


class Second(Action):
    """Who reads the re-classed cells, without the board."""

    raters: Annotated[list[Id], Field(min_length=1, max_length=1000)]


@router.post("/api/boards/{board_id}/second")
def second(board_id: RowId, body: Second, desk: DeskHere, lead: LeadHere) -> SecondAsked:
    """Put the re-classed cells before a second expert, blinded and without the board."""
    found = _board(desk, board_id)
    check_raters(desk, body.raters)
    ask_second(desk.store, found.name, _before(desk, board_id))

    def act(connection: Any) -> SecondAsked:
        round_id = id_of(connection, "round", f"{found.name}, second read")
        row = read_round_row(connection, round_id)
        write_terms(connection, round_id, row.terms)
        assign(connection, round_id, body.raters)
        sql = "SELECT count(*) FROM round_cell WHERE round_id = ?"
        (cells,) = connection.execute(sql, (round_id,)).fetchone()
        return {"round": round_id, "cells": cells, "is_repeated": False}

    return done_once(desk, lead, body.key, f"second read of board {board_id}", act)
