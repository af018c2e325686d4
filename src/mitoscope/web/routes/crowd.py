"""Tiles for the crowd: boxes or yes and no, after a test on gold tiles."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from pydantic import Field

from mitoscope.curation.crowd import MINIMUM_REVIEWERS, TILE_PX, merge_crowd_boxes
from mitoscope.curation.qualification import (
    GOLD_NEEDED,
    PASS_MARK,
    Qualification,
    boxes_agree,
    qualify,
)
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.store import Geometry, Rater, RaterKind, RoundKind, Shape, actions
from mitoscope.store.reading_order import reading_order
from mitoscope.store.tasks import (
    TaskTile,
    TileAnswer,
    add_tiles,
    answer_tile,
    next_tile,
    read_answers,
    read_tile,
    read_tiles,
)
from mitoscope.store.terms import RoundRow
from mitoscope.store.vocabulary import intern_labels, intern_raters, read_raters
from mitoscope.web.answers.crowd import (
    BoxesFeedback,
    CrowdConcluded,
    CrowdTiles,
    JudgedTile,
    NextTile,
    ShownTile,
    Standing,
    TileAnswered,
    TilesAdded,
    YesNoFeedback,
)
from mitoscope.web.answers.places import AgreedBox
from mitoscope.web.bodies import Action, Body, Box, Coordinate, Id, RoundId, RowId, Seconds
from mitoscope.web.desk import Desk, DeskHere, LeadHere, VisitorHere, done_once, seat, working_seat
from mitoscope.web.refusal import invalid, there_is
from mitoscope.web.routes.cells import parse_ids

router = APIRouter()
TILES_MAX = 5000
BOXES_MAX = 200
CROWD_RATER = Rater("crowd", RaterKind.CROWD)


def _task(row: RoundRow) -> RoundRow:
    if row.kind not in (RoundKind.CROWD_BOXES, RoundKind.CROWD_TILES):
        raise invalid(f"round {row.name!r} is not a crowd task")
    return row


def _corners(boxes: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    table = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.column_stack([table[:, :2], table[:, :2] + table[:, 2:]])


def _is_right(gold: dict[str, Any], content: dict[str, Any]) -> bool:
    if "answer" in gold:
        return bool(gold["answer"]) == bool(content.get("answer"))
    return boxes_agree(_corners(content.get("boxes", [])), _corners(gold["boxes"]))


def qualification(row: RoundRow, tiles: list[TaskTile], answers: list[TileAnswer]) -> Qualification:
    """Return how a rater stands in a round; of each gold tile the first answer counts."""
    gold = {one.id: one.gold for one in tiles if one.gold is not None}
    settings = row.terms.settings
    right = [_is_right(gold[one.tile_id], one.first) for one in answers if one.tile_id in gold]
    needed = min(int(settings.get("gold_needed", GOLD_NEEDED)), len(gold))
    return qualify(right, needed=needed, pass_mark=float(settings.get("pass_mark", PASS_MARK)))


@router.get("/api/rounds/{round_id}/tiles/next")
def next_(
    round_id: RoundId,
    desk: DeskHere,
    visitor: VisitorHere,
    skip: Annotated[str | None, Query(max_length=4000)] = None,
) -> NextTile:
    """Return the next tile to be looked at, and how I stand."""
    row = _task(working_seat(desk, visitor, round_id).row)
    passed = parse_ids(skip, field="skip")
    with desk.store.writing() as connection:
        order = reading_order(connection, round_id, visitor.rater_id)
    with desk.store.reading() as connection:
        tiles = read_tiles(connection, round_id)
        mine = read_answers(connection, round_id, visitor.rater_id)
    state = qualification(row, tiles, mine)
    answered = {one.tile_id for one in mine}
    tile = None
    if state.state != "failed":
        is_tested = state.state == "testing"
        tile = next_tile(tiles, answered, seed=order.seed, gold_first=is_tested, skip=passed)
    return {
        "tile": None if tile is None else _shown(tile),
        "answered": len(answered),
        "of": len(tiles),
        "qualification": _standing(state),
    }


def _standing(one: Qualification) -> Standing:
    return {
        "state": one.state,
        "done": one.done,
        "needed": one.needed,
        "score": one.score,
        "pass_mark": one.pass_mark,
    }


def _shown(tile: TaskTile) -> ShownTile:
    return {"id": tile.id, "slide": tile.slide_id, "x": tile.x_px0, "y": tile.y_px0, "side": tile.side_px0}


class TileAnswerBody(Action):
    """What I see on a tile: boxes, or yes or no."""

    boxes: Annotated[list[Box], Field(max_length=BOXES_MAX)] | None = None
    answer: bool | None = None
    seconds: Seconds | None = None


@router.post("/api/rounds/{round_id}/tiles/{tile_id}/answer")
def answer(
    round_id: RoundId, tile_id: RowId, body: TileAnswerBody, desk: DeskHere, visitor: VisitorHere
) -> TileAnswered:
    """Answer for a tile; a later answer corrects it."""
    row = _task(working_seat(desk, visitor, round_id).row)
    content = _content(row, body)

    def act(connection: Any) -> TileAnswered:
        with there_is("tile in this round"):
            tile = read_tile(connection, round_id, tile_id)
        tiles = read_tiles(connection, round_id)
        before = qualification(row, tiles, read_answers(connection, round_id, visitor.rater_id))
        answer_tile(connection, tile.id, visitor.rater_id, content, seconds=body.seconds)
        after = qualification(row, tiles, read_answers(connection, round_id, visitor.rater_id))
        feedback = None
        if before.state == "testing" and tile.gold is not None:
            feedback = _feedback(tile.gold, content)
        return {
            "tile": tile.id,
            "qualification": _standing(after),
            "feedback": feedback,
            "is_repeated": False,
        }

    return done_once(desk, visitor, body.key, f"answer to tile {round_id}/{tile_id}", act)


def _feedback(gold: dict[str, Any], content: dict[str, Any]) -> BoxesFeedback | YesNoFeedback:
    is_right = _is_right(gold, content)
    if "answer" in gold:
        return {"is_right": is_right, "answer": gold["answer"]}
    return {"is_right": is_right, "boxes": gold["boxes"]}


def _content(row: RoundRow, body: TileAnswerBody) -> dict[str, Any]:
    if row.kind is RoundKind.CROWD_BOXES:
        if body.boxes is None or body.answer is not None:
            raise invalid("this task is answered with boxes, or an empty list of them", field="boxes")
        return {"boxes": [list(box) for box in body.boxes]}
    if body.answer is None or body.boxes is not None:
        raise invalid("this task is answered with yes or no", field="answer")
    return {"answer": body.answer}


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
def add(round_id: RoundId, body: NewTiles, desk: DeskHere, lead: LeadHere) -> TilesAdded:
    """Put tiles before the crowd: stated ones, gold ones, or some over the tissue of a slide."""
    row = _task(seat(desk, lead, round_id).row)
    known = set(desk.store.slides())
    new = [TaskTile(0, round_id, one.slide, one.x, one.y, body.side) for one in body.tiles]
    new += [
        TaskTile(0, round_id, one.slide, one.x, one.y, body.side, gold=_gold(row, one)) for one in body.gold
    ]
    if body.propose is not None:
        new += _over_tissue(desk, round_id, body.propose, body.side)
    if any(one.slide_id not in known for one in new):
        raise invalid("there is no such slide", field="slide")

    def act(connection: Any) -> TilesAdded:
        return {"tiles": add_tiles(connection, new), "is_repeated": False}

    return done_once(desk, lead, body.key, f"tiles of {round_id}", act)


def _gold(row: RoundRow, one: GoldTile) -> dict[str, Any]:
    if row.kind is RoundKind.CROWD_BOXES:
        if one.boxes is None:
            raise invalid("a gold tile of this task has boxes, or an empty list of them", field="gold")
        return {"boxes": [list(box) for box in one.boxes]}
    if one.answer is None:
        raise invalid("a gold tile of this task has an answer, yes or no", field="gold")
    return {"answer": one.answer}


def _over_tissue(desk: Desk, round_id: int, wanted: Propose, side: float) -> list[TaskTile]:
    """Return tiles of a grid that are tissue for the most part, the same for the same slide."""
    info, tissue = desk.shelf.info(wanted.slide), desk.tissue(wanted.slide)
    columns, rows = int(info.size.width // side), int(info.size.height // side)
    y, x = np.meshgrid(np.arange(rows) * side, np.arange(columns) * side, indexing="ij")
    origins = np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)
    share = tissue.areas_in(origins, width_px0=side, height_px0=side) / (side**2 * info.mpp.pixel_area_mm2)
    full = origins[share >= 0.5]
    chosen = np.random.default_rng(wanted.slide).permutation(len(full))[: wanted.n]
    places = full[np.sort(chosen)].tolist()
    return [TaskTile(0, round_id, wanted.slide, x, y, side) for x, y in places]


def _counting(
    row: RoundRow, tiles: list[TaskTile], answers: list[TileAnswer]
) -> tuple[dict[int, list[TileAnswer]], dict[int, Qualification]]:
    """Return the answers of the qualified by tile, and how each rater stands."""
    by_rater: dict[int, list[TileAnswer]] = defaultdict(list)
    for one in answers:
        by_rater[one.rater_id].append(one)
    stands = {rater: qualification(row, tiles, mine) for rater, mine in by_rater.items()}
    by_tile: dict[int, list[TileAnswer]] = defaultdict(list)
    for one in answers:
        if stands[one.rater_id].state == "qualified":
            by_tile[one.tile_id].append(one)
    return by_tile, stands


def _merged(row: RoundRow, answers: list[TileAnswer]) -> list[AgreedBox]:
    """Return the merged boxes of a tile as x, y, width, height and agreement."""
    boxes = [(box, one.rater_id) for one in answers for box in one.content.get("boxes", [])]
    reviewers = int(row.terms.settings.get("minimum_reviewers", MINIMUM_REVIEWERS))
    merged = merge_crowd_boxes(
        _corners([box for box, _ in boxes]),
        [who for _, who in boxes],
        reviewers=len(answers),
        minimum_reviewers=reviewers,
        minimum_overlapping_boxes=min(2, reviewers),
    )
    if merged is None:
        return []
    size = merged.boxes_px0[:, 2:] - merged.boxes_px0[:, :2]
    rows: list[AgreedBox] = (
        np.column_stack([merged.boxes_px0[:, :2], size, merged.agreement]).round(6).tolist()
    )
    return rows


@router.get("/api/rounds/{round_id}/tiles")
def tiles(round_id: RoundId, desk: DeskHere, lead: LeadHere) -> CrowdTiles:
    """Return what the crowd said of each tile, and how each of them stands."""
    row = _task(seat(desk, lead, round_id).row)
    with desk.store.reading() as connection:
        all_tiles = read_tiles(connection, round_id)
        answers = read_answers(connection, round_id)
        names = {id_: one.name for id_, one in read_raters(connection).items()}
    by_tile, stands = _counting(row, all_tiles, answers)
    seconds: dict[int, list[float]] = defaultdict(list)
    for one in answers:
        if one.seconds is not None:
            seconds[one.rater_id].append(one.seconds)
    return {
        "tiles": [_result(row, one, by_tile.get(one.id, [])) for one in all_tiles],
        "raters": [
            {
                "id": rater,
                "name": names[rater],
                "answered": sum(one.rater_id == rater for one in answers),
                "qualification": _standing(stand),
                "seconds_median": float(np.median(seconds[rater])) if seconds[rater] else None,
            }
            for rater, stand in sorted(stands.items())
        ],
    }


def _result(row: RoundRow, tile: TaskTile, answers: list[TileAnswer]) -> JudgedTile:
    yes = sum(bool(one.content.get("answer")) for one in answers)
    boxes = _merged(row, answers) if row.kind is RoundKind.CROWD_BOXES else []
    is_yes_no = row.kind is RoundKind.CROWD_TILES
    score = (yes / len(answers) if answers else None) if is_yes_no else sum(box[4] for box in boxes)
    return {
        **_shown(tile),
        "is_gold": tile.gold is not None,
        "reviewers": len(answers),
        "boxes": boxes,
        "yes": yes,
        "score": score,
    }


@router.post("/api/rounds/{round_id}/conclude")
def conclude(round_id: RoundId, body: Action, desk: DeskHere, lead: LeadHere) -> CrowdConcluded:
    """Make cells of the merged boxes, with the crowd's agreement as their score; those made before stay."""
    row = _task(seat(desk, lead, round_id).row)
    if row.kind is not RoundKind.CROWD_BOXES:
        raise invalid("yes and no to tiles makes no cells")

    def act(connection: Any) -> CrowdConcluded:
        all_tiles = read_tiles(connection, round_id)
        by_tile, _ = _counting(row, all_tiles, read_answers(connection, round_id))
        (rater,) = intern_raters(connection, [CROWD_RATER]).tolist()
        (label,) = intern_labels(connection, LabelSet((MITOTIC_FIGURE,))).tolist()
        made = 0
        for tile in all_tiles:
            for number, box in enumerate(_merged(row, by_tile.get(tile.id, []))):
                made += _make(connection, row.id, tile, number, box, rater=rater, label=label)
        return {"cells": made, "is_repeated": False}

    return done_once(desk, lead, body.key, f"conclusion of {round_id}", act)


def _make(
    connection: Any, round_id: int, tile: TaskTile, number: int, box: AgreedBox, *, rater: int, label: int
) -> int:
    x, y, width, height, agreement = box
    geometry = Geometry(Shape.BOX, (x, y, x + width, y + height))
    key = f"crowd {tile.id}/{number}"
    made = actions.record(
        connection,
        actions.Action("create", 0, rater, round_id, geometry=geometry, key=key),
        slide_id=tile.slide_id,
    )
    if made.is_repeated:
        return 0
    said = actions.Action("label", made.cell_id, rater, round_id, label_id=label, score=agreement)
    actions.record(connection, said)
    return 1
