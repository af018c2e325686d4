"""Tasks of the crowd as their lead sees them: their tiles, what was answered, and what it makes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from mitoscope import store
from mitoscope.curation.crowd import TILE_PX
from mitoscope.curation.tiles import (
    TileResult,
    box_rows,
    conclude_boxes,
    describe_tiles,
    tile_results,
    tiles_text,
)
from mitoscope.web.forms import Action, AgreedBox, Answer, Body, Box, Coordinate, Done, Id, RoundId, described
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.crowd import (
    BOXES_MAX,
    ShownTile,
    Standing,
    crowd_task,
    describe_tile,
)
from mitoscope.web.state import AppState, ComparerHere, LeadHere, StateHere, assignment, done_once

router = APIRouter()
TILES_MAX = 5000


class TilesAdded(Done):
    """How many tiles are new."""

    tiles: int


class JudgedTile(ShownTile):
    """A tile with what the qualified said: merged boxes with their agreement, and how many saw a figure.

    The score is the share of yes, null without an answer, or the sum of the boxes' agreement; whether the
    tile holds a figure is null while too few have answered.
    """

    is_gold: bool
    reviewers: int
    boxes: list[AgreedBox]
    yes: int
    score: float | None
    holds_figure: bool | None


class CrowdRater(Answer):
    """One of the crowd: tiles answered, and the median of the seconds for one, by the server's clock."""

    id: int
    name: str
    answered: int
    qualification: Standing
    seconds_median: float | None


class CrowdTiles(Answer):
    """All tiles of a round, and who answered."""

    tiles: list[JudgedTile]
    raters: list[CrowdRater]


class CrowdConcluded(Done):
    """Cells made of merged boxes now, those whose agreement changed, and those that too few see by now."""

    cells: int
    changed: int
    withdrawn: int


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


class NewTiles(Action):
    """Tiles for the crowd."""

    tiles: Annotated[tuple[TilePlace, ...], Field(max_length=TILES_MAX)] = ()
    gold: Annotated[tuple[GoldTile, ...], Field(max_length=TILES_MAX)] = ()
    propose: Propose | None = None
    side: Annotated[float, Field(ge=16, le=20_000)] = float(TILE_PX)


@router.post("/api/rounds/{round_id}/tiles")
def add(round_id: RoundId, body: NewTiles, state: StateHere, lead: LeadHere) -> TilesAdded:
    """Put tiles before the crowd: stated ones, gold ones, or some over the tissue of a slide."""
    row = crowd_task(assignment(state, lead, round_id).row)
    known = set(state.store.slides())
    new = [store.TaskTile(0, round_id, tile.slide, tile.x, tile.y, body.side) for tile in body.tiles]
    new += [
        store.TaskTile(0, round_id, one.slide, one.x, one.y, body.side, gold=_gold(row, one))
        for one in body.gold
    ]
    if body.propose is not None:
        new += _over_tissue(state, round_id, body.propose, body.side)
    if any(one.slide_id not in known for one in new):
        raise invalid("there is no such slide", field="slide")

    def act(connection: Any) -> TilesAdded:
        return {"tiles": store.add_tiles(connection, new), "is_repeated": False}

    return done_once(state, lead, body.key, f"tiles of {round_id}", act)


def _gold(row: store.RoundRow, gold_tile: GoldTile) -> dict[str, Any]:
    if row.kind is store.RoundKind.CROWD_BOXES:
        if gold_tile.boxes is None:
            raise invalid("a gold tile of this task has boxes, or an empty list of them", field="gold")
        return {"boxes": [list(box) for box in gold_tile.boxes]}
    if gold_tile.answer is None:
        raise invalid("a gold tile of this task has an answer, yes or no", field="gold")
    return {"answer": gold_tile.answer}


def _over_tissue(state: AppState, round_id: int, wanted: Propose, side: float) -> list[store.TaskTile]:
    """Return tiles of a grid that are tissue for the most part, the same for the same slide."""
    info, tissue = state.slides.info(wanted.slide), state.tissue(wanted.slide)
    columns, rows = int(info.size.width // side), int(info.size.height // side)
    y, x = np.meshgrid(np.arange(rows) * side, np.arange(columns) * side, indexing="ij")
    origins = np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)
    share = tissue.areas_in(origins, width_px0=side, height_px0=side) / (side**2 * info.mpp.pixel_area_mm2)
    full = origins[share >= 0.5]
    chosen = np.random.default_rng(wanted.slide).permutation(len(full))[: wanted.n]
    places = full[np.sort(chosen)].tolist()
    return [store.TaskTile(0, round_id, wanted.slide, x, y, side) for x, y in places]


@router.get("/api/rounds/{round_id}/tiles")
def tiles(round_id: RoundId, state: StateHere, lead: ComparerHere) -> CrowdTiles:
    """Return what the crowd said of each tile, and how each of them stands."""
    row = crowd_task(assignment(state, lead, round_id).row)
    with state.store.reading() as connection:
        work = store.read_crowd_work(connection, round_id)
        pace = store.read_pace(connection)
        names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    found = []
    for rater, stand in work.standing.items():
        speed = pace.get((round_id, rater))
        found.append(
            described(
                CrowdRater,
                None,
                id=rater,
                name=names[rater],
                answered=sum(answer.rater_id == rater for answer in work.answers),
                qualification=described(Standing, stand),
                seconds_median=None if speed is None else speed.median_s,
            )
        )
    return {"tiles": [_judged(result) for result in tile_results(row, work)], "raters": found}


def _judged(result: TileResult) -> JudgedTile:
    return {
        **describe_tile(result.tile),
        "is_gold": result.tile.gold is not None,
        "reviewers": result.reviewers,
        "boxes": box_rows(result.boxes),
        "yes": result.positive,
        "score": result.score,
        "holds_figure": result.holds_figure,
    }


@router.get(
    "/api/rounds/{round_id}/tiles/file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def tiles_file(
    round_id: RoundId,
    state: StateHere,
    lead: ComparerHere,
    format: Annotated[Literal["csv", "json"], Query()] = "csv",  # noqa: A002 the word of the API
) -> Response:
    """Return what the tiles came to as a file: a row a tile, in JSON with boxes and all answers."""
    row = crowd_task(assignment(state, lead, round_id).row)
    return download(tiles_text(describe_tiles(state.store, row.name), f".{format}"), "tiles", format)


def download(text: str, stem: str, suffix: str) -> Response:
    """Return a text as a file to be kept."""
    named = {"content-disposition": f'attachment; filename="{stem}.{suffix}"'}
    return Response(text.encode(), media_type="application/octet-stream", headers=named)


@router.post("/api/rounds/{round_id}/conclude")
def conclude(round_id: RoundId, body: Action, state: StateHere, lead: LeadHere) -> CrowdConcluded:
    """Make cells of the merged boxes, with the agreement as their score; those made before follow it."""
    row = crowd_task(assignment(state, lead, round_id).row)
    if row.kind is not store.RoundKind.CROWD_BOXES:
        raise invalid("yes and no to tiles makes no cells")

    def act(connection: Any) -> CrowdConcluded:
        done = conclude_boxes(connection, row)
        return described(CrowdConcluded, done, cells=done.made, is_repeated=False)

    return done_once(state, lead, body.key, f"conclusion of {round_id}", act)
