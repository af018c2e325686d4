"""Tasks of the crowd as their lead sees them: their tiles, what was answered, and what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from mitoscope import store
from mitoscope.curation.confirmation import CONFIRMED_TILES, ask_confirmation, read_confirmations
from mitoscope.curation.tiles import (
    TileResult,
    box_rows,
    conclude_boxes,
    describe_tiles,
    says_figure,
    tile_results,
    tiles_text,
)
from mitoscope.curation.work_table import work_table
from mitoscope.web.forms import Action, AgreedBox, Answer, Done, Id, Name, RoundId, described
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.routes.crowd import (
    ShownTile,
    Standing,
    crowd_task,
    describe_tile,
)
from mitoscope.web.routes.rounds import check_raters, note_round
from mitoscope.web.state import AppState, ComparerHere, LeadHere, StateHere, assignment, done_once

router = APIRouter()
TILES_MAX = 5000


class JudgedTile(ShownTile):
    """A tile with what the qualified said: merged boxes with their agreement, and how many saw a figure.

    The score is the share of yes, null without an answer, or the sum of the boxes' agreement; whether the
    tile holds a figure is null while too few have answered.
    """

    is_gold: bool
    gold_has_figure: bool | None
    reviewers: int
    boxes: list[AgreedBox]
    yes: int
    score: float | None
    holds_figure: bool | None


class CrowdRater(Answer):
    """One of the crowd: tiles answered, seconds for one by the server's clock, shares that were right.

    Right is what is known of a gold tile, and what the majority said of another.
    """

    id: int
    name: str
    answered: int
    qualification: Standing
    seconds_median: float | None
    gold_accuracy: float | None
    accuracy: float | None


class Confirmed(Answer):
    """A round in which experts confirm boxes: its boxes, those read, those confirmed, cells added."""

    round_id: int
    name: str
    cells: int
    read: int
    confirmed: int
    added: int


class CrowdTiles(Answer):
    """All tiles of a round, who answered, and what experts made of the boxes."""

    tiles: list[JudgedTile]
    raters: list[CrowdRater]
    confirmations: list[Confirmed]


class ConfirmationAsked(Done):
    """The id of a round in which experts confirm the boxes of a crowd."""

    round: int


class CrowdConcluded(Done):
    """Cells made of merged boxes now, those whose agreement changed, and those that too few see by now."""

    cells: int
    changed: int
    withdrawn: int


@router.get("/api/rounds/{round_id}/tiles")
def tiles(round_id: RoundId, state: StateHere, lead: ComparerHere) -> CrowdTiles:
    """Return what the crowd said of each tile, and how each of them stands."""
    row = crowd_task(assignment(state, lead, round_id, operation=store.Operation.ENTER).row)
    with state.store.snapshot() as copy:
        rows = work_table(copy, name=row.name, repeats=0).raters
        with copy.reading() as connection:
            judged, stands, names, confirmations = _read(connection, state, row)
    found = [
        described(
            CrowdRater,
            one,
            id=names[one.rater],
            name=one.rater,
            answered=one.pieces,
            qualification=described(Standing, stands[names[one.rater]]),
        )
        for one in rows
    ]
    return {"tiles": judged, "raters": found, "confirmations": confirmations}


def _read(
    connection: Any, state: AppState, row: store.RoundRow
) -> tuple[list[JudgedTile], Mapping[int, store.Qualification], dict[str, int], list[Confirmed]]:
    """Return tiles, how raters stand by id, ids of raters by name, and confirmations of a round."""
    work = store.read_crowd_work(connection, row.id)
    names = {rater.name: id_ for id_, rater in store.read_raters(connection).items()}
    confirmations = [
        described(Confirmed, confirmation) for confirmation in read_confirmations(connection, row)
    ]
    return [_judged(state, result) for result in tile_results(row, work)], work.standing, names, confirmations


def _judged(state: AppState, result: TileResult) -> JudgedTile:
    return {
        **describe_tile(state, result.tile),
        "is_gold": result.tile.gold is not None,
        "gold_has_figure": None if result.tile.gold is None else says_figure(result.tile.gold),
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
    row = crowd_task(assignment(state, lead, round_id, operation=store.Operation.ENTER).row)
    with state.store.snapshot() as copy:
        found = describe_tiles(copy, row.name)
    note_export(state, lead, f"tiles of {row.name} as {format}")
    return download(tiles_text(found, f".{format}"), "tiles", format)


def note_export(state: AppState, lead: store.Visitor, what: str) -> None:
    """Note that something of the study left it as a file."""
    with state.store.writing() as connection:
        store.write_activity(connection, lead.rater_id, store.ActivityKind.EXPORTED, what)


def download(text: str, stem: str, suffix: str) -> Response:
    """Return a text as a file to be kept."""
    named = {"content-disposition": f'attachment; filename="{stem}.{suffix}"'}
    return Response(text.encode(), media_type="application/octet-stream", headers=named)


@router.post("/api/rounds/{round_id}/conclude")
def conclude(round_id: RoundId, body: Action, state: StateHere, lead: ComparerHere) -> CrowdConcluded:
    """Make cells of the merged boxes, with the agreement as their score; those made before follow it."""
    row = crowd_task(assignment(state, lead, round_id, operation=store.Operation.ENTER).row)
    if row.kind is not store.RoundKind.CROWD_BOXES:
        raise invalid("yes and no to tiles makes no cells")

    def act(connection: Any) -> CrowdConcluded:
        done = conclude_boxes(connection, row)
        kind, detail = store.ActivityKind.TILES_CONCLUDED, f"{done.made} new cells"
        store.write_activity(connection, lead.rater_id, kind, row.name, round_id=row.id, detail=detail)
        return described(CrowdConcluded, done, cells=done.made, is_repeated=False)

    return done_once(state, lead, body.key, f"conclusion of {round_id}", act)


class Confirm(Action):
    """How many random tiles experts look at again, and who."""

    name: Name
    tiles: Annotated[int, Field(ge=1, le=100_000)] = CONFIRMED_TILES
    raters: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    seed: Annotated[int, Field(ge=0, le=(1 << 31) - 1)] = 0


@router.post("/api/rounds/{round_id}/confirmation")
def confirm(round_id: RoundId, body: Confirm, state: StateHere, lead: LeadHere) -> ConfirmationAsked:
    """Put the merged boxes of some random tiles before experts, who confirm, reject and add."""
    row = crowd_task(assignment(state, lead, round_id, operation=store.Operation.ENTER).row)
    check_raters(state, body.raters)

    def act(connection: Any) -> ConfirmationAsked:
        if body.name in {round_.name for round_ in store.read_rounds(connection).values()}:
            what = f"there is a round {body.name!r} already"
            raise Refusal(409, "conflict", what, mend="choose another name")
        asked = ask_confirmation(connection, row, body.name, tiles=body.tiles, seed=body.seed)
        store.assign(connection, asked, body.raters)
        note_round(connection, lead, store.ActivityKind.ROUND_OPENED, asked, concerns=body.raters)
        return {"round": asked, "is_repeated": False}

    return done_once(state, lead, body.key, f"confirmation of {round_id}", act)
