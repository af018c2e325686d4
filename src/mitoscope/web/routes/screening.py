"""Screening: the fields of a slide, which of them I have covered, and where I stopped.

Fields are partially overlapping views that together show all tissue (CCMCT, CMC). As in SlideRunner's guided
screening views advance in steps of 0.9 of their size, first to the right, then down, and those without tissue
that no earlier view has shown are left out (FACTS A4).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from fastapi import APIRouter
from typing_extensions import TypedDict

from mitoscope import store
from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.tissue import TissueMask
from mitoscope.web.forms import Action, Answer, Done, Rectangle, RoundId, Seconds, SlideId, described
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.entry import POSITION_MAX
from mitoscope.web.state import AppState, StateHere, VisitorHere, assignment, done_once, work_in

router = APIRouter()
_PATH = "/api/rounds/{round_id}/slides/{slide_id}/screening"
FIELD_UM = (480.0, 270.0)
"""Width and height by default: a screen of 1,920 × 1,080 px at 40x (0.25 µm/px)."""
STEP = 0.9
"""Step between fields in parts of their size: neighbours overlap by a tenth."""
MAX_FIELDS = 20_000
MAX_PLACES = 800_000
"""Fields with and without tissue that are looked at."""


_Pass = TypedDict("_Pass", {"pass": int})  # a word of Python's own cannot be written as a field


class ScreeningProgress(_Pass, Answer):
    """A pass, from 1: by field what is covered and the seconds spent; the field where I stopped, if any.

    The fraction is of the tissue, in [0, 1]; a position is what the page has put there, or null.
    """

    covered: list[bool]
    seconds: list[float]
    field: int | None
    position: Any
    covered_fraction: float
    is_complete: bool


class Screening(ScreeningProgress):
    """The fields of a slide in order, as x, y, width and height in level-0 px, and how far I am."""

    fields: list[Rectangle]


class FieldVisited(ScreeningProgress, Done):
    """How far I am after a visit."""


class PassBegun(Screening, Done):
    """How far I am in the pass that was begun."""


class Visit(Action):
    """A field that I am at; whether I have looked it through, or not after all, or null to leave that."""

    field: int
    is_covered: bool | None = None
    seconds: Seconds = 0.0
    position: Any = None


def _plan(state: AppState, mine: store.Assignment, slide_id: int) -> None:
    """See to it that the fields of a slide are planned."""
    with state.store.reading() as connection:
        if store.read_plan(connection, mine.row.id, slide_id) is not None:
            return
    info = state.slides.info(slide_id)
    field_um = tuple(mine.row.terms.settings.get("field_um", FIELD_UM))
    fields = propose_fields(state.tissue(slide_id), mpp=info.mpp, field_um=(field_um[0], field_um[1]))
    if not fields:
        raise invalid("there is no tissue on this slide", mend="look at it in the viewer")
    with state.store.writing() as connection:
        store.write_plan(connection, mine.row.id, slide_id, fields)


def _progress(state: AppState, visitor: VisitorHere, round_id: int, slide_id: int) -> store.ScreeningState:
    with state.store.reading() as connection:
        return store.read_screening(connection, round_id, visitor.rater_id, slide_id)


def _describe(found: store.ScreeningState) -> ScreeningProgress:
    stated = {"pass": found.pass_, "covered_fraction": round(found.covered_fraction, 6)}
    return described(ScreeningProgress, found, **stated)


def _with_fields(found: store.ScreeningState) -> Screening:
    boxes = [field.box_px0 for field in found.fields]
    return {**_describe(found), "fields": [[box.x, box.y, box.width, box.height] for box in boxes]}


@router.get(_PATH)
def screening(round_id: RoundId, slide_id: SlideId, state: StateHere, visitor: VisitorHere) -> Screening:
    """Return the fields in order and how far I am; they are planned when first asked for."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    _plan(state, mine, slide_id)
    return _with_fields(_progress(state, visitor, round_id, slide_id))


@router.put(_PATH)
def visit(
    round_id: RoundId, slide_id: SlideId, body: Visit, state: StateHere, visitor: VisitorHere
) -> FieldVisited:
    """Note the field that I am at, and whether I have looked it through."""
    mine = work_in(state, visitor, round_id, slide_id=slide_id)
    _plan(state, mine, slide_id)
    if len(json.dumps(body.position)) > POSITION_MAX:
        raise invalid(f"a position of more than {POSITION_MAX} bytes", field="position")
    if not 0 <= body.field < len(_progress(state, visitor, round_id, slide_id).fields):
        raise invalid(f"there is no field {body.field}", field="field")

    def act(connection: Any) -> FieldVisited:
        store.visit_field(
            connection,
            round_id,
            visitor.rater_id,
            slide_id,
            body.field,
            is_covered=body.is_covered,
            seconds=body.seconds,
            position=body.position,
        )
        found = store.read_screening(connection, round_id, visitor.rater_id, slide_id)
        return {**_describe(found), "is_repeated": False}

    return done_once(state, visitor, body.key, f"field of {round_id}/{slide_id}", act)


@router.post(f"{_PATH}/passes")
def next_pass(
    round_id: RoundId, slide_id: SlideId, body: Action, state: StateHere, visitor: VisitorHere
) -> PassBegun:
    """Begin the next pass over a slide: the same fields, none covered."""
    mine = work_in(state, visitor, round_id, slide_id=slide_id)
    _plan(state, mine, slide_id)

    def act(connection: Any) -> PassBegun:
        store.begin_pass(connection, round_id, visitor.rater_id, slide_id)
        begun = store.read_screening(connection, round_id, visitor.rater_id, slide_id)
        return {**_with_fields(begun), "is_repeated": False}

    return done_once(state, visitor, body.key, f"pass of {round_id}/{slide_id}", act)


def propose_fields(
    tissue: TissueMask, *, mpp: Mpp, field_um: tuple[float, float] = FIELD_UM, step: float = STEP
) -> list[store.Field]:
    """Return the fields of a slide in their order: row by row, each with new tissue.

    Every tissue pixel of the mask lies in one of them. A field's size is in µm, the step a part of it in (0,
    1].

    Raises
    ------
    ConfigError
        If the fields are too small for the slide, or the step is not in (0, 1].
    """
    if not (0 < step <= 1 and min(field_um) > 0):
        raise ConfigError(f"fields of {field_um[0]:g} × {field_um[1]:g} µm at steps of {step:g}")
    width, height = field_um[0] / mpp.x, field_um[1] / mpp.y
    size = tissue.slide_size
    lefts, tops = _starts(size.width, width, step), _starts(size.height, height, step)
    if len(lefts) * len(tops) > MAX_PLACES:
        raise ConfigError("too many fields", where="field", mend="make the fields larger")
    unseen, total = tissue.mask.copy(), int(np.count_nonzero(tissue.mask))
    fields = []
    for top in tops:
        rows = _rows(tissue, top, height)
        if not unseen[rows].any():
            continue
        for left in lefts:
            columns = _columns(tissue, left, width)
            new = np.count_nonzero(unseen[rows, columns])
            if new:
                unseen[rows, columns] = False
                fields.append(store.Field(BoxPx0(left, top, width, height), int(new) / total))
    if len(fields) > MAX_FIELDS:
        what = f"{len(fields)} fields"
        raise ConfigError(what, where="field", mend=f"make them larger: {MAX_FIELDS} at most")
    return fields


def _starts(size: int, extent: float, step: float) -> list[float]:
    """Return where fields begin along an axis; the last ends at the slide's edge."""
    if extent >= size:
        return [(size - extent) / 2]
    count = int(np.ceil((size - extent) / (extent * step))) + 1
    return [float(start) for start in np.linspace(0.0, size - extent, count)]


def _pixels(start: float, extent: float, scale: float, *, length: int, size: int) -> slice:
    """Return the mask pixels whose centre lies in a span; at the slide's edges all that are left."""
    first = 0 if start <= 0 else int(np.ceil(start / scale - 0.5))
    last = length if start + extent >= size - 1e-6 else int(np.ceil((start + extent) / scale - 0.5))
    return slice(min(first, length), min(last, length))


def _columns(tissue: TissueMask, left: float, width: float) -> slice:
    length, size = tissue.mask.shape[1], tissue.slide_size.width
    return _pixels(left, width, tissue.px0_per_pixel[0], length=length, size=size)


def _rows(tissue: TissueMask, top: float, height: float) -> slice:
    length, size = tissue.mask.shape[0], tissue.slide_size.height
    return _pixels(top, height, tissue.px0_per_pixel[1], length=length, size=size)
