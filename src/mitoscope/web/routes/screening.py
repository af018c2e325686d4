"""Screening: the fields of a slide, which of them I have covered, and where I stopped."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter

from mitoscope.store.screening import (
    ScreeningState,
    begin_pass,
    read_plan,
    read_screening,
    visit_field,
    write_plan,
)
from mitoscope.web.answers.done import Done
from mitoscope.web.bodies import Action, RoundId, Seconds, SlideId
from mitoscope.web.desk import Desk, DeskHere, Seat, VisitorHere, done_once, seat, working_seat
from mitoscope.web.fields import FIELD_UM, propose_fields
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.entry import POSITION_MAX

router = APIRouter()
_PATH = "/api/rounds/{round_id}/slides/{slide_id}/screening"


_Pass = TypedDict("_Pass", {"pass": int})  # a word of Python's own cannot be written as a field

@exact
class ScreeningProgress(_Pass):
    """A pass, from 1: by field what is covered and the seconds spent; the field where I stopped, if any.

    The fraction is of the tissue, in [0, 1]; a position is what the page has put there, or null.
    """

    covered: list[bool]
    seconds: list[float]
    field: int | None
    position: Any
    covered_fraction: float
    is_complete: bool


@exact
class Screening(ScreeningProgress):
    """The fields of a slide in order, as x, y, width and height in level-0 px, and how far I am."""

    fields: list[Box]


@exact
class FieldVisited(ScreeningProgress, Done):
    """How far I am after a visit."""


@exact
class PassBegun(Screening, Done):
    """How far I am in the pass that was begun."""


class Visit(Action):
    """A field that I am at."""

    field: int
    is_covered: bool = False
    seconds: Seconds = 0.0
    position: Any = None


def _plan(desk: Desk, mine: Seat, slide_id: int) -> None:
    """See to it that the fields of a slide are planned."""
    with desk.store.reading() as connection:
        if read_plan(connection, mine.row.id, slide_id) is not None:
            return
    info = desk.shelf.info(slide_id)
    field_um = tuple(mine.row.terms.settings.get("field_um", FIELD_UM))
    fields = propose_fields(desk.tissue(slide_id), mpp=info.mpp, field_um=(field_um[0], field_um[1]))
    if not fields:
        raise invalid("there is no tissue on this slide", mend="look at it in the viewer")
    with desk.store.writing() as connection:
        write_plan(connection, mine.row.id, slide_id, fields)


def _state(desk: Desk, visitor: VisitorHere, round_id: int, slide_id: int) -> ScreeningState:
    with desk.store.reading() as connection:
        return read_screening(connection, round_id, visitor.rater_id, slide_id)


def _describe(state: ScreeningState) -> ScreeningProgress:
    return {
        "pass": state.pass_,
        "covered": list(state.covered),
        "seconds": list(state.seconds),
        "field": state.field,
        "position": state.position,
        "covered_fraction": round(state.covered_fraction, 6),
        "is_complete": state.is_complete,
    }


def _with_fields(state: ScreeningState) -> Screening:
    boxes = [one.box_px0 for one in state.fields]
    return {**_describe(state), "fields": [[box.x, box.y, box.width, box.height] for box in boxes]}


@router.get(_PATH)
def screening(round_id: RoundId, slide_id: SlideId, desk: DeskHere, visitor: VisitorHere) -> Screening:
    """Return the fields in order and how far I am; they are planned when first asked for."""
    mine = seat(desk, visitor, round_id, slide_id=slide_id)
    _plan(desk, mine, slide_id)
    return _with_fields(_state(desk, visitor, round_id, slide_id))


@router.put(_PATH)
def visit(
    round_id: RoundId, slide_id: SlideId, body: Visit, desk: DeskHere, visitor: VisitorHere
) -> FieldVisited:
    """Note the field that I am at, and whether I have looked it through."""
    mine = working_seat(desk, visitor, round_id, slide_id=slide_id)
    _plan(desk, mine, slide_id)
    if len(json.dumps(body.position)) > POSITION_MAX:
        raise invalid(f"a position of more than {POSITION_MAX} bytes", field="position")
    if not 0 <= body.field < len(_state(desk, visitor, round_id, slide_id).fields):
        raise invalid(f"there is no field {body.field}", field="field")

    def act(connection: Any) -> FieldVisited:
        visit_field(
            connection,
            round_id,
            visitor.rater_id,
            slide_id,
            body.field,
            is_covered=body.is_covered,
            seconds=body.seconds,
            position=body.position,
        )
        state = read_screening(connection, round_id, visitor.rater_id, slide_id)
        return {**_describe(state), "is_repeated": False}

    return done_once(desk, visitor, body.key, f"field of {round_id}/{slide_id}", act)


@router.post(f"{_PATH}/passes")
def next_pass(
    round_id: RoundId, slide_id: SlideId, body: Action, desk: DeskHere, visitor: VisitorHere
) -> PassBegun:
    """Begin the next pass over a slide: the same fields, none covered."""
    mine = working_seat(desk, visitor, round_id, slide_id=slide_id)
    _plan(desk, mine, slide_id)

    def act(connection: Any) -> Done:
        begin_pass(connection, round_id, visitor.rater_id, slide_id)
        return {"is_repeated": False}

    done = done_once(desk, visitor, body.key, f"pass of {round_id}/{slide_id}", act)
    return {**done, **_with_fields(_state(desk, visitor, round_id, slide_id))}
