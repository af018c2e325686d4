"""People: who works on the study, with which link, and in which role."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request

from mitoscope import store
from mitoscope.web.forms import Action, Answer, Done, Name, RowId, described
from mitoscope.web.refusal import Refusal, invalid, no_such
from mitoscope.web.state import AppState, LeadHere, StateHere, done_once

router = APIRouter()


class Person(Answer):
    """A rater: labels given, and the last event in seconds since 1970; without a role nobody comes in."""

    id: int
    name: str
    kind: store.RaterKind
    role: store.Role | None
    is_open: bool
    has_link: bool
    labels: int
    last_s: float | None


class People(Answer):
    """All raters of the study; the address at which others reach this server, as stated, and as found."""

    raters: list[Person]
    address: str | None
    addresses: list[str]


class LetIn(Done):
    """The id of a rater who may come in from now on."""

    id: int


class LetInByLink(LetIn):
    """A rater who may come in from now on, and the link, which is shown once."""

    link: str


class NewLink(Done):
    """A new link; the old one no longer opens."""

    link: str


@router.get("/api/raters")
def raters(state: StateHere, lead: LeadHere) -> People:  # noqa: ARG001 it must be one
    """Return all raters of the study; those without a role do not come in."""
    with state.store.snapshot() as copy, copy.reading() as connection:
        people = store.read_people(connection)
    return {
        "raters": [described(Person, person) for person in people],
        "address": state.reach.address,
        "addresses": list(state.reach.others),
    }


class NewRater(Action):
    """Somebody who is to work on the study."""

    name: Name
    kind: Literal["expert", "crowd"] = "expert"
    role: store.Role = store.Role.RATER


@router.post("/api/raters")
def add(body: NewRater, state: StateHere, lead: LeadHere) -> LetInByLink:
    """Add a rater, or let one in whom the study knows, and return the link."""
    with state.store.reading() as connection:
        known = {rater.name: rater.kind for rater in store.read_raters(connection).values()}
    if known.get(body.name, body.kind) != body.kind:
        raise invalid(f"{body.name!r} is a rater of kind {known[body.name]}", field="name")
    if body.kind == "crowd" and body.role is store.Role.LEAD:
        raise _leads_not()

    def act(connection: Any) -> LetIn:
        (id_,) = store.intern_raters(
            connection, [store.Rater(body.name, store.RaterKind(body.kind))]
        ).tolist()
        if store.visitor_of(connection, id_) is not None:
            what = f"{body.name!r} may come in already"
            raise Refusal(409, "conflict", what, mend="make a new link instead, or choose another name")
        store.grant(connection, id_, body.role)
        detail = str(body.role) if body.kind == "expert" else "crowd worker"
        _note(connection, lead, store.ActivityKind.LET_IN, body.name, detail=detail)
        store.renew_token(connection, id_, state.token_of(body.key, id_))
        return {"id": id_, "is_repeated": False}

    done = done_once(state, lead, body.key, f"rater {body.name}", act, keeps_key=False)
    return {**done, "link": _link(state, body.key, done["id"])}


def _note(
    connection: Any, lead: store.Visitor, kind: store.ActivityKind, name: str, *, detail: str = ""
) -> None:
    store.write_activity(connection, lead.rater_id, kind, name, detail=detail)


def _link(state: AppState, key: str, rater_id: int) -> str:
    """Return the link that a request made: its hash is kept, and the key of the request gives it again."""
    return f"/?token={state.token_of(key, rater_id)}"


def _check(state: AppState, rater_id: int) -> None:
    with state.store.reading() as connection:
        if store.visitor_of(connection, rater_id) is None:
            raise no_such("rater")


def _check_lead(state: AppState, rater_id: int, role: store.Role | None) -> None:
    if role is store.Role.LEAD:
        with state.store.reading() as connection:
            kind = store.read_raters(connection)[rater_id].kind
        if kind is not store.RaterKind.EXPERT:
            raise _leads_not()


def _leads_not() -> Refusal:
    return invalid("a crowd worker cannot lead the study", field="role", mend="add the person as a rater")


class ChangedRater(Action):
    """What is to be different about a rater."""

    role: store.Role | None = None
    is_open: bool | None = None


@router.put("/api/raters/{rater_id}")
def change(rater_id: RowId, body: ChangedRater, state: StateHere, lead: LeadHere) -> Done:
    """Change a rater's role, or close the door; what the rater did stays."""
    _check(state, rater_id)
    _check_lead(state, rater_id, body.role)
    if rater_id == lead.rater_id and (body.is_open is False or body.role is store.Role.RATER):
        what = "you cannot shut yourself out"
        raise Refusal(422, "invalid", what, mend="let another lead do it", field="is_open")

    def act(connection: Any) -> Done:
        name = store.read_raters(connection)[rater_id].name
        if body.role is not None:
            store.grant(connection, rater_id, body.role)
            _note(connection, lead, store.ActivityKind.ROLE_CHANGED, name, detail=str(body.role))
        if body.is_open is not None:
            store.set_open(connection, rater_id, is_open=body.is_open)
            kind = store.ActivityKind.LET_IN_AGAIN if body.is_open else store.ActivityKind.SHUT_OUT
            _note(connection, lead, kind, name)
        return {"is_repeated": False}

    done = done_once(state, lead, body.key, f"change of rater {rater_id}", act)
    state.forget_visits()
    return done


@router.post("/api/raters/{rater_id}/link")
def link(rater_id: RowId, body: Action, request: Request, state: StateHere, lead: LeadHere) -> NewLink:
    """Return a new link for a rater; the old one stops, and who came by it is shut out.

    A lead who renews the own link stays in at this browser.
    """
    _check(state, rater_id)
    here = request.cookies.get(state.cookie) if rater_id == lead.rater_id else None

    def act(connection: Any) -> Done:
        name = store.read_raters(connection)[rater_id].name
        _note(connection, lead, store.ActivityKind.LINK_RENEWED, name)
        store.renew_token(connection, rater_id, state.token_of(body.key, rater_id))
        store.end_visits(connection, rater_id, but=here)
        return {"is_repeated": False}

    done = done_once(state, lead, body.key, f"link of rater {rater_id}", act, keeps_key=False)
    state.forget_visits()
    return {**done, "link": _link(state, body.key, rater_id)}
