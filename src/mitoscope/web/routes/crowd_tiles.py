"""Which tiles a crowd is asked about, for the lead: over tissue, by score, from a file, and gold ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import Field

from mitoscope import store
from mitoscope.curation.crowd import TILE_PX
from mitoscope.curation.gold import gold_tiles
from mitoscope.curation.select import (
    SHARE_BELOW,
    THRESHOLD,
    TISSUE_MIN,
    TOP_TILES,
    choose_above,
    choose_slides,
    choose_top,
    read_choice,
    score_tiles,
)
from mitoscope.detections import Detections
from mitoscope.errors import MitoscopeError
from mitoscope.web.forms import Action, Body, Box, Coordinate, Done, Id, RoundId, RowId, Score
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.crowd import BOXES_MAX, TILE_ID, crowd_task
from mitoscope.web.state import AppState, LeadHere, StateHere, assignment, done_once
from mitoscope.wording import say_number

router = APIRouter()
TILES_MAX = 5000
CHOICE_MAX_CHARACTERS = 16 << 20


class TilesAdded(Done):
    """How many tiles are new, how many of all are gold, and how many were left out: glass, or cut."""

    tiles: int
    gold: int
    left_out: int


class GoldSet(Done):
    """The id of a tile whose known answer was stated, or taken back."""

    tile: int
    is_gold: bool


class TilePlace(Body):
    """Where a tile lies."""

    slide: Id
    x: Coordinate
    y: Coordinate


class GoldTile(TilePlace):
    """A tile whose answer is known."""

    boxes: Annotated[list[Box], Field(max_length=BOXES_MAX)] | None = None
    answer: bool | None = None


class Propose(Body):
    """Tiles to be laid over the tissue of a slide."""

    slide: Id
    n: Annotated[int, Field(ge=1, le=TILES_MAX)]


class Choose(Body):
    """Tiles by the highest score that a model gave to something on them, slide by slide; glass is dropped.

    ``top`` takes the best n of each slide, ``above`` all above a threshold and a share of the others,
    ``slides`` all tiles of n slides at random.
    """

    rule: Literal["top", "above", "slides"]
    n: Annotated[int, Field(ge=1, le=TILES_MAX)] = TOP_TILES
    threshold: Score = THRESHOLD
    share_below: Score = SHARE_BELOW
    seed: Annotated[int, Field(ge=0, le=(1 << 31) - 1)] = 0


class GoldFromLabels(Body):
    """How many gold tiles with and without figures are drawn from what is settled in the study."""

    positive: Annotated[int, Field(ge=0, le=1000)]
    negative: Annotated[int, Field(ge=0, le=1000)]
    seed: Annotated[int, Field(ge=0, le=(1 << 31) - 1)] = 0


class NewTiles(Action):
    """Tiles for the crowd."""

    tiles: Annotated[tuple[TilePlace, ...], Field(max_length=TILES_MAX)] = ()
    gold: Annotated[tuple[GoldTile, ...], Field(max_length=TILES_MAX)] = ()
    propose: Propose | None = None
    choose: Choose | None = None
    choice: Annotated[str, Field(max_length=CHOICE_MAX_CHARACTERS)] | None = None
    gold_from_labels: GoldFromLabels | None = None
    side: Annotated[float, Field(ge=16, le=20_000)] = float(TILE_PX)


@router.post("/api/rounds/{round_id}/tiles")
def add(round_id: RoundId, body: NewTiles, state: StateHere, lead: LeadHere) -> TilesAdded:
    """Put tiles before the crowd: stated, over tissue, by score, from a file; gold from what is settled."""
    row = crowd_task(assignment(state, lead, round_id, operation=store.Operation.ENTER).row)
    if body.gold_from_labels is not None:
        with state.store.reading() as connection:
            store.permit(connection, lead, store.Operation.COMPARE)  # how many there are tells what was said
    known = set(state.store.slides())
    new = [store.TaskTile(0, round_id, tile.slide, tile.x, tile.y, body.side) for tile in body.tiles]
    new += [
        store.TaskTile(
            0, round_id, one.slide, one.x, one.y, body.side, gold=_gold(row, one.boxes, one.answer)
        )
        for one in body.gold
    ]
    left_out = 0
    if body.propose is not None:
        new += _over_tissue(state, round_id, body.propose, body.side)
    if body.choose is not None:
        chosen, left_out = _by_score(state, row, body.choose, body.side)
        new += chosen
    if body.choice is not None:
        chosen, left_out = _from_file(state, row, body.choice)
        new += chosen
    if body.gold_from_labels is not None:
        new += _from_labels(state, row, body.gold_from_labels, body.side)
    if any(one.slide_id not in known for one in new):
        raise invalid("there is no such slide", field="slide")

    def act(connection: Any) -> TilesAdded:
        added = store.add_tiles(connection, new)
        if added:
            _note(connection, lead, store.ActivityKind.TILES_ADDED, row, detail=say_number(added, "tile"))
        return {
            "tiles": added,
            "gold": sum(one.gold is not None for one in new),
            "left_out": left_out,
            "is_repeated": False,
        }

    return done_once(state, lead, body.key, f"tiles of {round_id}", act)


class KnownAnswer(Action):
    """The known answer of a tile: boxes, or yes or no; neither takes it back."""

    boxes: Annotated[list[Box], Field(max_length=BOXES_MAX)] | None = None
    answer: bool | None = None


@router.post("/api/rounds/{round_id}/tiles/{tile_id}/gold")
def set_gold(
    round_id: RoundId, tile_id: RowId, body: KnownAnswer, state: StateHere, lead: LeadHere
) -> GoldSet:
    """State what is to be seen on a tile, which makes it a gold tile, or take that back."""
    row = crowd_task(assignment(state, lead, round_id, operation=store.Operation.ENTER).row)
    is_stated = body.boxes is not None or body.answer is not None
    gold = _gold(row, body.boxes, body.answer) if is_stated else None

    def act(connection: Any) -> GoldSet:
        tile = store.read_tile(connection, round_id, state.veil.find(TILE_ID, tile_id))
        store.set_gold(connection, tile.id, gold)
        detail = "" if is_stated else "taken back"
        _note(connection, lead, store.ActivityKind.TILE_ANSWERED, row, detail=detail)
        return {"tile": tile_id, "is_gold": gold is not None, "is_repeated": False}

    return done_once(state, lead, body.key, f"gold of tile {round_id}/{tile_id}", act)


def _note(
    connection: Any, lead: store.Visitor, kind: store.ActivityKind, row: store.RoundRow, *, detail: str
) -> None:
    store.write_activity(connection, lead.rater_id, kind, row.name, round_id=row.id, detail=detail)


def _gold(row: store.RoundRow, boxes: list[Any] | None, answer: bool | None) -> dict[str, Any]:
    if row.kind is store.RoundKind.CROWD_BOXES:
        if boxes is None:
            raise invalid("a gold tile of this task has boxes, or an empty list of them", field="gold")
        return {"boxes": [list(box) for box in boxes]}
    if answer is None:
        raise invalid("a gold tile of this task has an answer, yes or no", field="gold")
    return {"answer": answer}


def _slides_of(state: AppState, row: store.RoundRow) -> list[int]:
    """Return the slides of a round that can be looked at, in order."""
    shown = [one.id for one in state.slides.all() if one.state == "ok"]
    return [id_ for id_ in shown if row.terms.slides is None or id_ in row.terms.slides]


def _has_tissue(state: AppState, slide: int, corners: NDArray[np.float64], side: float) -> NDArray[np.bool_]:
    """Return which tiles of a slide are tissue for the most part, shape (n,)."""
    mpp = state.slides.info(slide).mpp
    area = state.tissue(slide).areas_in(corners, width_px0=side, height_px0=side)
    return np.asarray(area >= TISSUE_MIN * side**2 * mpp.pixel_area_mm2)


def _grid(state: AppState, slide: int, side: float) -> NDArray[np.float64]:
    """Return the corners of the tiles of a slide that are tissue for the most part, shape (n, 2)."""
    size = state.slides.info(slide).size
    columns, rows = int(size.width // side), int(size.height // side)
    y, x = np.meshgrid(np.arange(rows) * side, np.arange(columns) * side, indexing="ij")
    corners = np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)
    return corners[_has_tissue(state, slide, corners, side)] if len(corners) else corners


def _over_tissue(state: AppState, round_id: int, wanted: Propose, side: float) -> list[store.TaskTile]:
    """Return tiles of a grid that are tissue for the most part, the same for the same slide."""
    full = _grid(state, wanted.slide, side)
    chosen = np.random.default_rng(wanted.slide).permutation(len(full))[: wanted.n]
    places = full[np.sort(chosen)].tolist()
    return [store.TaskTile(0, round_id, wanted.slide, x, y, side) for x, y in places]


def _by_score(
    state: AppState, row: store.RoundRow, wanted: Choose, side: float
) -> tuple[list[store.TaskTile], int]:
    """Return the chosen tiles, and how many were left out before: glass, or cut by the border."""
    ids = {str(id_): id_ for id_ in _slides_of(state, row)}
    sizes = {name: state.slides.info(id_).size for name, id_ in ids.items()}
    found = {}
    with state.store.snapshot() as copy, copy.reading() as connection:
        for name, id_ in ids.items():
            points = store.scored_points(connection, id_)
            found[name] = Detections.of(points[:, :2], points[:, 2])
    if not any(len(one) for one in found.values()):
        mend = "search the slides first, or add candidates from a file"
        raise invalid("no model has scored anything on the slides of this round", field="choose", mend=mend)
    tiles = score_tiles(sizes, found, tile_px=int(side))
    kept = tiles.is_whole(int(side))
    for name, id_ in ids.items():
        rows = tiles.rows_of(name)
        kept[rows] &= _has_tissue(state, id_, tiles.boxes_px0[rows, :2], side)
    tiles, left_out = tiles.take(kept), int((~kept).sum())
    try:
        if wanted.rule == "top":
            choice = choose_top(tiles, wanted.n)
        elif wanted.rule == "above":
            choice = choose_above(tiles, wanted.threshold, wanted.share_below, seed=wanted.seed)
        else:
            choice = choose_slides(tiles, wanted.n, seed=wanted.seed)
    except MitoscopeError as error:
        raise invalid(error.what, field="choose", mend=error.mend) from None
    chosen = []
    for at in np.flatnonzero(choice.chosen).tolist():
        x, y = tiles.boxes_px0[at, :2].tolist()
        chosen.append(store.TaskTile(0, row.id, ids[tiles.slides[tiles.slide[at]]], x, y, side))
    return chosen, left_out


def _from_file(state: AppState, row: store.RoundRow, text: str) -> tuple[list[store.TaskTile], int]:
    """Return the tiles of a choice that a command made; those that are glass are left out."""
    try:
        rows = read_choice(text)
    except MitoscopeError as error:
        raise invalid(error.what, field="choice", mend=error.mend) from None
    names = {id_: slide.name for id_, slide in state.store.slides().items()}
    ids = {names[id_]: id_ for id_ in _slides_of(state, row)}
    odd = sorted({slide for slide, *_ in rows} - set(ids))
    if odd:
        raise invalid(f"no slide {odd[0]!r} that can be shown in this round", field="choice")
    tiles = [store.TaskTile(0, row.id, ids[slide], x, y, side) for slide, x, y, side in rows]
    kept = [
        one
        for one in tiles
        if _has_tissue(state, one.slide_id, np.array([[one.x_px0, one.y_px0]]), one.side_px0)[0]
    ]
    return kept, len(tiles) - len(kept)


def _from_labels(
    state: AppState, row: store.RoundRow, wanted: GoldFromLabels, side: float
) -> list[store.TaskTile]:
    with state.store.snapshot() as copy, copy.reading() as connection:
        examined = store.examined_areas(connection)
    corners = {slide: _grid(state, slide, side) for slide in _slides_of(state, row) if slide in examined}
    with state.store.snapshot() as copy, copy.reading() as connection:
        found = gold_tiles(
            connection,
            row.id,
            row.kind,
            corners,
            side_px0=side,
            positive=wanted.positive,
            negative=wanted.negative,
            seed=wanted.seed,
        )
    if found.with_figures < wanted.positive or found.without < wanted.negative:
        what = f"{found.with_figures} settled tiles have figures and {found.without} have none"
        mend = "ask for fewer, screen more, or answer tiles as gold yourself"
        raise invalid(what, field="gold_from_labels", mend=mend)
    return list(found.tiles)
