"""Tiles of the crowd as one of them sees them: boxes or yes and no, after a test on gold tiles."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from mitoscope import store
from mitoscope.web.forms import Action, Answer, Box, Done, Rectangle, RoundId, RowId, Seconds, described
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.cells import parse_ids
from mitoscope.web.state import AppState, StateHere, VisitorHere, assignment, done_once, own_order

router = APIRouter()
BOXES_MAX = 200
TILE_ID = "tile"
"""A kind of numbers that go out veiled."""


class Standing(Answer):
    """How a rater stands: gold tiles answered of those needed, the share that was right, and the mark."""

    state: store.QualificationState
    done: int
    needed: int
    score: float
    pass_mark: float


class ShownTile(Answer):
    """A tile: its upper left corner and side in level-0 px."""

    id: int
    slide: int
    x: float
    y: float
    side: float


class NextTile(Answer):
    """The next tile to be looked at, null where none is left for me, and how I stand."""

    tile: ShownTile | None
    answered: int
    of: int
    qualification: Standing


class BoxesFeedback(Answer):
    """Whether boxes were right, and the known ones: x, y, width and height in level-0 px."""

    is_right: bool
    boxes: list[Rectangle]


class YesNoFeedback(Answer):
    """Whether a yes or no was right, and the known answer."""

    is_right: bool
    answer: bool


class TileAnswered(Done):
    """The id of a tile that was answered, how I stand, and how I did where the test goes on."""

    tile: int
    qualification: Standing
    feedback: BoxesFeedback | YesNoFeedback | None


def crowd_task(row: store.RoundRow) -> store.RoundRow:
    """Return a round that is a task of the crowd; refuse another."""
    if row.kind not in (store.RoundKind.CROWD_BOXES, store.RoundKind.CROWD_TILES):
        raise invalid(f"round {row.name!r} is not a crowd task")
    return row


@router.get("/api/rounds/{round_id}/tiles/next")
def next_(
    round_id: RoundId,
    state: StateHere,
    visitor: VisitorHere,
    skip: Annotated[str | None, Query(max_length=4000)] = None,
    for_gold: bool = False,
) -> NextTile:
    """Return the next tile to be looked at, and how I stand; for gold, one whose answer is not known yet."""
    row = crowd_task(assignment(state, visitor, round_id, operation=store.Operation.ANSWER).row)
    passed = [state.veil.find(TILE_ID, id_) for id_ in parse_ids(skip, field="skip")]
    if for_gold:
        with state.store.reading() as connection:
            store.permit(connection, visitor, store.Operation.LEAD)
    order = own_order(state, visitor, round_id)
    with state.store.reading() as connection:
        tiles, gold = store.tile_ids(connection, round_id), store.read_gold_tiles(connection, round_id)
        mine = store.read_answers(connection, round_id, visitor.rater_id)
        standing = store.standing(row.terms.settings, gold, mine)
        known = {tile.id for tile in gold}
        answered = known if for_gold else {answer.tile_id for answer in mine}
        found = None
        if for_gold or standing.state != "failed":
            first = known if standing.state == "testing" else set()
            found = store.next_tile(tiles, answered, seed=order.seed, first=first, skip=passed)
        tile = None if found is None else store.read_tile(connection, round_id, found)
    return {
        "tile": None if tile is None else describe_tile(state, tile),
        "answered": len(answered),
        "of": len(tiles),
        "qualification": described(Standing, standing),
    }


def describe_tile(state: AppState, tile: store.TaskTile) -> ShownTile:
    """Return where a tile lies; its number does not tell when it was added, as gold tiles are together."""
    id_ = state.veil.hide(TILE_ID, tile.id)
    return {"id": id_, "slide": tile.slide_id, "x": tile.x_px0, "y": tile.y_px0, "side": tile.side_px0}


class TileAnswerBody(Action):
    """What I see on a tile: boxes, or yes or no."""

    boxes: Annotated[list[Box], Field(max_length=BOXES_MAX)] | None = None
    answer: bool | None = None
    seconds: Seconds | None = None


@router.post("/api/rounds/{round_id}/tiles/{tile_id}/answer")
def answer(
    round_id: RoundId, tile_id: RowId, body: TileAnswerBody, state: StateHere, visitor: VisitorHere
) -> TileAnswered:
    """Answer for a tile; a later answer corrects it."""
    row = crowd_task(assignment(state, visitor, round_id, operation=store.Operation.ANSWER).row)
    content = _content(row, body)

    def act(connection: Any) -> TileAnswered:
        tile = store.read_tile(connection, round_id, state.veil.find(TILE_ID, tile_id))
        tiles = store.read_gold_tiles(connection, round_id)
        settings = row.terms.settings
        before = store.standing(settings, tiles, store.read_answers(connection, round_id, visitor.rater_id))
        store.answer_tile(connection, tile.id, visitor.rater_id, content, seconds=body.seconds)
        after = store.standing(settings, tiles, store.read_answers(connection, round_id, visitor.rater_id))
        feedback = None
        if before.state == "testing" and tile.gold is not None:
            feedback = _feedback(tile.gold, content)
        return {
            "tile": tile_id,
            "qualification": described(Standing, after),
            "feedback": feedback,
            "is_repeated": False,
        }

    return done_once(state, visitor, body.key, f"answer to tile {round_id}/{tile_id}", act)


def _feedback(gold: dict[str, Any], content: dict[str, Any]) -> BoxesFeedback | YesNoFeedback:
    is_right = store.is_right(gold, content)
    if "answer" in gold:
        return {"is_right": is_right, "answer": gold["answer"]}
    return {"is_right": is_right, "boxes": gold["boxes"]}


def _content(row: store.RoundRow, body: TileAnswerBody) -> dict[str, Any]:
    if row.kind is store.RoundKind.CROWD_BOXES:
        if body.boxes is None or body.answer is not None:
            raise invalid("this task is answered with boxes, or an empty list of them", field="boxes")
        return {"boxes": [list(box) for box in body.boxes]}
    if body.answer is None or body.boxes is not None:
        raise invalid("this task is answered with yes or no", field="answer")
    return {"answer": body.answer}
