"""People: who works on the study, with which link, and in which role."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter

from mitoscope.store import Rater, RaterKind
from mitoscope.store.access import Role, grant, renew_token, set_open
from mitoscope.store.vocabulary import intern_raters, read_raters
from mitoscope.web.answers.done import Done
from mitoscope.web.bodies import Action, Name, RowId
from mitoscope.web.desk import Desk, DeskHere, LeadHere, done_once
from mitoscope.web.refusal import Refusal, invalid, no_such

router = APIRouter()

_PEOPLE_SQL = """
SELECT r.id, r.name, r.kind, a.role, a.is_open, a.token_sha256 IS NOT NULL,
       (SELECT count(*) FROM label_now AS n WHERE n.rater_id = r.id AND n.label_id IS NOT NULL),
       (SELECT max(time_s) FROM event AS e WHERE e.rater_id = r.id)
FROM rater AS r LEFT JOIN access AS a ON a.rater_id = r.id ORDER BY r.id
"""


@exact
class Person(TypedDict):
    """A rater: labels given, and the last event in seconds since 1970; without a role nobody comes in."""

    id: int
    name: str
    kind: RaterKind
    role: Role | None
    is_open: bool
    has_link: bool
    labels: int
    last_s: float | None


@exact
class People(TypedDict):
    """All raters of the study."""

    raters: list[Person]


@exact
class LetIn(Done):
    """The id of a rater who may come in from now on."""

    id: int


@exact
class LetInByLink(LetIn):
    """A rater who may come in from now on, and the link, which is shown once."""

    link: str


@exact
class NewLink(Done):
    """A new link; the old one no longer opens."""

    link: str


@router.get("/api/raters")
def raters(desk: DeskHere, lead: LeadHere) -> People:  # noqa: ARG001 it must be one
    """Return all raters of the study; those without a role do not come in."""
    with desk.store.reading() as connection:
        rows = connection.execute(_PEOPLE_SQL).fetchall()
    return {
        "raters": [
            {
                "id": id_,
                "name": name,
                "kind": RaterKind(kind),
                "role": None if role is None else Role(role),
                "is_open": bool(is_open),
                "has_link": bool(has_link),
                "labels": labels,
                "last_s": last_s,
            }
            for id_, name, kind, role, is_open, has_link, labels, last_s in rows
        ]
    }


class NewRater(Action):
    """Somebody who is to work on the study."""

    name: Name
    kind: Literal["expert", "crowd"] = "expert"
    role: Role = Role.RATER


@router.post("/api/raters")
def add(body: NewRater, desk: DeskHere, lead: LeadHere) -> LetInByLink:
    """Add a rater, or let one in whom the study knows, and return the link."""
    with desk.store.reading() as connection:
        known = {one.name: one.kind for one in read_raters(connection).values()}
    if known.get(body.name, body.kind) != body.kind:
        raise invalid(f"{body.name!r} is a rater of kind {known[body.name]}", field="name")

    def act(connection: Any) -> LetIn:
        if body.name in _who_come_in(connection):
            what = f"{body.name!r} may come in already"
            raise Refusal(409, "conflict", what, mend="make a new link instead, or choose another name")
        (id_,) = intern_raters(connection, [Rater(body.name, RaterKind(body.kind))]).tolist()
        grant(connection, id_, body.role)
        return {"id": id_, "is_repeated": False}

    done = done_once(desk, lead, body.key, f"rater {body.name}", act)
    return {**done, "link": _link(desk, done["id"])}


def _who_come_in(connection: Any) -> set[str]:
    sql = "SELECT r.name FROM access AS a JOIN rater AS r ON r.id = a.rater_id"
    return {name for (name,) in connection.execute(sql)}


def _link(desk: Desk, rater_id: int) -> str:
    """Return a new link; it is shown once and only its hash is kept."""
    with desk.store.writing() as connection:
        return f"/?token={renew_token(connection, rater_id)}"


def _check(desk: Desk, rater_id: int) -> None:
    with desk.store.reading() as connection:
        sql = "SELECT 1 FROM access WHERE rater_id = ?"
        if connection.execute(sql, (rater_id,)).fetchone() is None:
            raise no_such("rater")


class ChangedRater(Action):
    """What is to be different about a rater."""

    role: Role | None = None
    is_open: bool | None = None


@router.put("/api/raters/{rater_id}")
def change(rater_id: RowId, body: ChangedRater, desk: DeskHere, lead: LeadHere) -> Done:
    """Change a rater's role, or close the door; what the rater did stays."""
    _check(desk, rater_id)
    if rater_id == lead.rater_id and (body.is_open is False or body.role is Role.RATER):
        what = "you cannot shut yourself out"
        raise Refusal(422, "invalid", what, mend="let another lead do it", field="is_open")

    def act(connection: Any) -> Done:
        if body.role is not None:
            grant(connection, rater_id, body.role)
        if body.is_open is not None:
            set_open(connection, rater_id, is_open=body.is_open)
        return {"is_repeated": False}

    done = done_once(desk, lead, body.key, f"change of rater {rater_id}", act)
    desk.forget_visits()
    return done


@router.post("/api/raters/{rater_id}/link")
def link(rater_id: RowId, body: Action, desk: DeskHere, lead: LeadHere) -> NewLink:
    """Return a new link for a rater; the old one stops."""
    _check(desk, rater_id)
    first: Done = {"is_repeated": False}
    done = done_once(desk, lead, body.key, f"link of rater {rater_id}", lambda _: first)
    return {**done, "link": _link(desk, rater_id)}
