"""Who did what when in the study, and what of it is news to me."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from mitoscope import store
from mitoscope.exchange import dump_rows, inert
from mitoscope.web.forms import Action, Answer, Done, Id, described
from mitoscope.web.state import AppState, ComparerHere, StateHere, VisitorHere, done_once

router = APIRouter()
PAGE = 100
ALL = 1_000_000
_COLUMNS = ("time", "by", "what", "subject", "detail")


class Event(Answer):
    """Something done: when, in seconds since 1970, by whom (null: noticed by the program), what, and to what.

    ``round`` is the id of a round, where it is one.
    """

    id: int
    time_s: float
    by: str | None
    kind: str
    subject: str
    detail: str
    round: int | None


class News(Answer):
    """What concerns me and was not put away yet, the newest first."""

    events: list[Event]


class Trail(Answer):
    """Who did what, the newest first, and whether there is more."""

    events: list[Event]
    has_more: bool


def _described(connection: Any, found: Iterable[store.Activity]) -> list[Event]:
    names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    return [
        described(
            Event, event, by=None if event.rater_id is None else names[event.rater_id], round=event.round_id
        )
        for event in found
    ]


@router.get("/api/news")
def news(state: StateHere, visitor: VisitorHere) -> News:
    """Return what is news to me: rounds opened and closed for me, and to a lead what was read by all."""
    if visitor.role is store.Role.LEAD:
        _note_what_is_read(state)
    with state.store.reading() as connection:
        return {"events": _described(connection, store.read_news(connection, visitor.rater_id))}


def _note_what_is_read(state: AppState) -> None:
    """Note the work in which all is done meanwhile; that is news to every lead, once for each.

    The groups of a review are one piece of work, noted at its first.
    """
    with state.store.reading() as connection:
        found = _read_meanwhile(connection)
    if not found:
        return
    with state.store.writing() as connection:
        leads = [person.id for person in store.read_people(connection) if person.role is store.Role.LEAD]
        for id_, name in found.items():
            if not store.was_read(connection, id_):
                kind = store.ActivityKind.READ
                store.write_activity(connection, None, kind, name, round_id=id_, concerns=leads)


def _read_meanwhile(connection: Any) -> dict[int, str]:
    """Return the names of what all have read and nobody has noted yet, by the round at which it is noted."""
    read = set(store.rounds_read(connection))
    found = {id_: row.name for id_, row in store.read_round_rows(connection).items() if id_ in read}
    for review in store.read_reviews(connection):
        if len(review.first) > 1:
            is_read = read.issuperset(review.first)
            found = {id_: name for id_, name in found.items() if id_ not in review.first}
            found |= {review.first[0]: review.name} if is_read else {}
    return {id_: name for id_, name in found.items() if not store.was_read(connection, id_)}


class Seen(Action):
    """Up to which of the news all is put away."""

    upto: Id


@router.put("/api/news")
def put_away(body: Seen, state: StateHere, visitor: VisitorHere) -> Done:
    """Put my news away."""

    def act(connection: Any) -> Done:
        store.put_news_away(connection, visitor.rater_id, body.upto)
        return {"is_repeated": False}

    return done_once(state, visitor, body.key, f"news up to {body.upto}", act)


@router.get("/api/activity")
def trail(
    state: StateHere,
    lead: ComparerHere,  # noqa: ARG001 it must be one
    skip: Annotated[int, Query(ge=0, le=ALL)] = 0,
) -> Trail:
    """Return who did what when: rounds, people, regions, signatures, exports."""
    with state.store.reading() as connection:
        found = store.read_trail(connection, n=PAGE + 1, skip=skip)
        return {"events": _described(connection, found[:PAGE]), "has_more": len(found) > PAGE}


@router.get("/api/activity.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def table(state: StateHere, lead: ComparerHere) -> Response:  # noqa: ARG001 it must be one
    """Return all of it as a table; times are in UTC."""
    with state.store.reading() as connection:
        events = _described(connection, store.read_trail(connection, n=ALL))
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for event in events:
        when = datetime.fromtimestamp(event["time_s"], UTC).isoformat(timespec="seconds")
        rows.append(
            (when, *map(inert, (event["by"] or "", event["kind"], event["subject"], event["detail"])))
        )
    headers = {"content-disposition": 'attachment; filename="activity.csv"'}
    return Response(dump_rows(rows), media_type="text/csv; charset=utf-8", headers=headers)
