"""Rounds: which work there is, who does it, and what they are shown."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, NotRequired

from fastapi import APIRouter
from pydantic import Field

from mitoscope import store
from mitoscope.count import WindowShape
from mitoscope.errors import ConfigError, RegionError
from mitoscope.geometry import Aspect
from mitoscope.web.case_count import grading_of
from mitoscope.web.forms import Action, Answer, Body, Cell, Done, Id, Name, Pair, RoundId, Score, described
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.state import AppState, LeadHere, StateHere, done_once

router = APIRouter()
CELLS_MAX = 100_000
_BIN = re.compile(r", bin (\d+) of (\d+)")
_Raters = Annotated[tuple[Id, ...], Field(max_length=1000)]


class RoundSettings(Answer):
    """What was stated of the work: fields in µm, areas in mm², scores and shares in [0, 1]."""

    field_um: NotRequired[Pair]
    threshold: NotRequired[float]
    area_mm2: NotRequired[float]
    aspect: NotRequired[str]
    shape: NotRequired[WindowShape]
    scheme: NotRequired[str]
    field_diameter_mm: NotRequired[float]
    minimum_reviewers: NotRequired[int]
    box_rule: NotRequired[Literal["two", "majority"]]
    may_add: NotRequired[bool]
    confirms: NotRequired[int]
    gold_needed: NotRequired[int]
    pass_mark: NotRequired[float]


class Round(Answer):
    """A round: its terms, how many cells I have labelled of how many, and where I was in it.

    A position is what the page has put there, or null.
    """

    id: int
    name: str
    kind: store.RoundKind
    is_blinded: bool
    is_open: bool
    slides: list[int]
    shows_labels: bool
    shows_cells: store.ShowsCells
    speaks_as: store.SpeaksAs
    review: str | None
    bin: int | None
    bins: int | None
    board: int | None
    labelled: int
    cells: int
    position: Any
    settings: RoundSettings


class StaffedRound(Round):
    """A round, and the ids of those who work in it."""

    raters: list[int]


class ReviewRounds(Answer):
    """A review and the ids of its rounds: the first reading is one, or several by score.

    ``note`` says what was left out when it was opened.
    """

    name: str
    kind: store.RoundKind
    first: list[int]
    second: int | None
    third: int | None
    outcome: int | None
    proposals: int | None
    note: str


class StaffedRounds(Answer):
    """All rounds of the study, and which of them belong together as a review."""

    rounds: list[StaffedRound]
    reviews: list[ReviewRounds]


_ENDLESS = (store.RoundKind.CASE_REVIEW, store.RoundKind.UNSTATED)
"""In which no list of cells waits to be labelled."""


class RoundSet(StaffedRound, Done):
    """A round that was opened or changed."""


def describe_round(connection: sqlite3.Connection, row: store.RoundRow, rater_id: int) -> Round:
    """Return a round with a rater's progress in it."""
    terms = row.terms
    review = store.review_of_round(connection, row.id)
    found = None if review is None else _BIN.fullmatch(row.name.removeprefix(review))
    progress = round_progress(connection, row, rater_id)
    return described(
        Round,
        terms,
        id=row.id,
        name=row.name,
        kind=row.kind,
        is_blinded=row.is_blinded,
        slides=store.round_slides(connection, row),
        review=review,
        bin=int(found.group(1)) if found else None,
        bins=int(found.group(2)) if found else None,
        board=store.board_of_round(connection, row.id),
        labelled=progress.labelled,
        cells=progress.cells,
        position=store.read_position(connection, row.id, rater_id),
        settings=dict(terms.settings),
    )


def round_progress(connection: sqlite3.Connection, row: store.RoundRow, rater_id: int) -> store.Progress:
    """Return how far a rater is in a round: on its cells, or its tiles."""
    if row.kind in store.CROWD_TASKS:
        return store.Progress(*store.tile_progress(connection, row.id, rater_id))
    done = store.total_progress(
        connection, store.speaker_of(connection, row, rater_id), row.id, slides=row.terms.slides
    )
    return _as_shown(row, done)


def _as_shown(row: store.RoundRow, done: store.Progress) -> store.Progress:
    """Where a rater sees but the own cells, or counts alone, how many others found is not told."""
    is_told = row.terms.shows_cells == "all" and row.kind not in _ENDLESS
    return done if is_told else store.Progress(done.labelled, done.labelled)


def slide_progress(
    connection: sqlite3.Connection, row: store.RoundRow, rater_id: int
) -> dict[int, store.Progress]:
    """Return how far a rater is in a round of cells, by slide."""
    rows = store.read_progress(connection, store.speaker_of(connection, row, rater_id), row.id)
    return {slide: _as_shown(row, done) for slide, done in rows.items() if _covers(row, slide)}


def _covers(row: store.RoundRow, slide_id: int) -> bool:
    return row.terms.slides is None or slide_id in row.terms.slides


class Settings(Body):
    """What a kind of round needs to know."""

    field_um: (
        tuple[Annotated[float, Field(ge=20, le=20_000)], Annotated[float, Field(ge=20, le=20_000)]] | None
    ) = None
    threshold: Score | None = None
    area_mm2: Annotated[float, Field(gt=0, le=100)] | None = None
    aspect: Annotated[str, Field(max_length=20)] | None = None
    shape: WindowShape | None = None
    scheme: Annotated[str, Field(max_length=100)] | None = None
    field_diameter_mm: Annotated[float, Field(gt=0, le=30)] | None = None
    minimum_reviewers: Annotated[int, Field(ge=1, le=1000)] | None = None
    box_rule: Literal["two", "majority"] | None = None
    may_add: bool | None = None
    gold_needed: Annotated[int, Field(ge=0, le=1000)] | None = None
    pass_mark: Score | None = None

    def stated(self) -> dict[str, Any]:
        """Return the settings that are stated."""
        if self.aspect is not None:
            try:
                Aspect.parse(self.aspect)
            except RegionError as error:
                raise invalid(error.what, field="settings.aspect", mend=error.mend) from None
        try:
            grading_of(self.scheme, self.field_diameter_mm)
        except ConfigError as error:
            raise invalid(error.what, field="settings.scheme", mend=error.mend) from None
        return self.model_dump(mode="json", exclude_none=True)


class NewRound(Action):
    """Work to be done."""

    name: Name
    kind: store.RoundKind
    slides: Annotated[list[Id], Field(min_length=1, max_length=10_000)] | None = None
    raters: _Raters = ()
    cells: Literal["all", "disputed", "added"] | Annotated[list[Cell], Field(max_length=CELLS_MAX)] = "all"
    is_blinded: bool | None = None
    shows_labels: bool | None = None
    shows_cells: Literal["own", "all"] | None = None
    settings: Settings = Settings()


def check_raters(state: AppState, rater_ids: Collection[int]) -> None:
    """Refuse raters who may not come in."""
    with state.store.reading() as connection:
        known = store.open_raters(connection)
    if set(rater_ids) - known:
        mend = "add the rater first, or open the rater's access"
        raise invalid("one of the raters may not come in", field="raters", mend=mend)


def _described(connection: Any, round_id: int, rater_id: int) -> StaffedRound:
    row = store.read_round_row(connection, round_id)
    return _staffed(connection, row, rater_id, store.read_assignments(connection))


def _staffed(
    connection: Any, row: store.RoundRow, rater_id: int, assigned: Mapping[int, list[int]]
) -> StaffedRound:
    found = describe_round(connection, row, rater_id)
    if row.kind in store.CROWD_TASKS:
        # Its raters see the slides with tiles; the lead those on which tiles may lie.
        found["slides"] = sorted(row.terms.slides or store.read_slides(connection))
    return {**found, "raters": assigned.get(row.id, [])}


@router.get("/api/rounds")
def rounds(state: StateHere, lead: LeadHere) -> StaffedRounds:
    """Return all rounds, with who works in them, and which belong together."""
    with state.store.reading() as connection:
        rows, assigned = store.read_round_rows(connection), store.read_assignments(connection)
        notes = store.notes_of_reviews(connection)
        return {
            "rounds": [_staffed(connection, row, lead.rater_id, assigned) for row in rows.values()],
            "reviews": [
                described(ReviewRounds, review, first=list(review.first), note=notes.get(review.name, ""))
                for review in store.read_reviews(connection)
            ],
        }


@router.post("/api/rounds")
def add(body: NewRound, state: StateHere, lead: LeadHere) -> RoundSet:
    """Open a round."""
    check_raters(state, body.raters)
    known = state.store.slides()
    if body.cells in ("disputed", "added"):
        with state.store.reading() as connection:
            store.permit(connection, lead, store.Operation.COMPARE)  # which they are tells what others said
    if body.slides is not None and set(body.slides) - set(known):
        raise invalid("there is no such slide", field="slides")
    terms = _terms(body)

    def act(connection: Any) -> RoundSet:
        if body.name in {round_.name for round_ in store.read_rounds(connection).values()}:
            what = f"there is a round {body.name!r} already"
            raise Refusal(409, "conflict", what, mend="choose another name")
        cells = _cells(connection, body)
        round_ = store.Round(body.name, body.kind)
        (id_,) = store.intern_rounds(
            connection, [round_], is_blinded=_is_blinded(body), is_listed=cells is not None
        ).tolist()
        if cells is not None:
            store.list_cells(connection, id_, cells)
        store.write_terms(connection, id_, terms)
        store.assign(connection, id_, body.raters)
        note_round(connection, lead, store.ActivityKind.ROUND_OPENED, id_, concerns=body.raters)
        return {**_described(connection, id_, lead.rater_id), "is_repeated": False}

    return done_once(state, lead, body.key, f"round {body.name}", act)


def note_round(
    connection: Any,
    lead: store.Visitor,
    kind: store.ActivityKind,
    round_id: int,
    *,
    concerns: Collection[int] = (),
    names: bool = False,
) -> None:
    """Note what is done to a round; to everybody whom it concerns but the lead who does it, that is news."""
    raters = store.read_raters(connection)
    store.write_activity(
        connection,
        lead.rater_id,
        kind,
        store.read_round_row(connection, round_id).name,
        round_id=round_id,
        concerns=set(concerns) - {lead.rater_id},
        detail=", ".join(raters[concern].name for concern in sorted(concerns)) if names else "",
    )


def _is_blinded(body: NewRound) -> bool | None:
    if body.is_blinded is None and body.kind is store.RoundKind.THIRD_EXPERT and not body.shows_labels:
        return True  # an independent vote, unless the study says that both labels are shown
    return body.is_blinded


def _terms(body: NewRound) -> store.Terms:
    terms = store.Terms.of_kind(body.kind)
    return replace(
        terms,
        shows_labels=terms.shows_labels if body.shows_labels is None else body.shows_labels,
        shows_cells=terms.shows_cells if body.shows_cells is None else body.shows_cells,
        slides=None if body.slides is None else tuple(sorted(set(body.slides))),
        settings=body.settings.stated(),
    )


def _cells(connection: Any, body: NewRound) -> list[int] | None:
    if body.cells == "all":
        return None
    if body.cells == "disputed":
        cells = store.disputed(connection)
        if not cells:
            raise _nothing_disputed(len(store.disputed(connection, with_decided=True)))
        return cells
    if body.cells == "added":
        cells = store.added_cells(connection)
        if not cells:
            what, mend = "no added cell waits for another expert", "let somebody read who may add cells"
            raise Refusal(409, "conflict", what, mend=mend)
        return cells
    cells = store.live_cells_of(connection, body.cells)
    if not cells or len(cells) < len(body.cells):
        raise invalid("a cell of the list is not in the study", field="cells")
    return cells


def _nothing_disputed(decided: int) -> Refusal:
    what = "the first two experts agree on every cell that both have read"
    mend = "let two experts read the same cells first"
    if decided:
        what = f"each of the {decided} cells on which the first two experts differ has been decided"
        mend = "see who overruled whom on the page of the agreement"
    return Refusal(409, "conflict", what, mend=mend)


class ChangedRound(Action):
    """What is to be different about a round."""

    raters: _Raters | None = None
    is_open: bool | None = None
    shows_labels: bool | None = None
    settings: Settings | None = None


@router.put("/api/rounds/{round_id}")
def change(round_id: RoundId, body: ChangedRound, state: StateHere, lead: LeadHere) -> RoundSet:
    """Change who works in a round, whether it goes on, and what is shown."""
    check_raters(state, body.raters or [])
    with state.store.reading() as connection:
        store.read_round_row(connection, round_id)

    def act(connection: Any) -> RoundSet:
        was = store.read_round_row(connection, round_id).terms
        worked = store.read_assignments(connection).get(round_id, [])
        terms = replace(
            was,
            is_open=was.is_open if body.is_open is None else body.is_open,
            shows_labels=was.shows_labels if body.shows_labels is None else body.shows_labels,
            settings={**was.settings, **(body.settings.stated() if body.settings else {})},
        )
        store.write_terms(connection, round_id, terms)
        if body.raters is not None:
            store.assign(connection, round_id, body.raters)
        work = worked if body.raters is None else body.raters
        if terms.is_open != was.is_open:
            opened, closed = store.ActivityKind.ROUND_REOPENED, store.ActivityKind.ROUND_CLOSED
            note_round(connection, lead, opened if terms.is_open else closed, round_id, concerns=work)
        elif terms != was:
            note_round(connection, lead, store.ActivityKind.ROUND_CHANGED, round_id)
        for kind, raters in (
            (store.ActivityKind.ASSIGNED, set(work) - set(worked)),
            (store.ActivityKind.RELEASED, set(worked) - set(work)),
        ):
            if raters:
                note_round(connection, lead, kind, round_id, concerns=raters, names=True)
        return {**_described(connection, round_id, lead.rater_id), "is_repeated": False}

    done = done_once(state, lead, body.key, f"change of round {round_id}", act)
    state.forget_visits()
    return done
