"""Tasks of the crowd as their lead sees them: their tiles, what was answered, and what it makes."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from pydantic import Field

from mitoscope import store
from mitoscope.curation.crowd import TILE_PX, Qualification, merge_crowd_boxes
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.web.forms import Action, AgreedBox, Answer, Body, Box, Coordinate, Done, Id, RoundId, described
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.crowd import (
    BOXES_MAX,
    ShownTile,
    Standing,
    corners_of,
    crowd_task,
    describe_tile,
    qualification,
)
from mitoscope.web.state import AppState, ComparerHere, LeadHere, StateHere, assignment, done_once

router = APIRouter()
TILES_MAX = 5000
CROWD_RATER = store.Rater("crowd", store.RaterKind.CROWD)


class TilesAdded(Done):
    """How many tiles are new."""

    tiles: int


class JudgedTile(ShownTile):
    """A tile with what the qualified said: merged boxes with their agreement, or how many said yes.

    The score is the share of yes, null without an answer, or the sum of the boxes' agreement.
    """

    is_gold: bool
    reviewers: int
    boxes: list[AgreedBox]
    yes: int
    score: float | None


class CrowdRater(Answer):
    """One of the crowd: tiles answered, and the median of the seconds that were taken for one."""

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
    """How many cells were made of merged boxes."""

    cells: int


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


def _counting(
    row: store.RoundRow, tiles: list[store.TaskTile], answers: list[store.TileAnswer]
) -> tuple[dict[int, list[store.TileAnswer]], dict[int, Qualification]]:
    """Return the answers of the qualified by tile, and how each rater stands."""
    by_rater: dict[int, list[store.TileAnswer]] = defaultdict(list)
    for answer in answers:
        by_rater[answer.rater_id].append(answer)
    stands = {rater: qualification(row, tiles, mine) for rater, mine in by_rater.items()}
    by_tile: dict[int, list[store.TileAnswer]] = defaultdict(list)
    for answer in answers:
        if stands[answer.rater_id].state == "qualified":
            by_tile[answer.tile_id].append(answer)
    return by_tile, stands


def _merged(row: store.RoundRow, answers: list[store.TileAnswer]) -> list[AgreedBox] | None:
    """Return the merged boxes of a tile as x, y, width, height and agreement; None while too few saw it."""
    boxes = [(box, answer.rater_id) for answer in answers for box in answer.content.get("boxes", [])]
    reviewers = int(row.terms.settings.get("minimum_reviewers", store.MINIMUM_REVIEWERS))
    merged = merge_crowd_boxes(
        corners_of([box for box, _ in boxes]),
        [who for _, who in boxes],
        reviewers=len(answers),
        minimum_reviewers=reviewers,
        minimum_overlapping_boxes=min(2, reviewers),
    )
    if merged is None:
        return None
    size = merged.boxes_px0[:, 2:] - merged.boxes_px0[:, :2]
    rows: list[AgreedBox] = (
        np.column_stack([merged.boxes_px0[:, :2], size, merged.agreement]).round(6).tolist()
    )
    return rows


@router.get("/api/rounds/{round_id}/tiles")
def tiles(round_id: RoundId, state: StateHere, lead: ComparerHere) -> CrowdTiles:
    """Return what the crowd said of each tile, and how each of them stands."""
    row = crowd_task(assignment(state, lead, round_id).row)
    with state.store.reading() as connection:
        all_tiles = store.read_tiles(connection, round_id)
        answers = store.read_answers(connection, round_id)
        names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    by_tile, stands = _counting(row, all_tiles, answers)
    seconds: dict[int, list[float]] = defaultdict(list)
    for answer in answers:
        if answer.seconds is not None:
            seconds[answer.rater_id].append(answer.seconds)
    return {
        "tiles": [_result(row, tile, by_tile.get(tile.id, [])) for tile in all_tiles],
        "raters": [
            {
                "id": rater,
                "name": names[rater],
                "answered": sum(answer.rater_id == rater for answer in answers),
                "qualification": described(Standing, stand),
                "seconds_median": float(np.median(seconds[rater])) if seconds[rater] else None,
            }
            for rater, stand in sorted(stands.items())
        ],
    }


def _result(row: store.RoundRow, tile: store.TaskTile, answers: list[store.TileAnswer]) -> JudgedTile:
    yes = sum(bool(answer.content.get("answer")) for answer in answers)
    boxes = _merged(row, answers) if row.kind is store.RoundKind.CROWD_BOXES else []
    is_yes_no = row.kind is store.RoundKind.CROWD_TILES
    if is_yes_no:
        score = yes / len(answers) if answers else None
    else:
        # What too few have looked at has no score yet, which is another thing than a score of 0.
        score = None if boxes is None else float(sum(box[4] for box in boxes))
    return {
        **describe_tile(tile),
        "is_gold": tile.gold is not None,
        "reviewers": len(answers),
        "boxes": boxes or [],
        "yes": yes,
        "score": score,
    }


@router.post("/api/rounds/{round_id}/conclude")
def conclude(round_id: RoundId, body: Action, state: StateHere, lead: LeadHere) -> CrowdConcluded:
    """Make cells of the merged boxes, with the crowd's agreement as their score; those made before stay."""
    row = crowd_task(assignment(state, lead, round_id).row)
    if row.kind is not store.RoundKind.CROWD_BOXES:
        raise invalid("yes and no to tiles makes no cells")

    def act(connection: Any) -> CrowdConcluded:
        all_tiles = store.read_tiles(connection, round_id)
        by_tile, _ = _counting(row, all_tiles, store.read_answers(connection, round_id))
        (rater,) = store.intern_raters(connection, [CROWD_RATER]).tolist()
        (label,) = store.intern_labels(connection, LabelSet((MITOTIC_FIGURE,))).tolist()
        made = 0
        for tile in all_tiles:
            for number, box in enumerate(_merged(row, by_tile.get(tile.id, [])) or []):
                made += _make(connection, row.id, tile, number, box, rater=rater, label=label)
        return {"cells": made, "is_repeated": False}

    return done_once(state, lead, body.key, f"conclusion of {round_id}", act)


def _make(
    connection: Any,
    round_id: int,
    tile: store.TaskTile,
    number: int,
    box: AgreedBox,
    *,
    rater: int,
    label: int,
) -> int:
    x, y, width, height, agreement = box
    geometry = store.Geometry(store.Shape.BOX, (x, y, x + width, y + height))
    key = f"crowd {tile.id}/{number}"
    made = store.record(
        connection,
        store.CellEvent("create", 0, rater, round_id, geometry=geometry, key=key),
        slide_id=tile.slide_id,
    )
    if made.is_repeated:
        return 0
    said = store.CellEvent("label", made.cell_id, rater, round_id, label_id=label, score=agreement)
    store.record(connection, said)
    return 1
