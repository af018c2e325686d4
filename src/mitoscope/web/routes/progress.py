"""How far the work is: of everybody for the lead, of oneself for a rater."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mitoscope import store
from mitoscope.web.forms import Answer, RoundId, described
from mitoscope.web.state import ComparerHere, StateHere, VisitorHere

router = APIRouter()


class RaterWork(Answer):
    """A rater's work in a round: units done of how many, null without an end, and slides completed.

    An estimate expects as many fields on slides that are not begun as on those that are. ``seconds`` is the
    rater's mean time a unit lately, by the server's clock, ``left_s`` what the rest takes at that pace,
    ``last_s`` the time of the last work, in seconds since 1970; null where nothing is known.
    """

    round: int
    rater: int
    rater_name: str
    unit: store.WorkUnit
    done: int
    of: int | None
    is_estimate: bool
    is_complete: bool
    slides_done: int
    slides_of: int
    seconds: float | None
    left_s: float | None
    last_s: float | None


class WorkProgress(Answer):
    """Who is how far in which round."""

    rows: list[RaterWork]


class SlideWork(Answer):
    """A rater's work on a slide: units done, of how many; null where nobody knows yet, or there is no end."""

    rater: int
    rater_name: str
    slide: int
    done: int
    of: int | None


class RoundWork(Answer):
    """Who is how far on which slide of a round."""

    unit: store.WorkUnit
    rows: list[SlideWork]


def _described(connection: Any, rows: list[store.WorkDone]) -> WorkProgress:
    names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    return {
        "rows": [
            described(
                RaterWork,
                row,
                round=row.round_id,
                rater=row.rater_id,
                rater_name=names[row.rater_id],
                slides_done=sum(slide.of is not None and slide.done >= slide.of > 0 for slide in row.slides),
                slides_of=len(row.slides),
            )
            for row in rows
        ]
    }


@router.get("/api/my-progress")
def mine(state: StateHere, visitor: VisitorHere) -> WorkProgress:
    """Return how far I am in my rounds."""
    with state.store.reading() as connection:
        return _described(connection, store.work_done(connection, rater_id=visitor.rater_id))


@router.get("/api/progress")
def everybody(state: StateHere, lead: ComparerHere) -> WorkProgress:  # noqa: ARG001 it must be one
    """Return how far and how fast each rater is in each round."""
    with state.store.snapshot() as copy, copy.reading() as connection:
        return _described(connection, store.work_done(connection))


@router.get("/api/rounds/{round_id}/progress")
def by_slide(round_id: RoundId, state: StateHere, lead: ComparerHere) -> RoundWork:  # noqa: ARG001 it must be one
    """Return how far each rater of a round is on each of its slides."""
    with state.store.snapshot() as copy, copy.reading() as connection:
        kind = store.read_round_row(connection, round_id).kind
        found = store.work_done(connection, rounds=[round_id])
        names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    return {
        "unit": store.unit_of(kind),
        "rows": [
            {
                "rater": row.rater_id,
                "rater_name": names[row.rater_id],
                "slide": slide.slide_id,
                "done": slide.done,
                "of": slide.of,
            }
            for row in found
            for slide in row.slides
        ],
    }
