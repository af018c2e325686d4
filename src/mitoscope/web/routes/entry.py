"""Coming in and who I am: the page, the link, the visit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from mitoscope import store
from mitoscope.web.forms import Action, Answer, Done, RoundId, described
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.rounds import Round, describe_round
from mitoscope.web.routes.slides import Slide, describe_slide
from mitoscope.web.state import AppState, StateHere, VisitorHere, assignment, done_once

STATIC = Path(__file__).parents[1] / "static"
_TOKEN_MAX = 200
POSITION_MAX = 4096
_NOT_BUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>mitoscope</title><link rel=icon href=data:,>"
    "<h1>The page is not built yet</h1><p>Run <code>python frontend/build.py</code> and reload."
)
_UNKNOWN = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>mitoscope</title><link rel=icon href=data:,>"
    "<h1>This link does not open anything</h1><p>It was renewed or closed, or is not complete. "
    "Ask the lead of the study for a new one."
)

router = APIRouter()


def is_page_built() -> bool:
    """Whether the page of the application is there; a clone has to build it."""
    return (STATIC / "index.html").is_file()


class Myself(Answer):
    """The rater who asks."""

    id: int
    name: str
    kind: store.RaterKind
    role: store.Role


class StudyName(Answer):
    """The study, and the rule by which it tells the agreed class."""

    name: str
    uuid: str
    policy: store.Policy


class ClassLabel(Answer):
    """A class of cells; its colour is ``#rrggbb``."""

    id: int
    name: str
    colour: str


class Me(Answer):
    """Who I am, the study with its classes and slides, and my rounds."""

    rater: Myself
    study: StudyName
    labels: list[ClassLabel]
    slides: list[Slide]
    rounds: list[Round]


@router.get("/", include_in_schema=False)
def page(request: Request, state: StateHere) -> Response:
    """Return the page; with a token, begin a visit first and come back without it."""
    token = request.query_params.get("token")
    if token is not None:
        return _entered(request, state, token)
    index = STATIC / "index.html"
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT, status_code=503)
    return FileResponse(index, headers={"cache-control": "no-cache"})


def _entered(request: Request, state: AppState, token: str) -> Response:
    cookie = None
    if len(token) <= _TOKEN_MAX:
        with state.store.writing() as connection:
            cookie = store.begin_visit(connection, token, spends=state.opens_once)
    if cookie is None:
        return HTMLResponse(_UNKNOWN, status_code=401)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        state.cookie,
        cookie,
        max_age=int(store.VISIT_S),
        httponly=True,
        samesite="strict",
        secure=_is_secure(request, state),
        path="/",
    )
    return answer


def _is_secure(request: Request, state: AppState) -> bool:
    """Whether the browser came by TLS, to this server or to a proxy before it.

    What a proxy states in `X-Forwarded-Proto` is believed: whoever makes it up keeps but the own cookie from
    going over plain HTTP.
    """
    proto = request.headers.get("x-forwarded-proto", "").split(",")[0].strip().casefold()
    host = request.headers.get("x-forwarded-host", request.headers.get("host", "")).split(",")[0].strip()
    stated = state.reach.address == f"https://{host.casefold()}"
    return request.url.scheme == "https" or proto == "https" or stated


@router.post("/api/leave", status_code=204)
def leave(request: Request, state: StateHere, visitor: VisitorHere) -> Response:  # noqa: ARG001 it must be one
    """End this browser's visit."""
    cookie = request.cookies.get(state.cookie)
    if cookie:
        with state.store.writing() as connection:
            store.end_visit(connection, cookie)
        state.forget_visits()
    answer = Response(status_code=204)
    answer.delete_cookie(state.cookie, path="/")
    return answer


@router.get("/api/me")
def me(state: StateHere, visitor: VisitorHere) -> Me:
    """Return who I am, the study, the slides of my rounds (of a lead: all), and my rounds."""
    with state.store.reading() as connection:
        mine = store.slides_of(connection, visitor)
    slides = [describe_slide(slide) for slide in state.slides.all() if slide.id in mine]
    with state.store.reading() as connection:
        rater = store.read_raters(connection)[visitor.rater_id]
        name, uuid = store.read_identity(connection)
        labels = store.read_labels(connection)
        return {
            "rater": described(Myself, rater, id=visitor.rater_id, role=visitor.role),
            "study": {"name": name, "uuid": uuid, "policy": _policy(connection)},
            "labels": [described(ClassLabel, label, id=id_) for id_, label in labels.items()],
            "slides": slides,
            "rounds": my_rounds(connection, visitor),
        }


def _policy(connection: Any) -> store.Policy:
    return store.Policy(store.read_setting(connection, "policy", str(store.Policy.SETTLED)))


def my_rounds(connection: Any, visitor: store.Visitor) -> list[Round]:
    """Return the rounds in which somebody works; a lead sees all that have anybody."""
    assigned = store.read_assignments(connection)
    found = []
    for id_, row in store.read_round_rows(connection).items():
        raters = assigned.get(id_, [])
        if visitor.rater_id in raters or (visitor.role is store.Role.LEAD and raters):
            found.append(describe_round(connection, row, visitor.rater_id))
    return found


class Position(Action):
    """Where a rater is in a round, in words of the page."""

    position: Any


@router.put("/api/rounds/{round_id}/position")
def put_position(round_id: RoundId, body: Position, state: StateHere, visitor: VisitorHere) -> Done:
    """Keep where I am, for the next time."""
    assignment(state, visitor, round_id, operation=store.Operation.ENTER)
    if len(json.dumps(body.position, ensure_ascii=False).encode()) > POSITION_MAX:
        raise invalid(f"a position of more than {POSITION_MAX} bytes", field="position")

    def act(connection: Any) -> Done:
        store.write_position(connection, round_id, visitor.rater_id, body.position)
        return {"is_repeated": False}

    return done_once(state, visitor, body.key, f"position {round_id}", act)
