"""The state of the application behind the routes: the study, its slides, and who asks."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from mitoscope.store import (
    CONSENSUS_RATER,
    Assignment,
    Operation,
    ReadingOrder,
    SeenTokens,
    Store,
    Veil,
    Visitor,
    answered,
    drawn_order,
    find_token_holder,
    find_visitor,
    intern_raters,
    once,
    permit,
    read_identity,
    reading_order,
    secret_of,
    slides_of,
    token_of,
    visitor_of,
)
from mitoscope.tissue import TissueMask, find_tissue
from mitoscope.web.board_job import BoardJob
from mitoscope.web.deep_zoom import TileCache
from mitoscope.web.forms import Done
from mitoscope.web.gate import SAFE_METHODS, bearer_token
from mitoscope.web.intake import Intake
from mitoscope.web.reach import Reach
from mitoscope.web.refusal import Refusal
from mitoscope.web.sample import Sample
from mitoscope.web.searching import SearchQueue
from mitoscope.web.slides import SlideCatalogue
from mitoscope.web.uploads import Uploads

COOKIE = "mitoscope"
AnswerT = TypeVar("AnswerT", bound=Done)
_TISSUES_KEPT = 32
_FINGERPRINT_DIGITS = 32
_VISITS_KEPT = 10_000
_VISIT_FRESH_S = 5.0
"""Who was just seen is known for so long; who is shut out in between is forgotten at once."""


@dataclass
class AppState:
    """What the routes work with: the store, through which all writes go, its slides and new ones.

    `visitor_without_link` is the rater who everybody is, on a server that asks for no link; `reach` says
    where the server is reached.
    """

    store: Store
    slides: SlideCatalogue
    intake: Intake
    visitor_without_link: int | None = None
    reach: Reach = field(default_factory=Reach)
    opens_once: bool = False
    uploads: Uploads = field(default_factory=Uploads)
    sample: Sample = field(default_factory=Sample)
    tiles: TileCache = field(default_factory=TileCache)
    tissues: dict[int, TissueMask] = field(default_factory=dict)
    boards: dict[int, Any] = field(default_factory=dict)
    visits: dict[tuple[bool, str], tuple[float, Visitor]] = field(default_factory=dict)
    looks: dict[Visitor, tuple[float, set[int]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with self.store.writing() as connection:
            secret = secret_of(connection)
            _, uuid = read_identity(connection)
        # Browsers send a cookie to every port of a machine: of two slides that are open, each has its own.
        self.cookie = f"{COOKIE}-{uuid[:8]}" if self.opens_once else COOKIE
        self.tokens, self.veil = SeenTokens(secret), Veil(secret)
        self.token_of = partial(token_of, secret)
        self.searches = SearchQueue(self.store, self.slides)
        self.board_job = BoardJob(self.store)

    def forget_visits(self) -> None:
        """Look everybody up anew: somebody was shut out, or left, or works elsewhere."""
        self.visits, self.looks = {}, {}

    def check_slide(self, visitor: Visitor, slide_id: int) -> None:
        """Refuse a slide that is not among the visitor's; tiles do not ask the store again and again.

        Raises
        ------
        NotFoundError
            As :func:`mitoscope.store.sight.permit`.
        """
        known = self.looks.get(visitor)
        if known is not None and known[0] > time.monotonic() and slide_id in known[1]:
            return
        looks = self.looks
        with self.store.reading() as connection:
            permit(connection, visitor, Operation.LOOK, slide_id=slide_id)
            seen = slides_of(connection, visitor)
        looks[visitor] = (time.monotonic() + _VISIT_FRESH_S, seen)

    def tissue(self, slide_id: int) -> TissueMask:
        """Return the tissue of a slide; found once and kept."""
        known = self.tissues.get(slide_id)
        if known is None:
            known = find_tissue(self.slides.open(slide_id))
            with self.lock:
                while len(self.tissues) >= _TISSUES_KEPT:
                    self.tissues.pop(next(iter(self.tissues)))
                self.tissues[slide_id] = known
        return known


async def _state(request: Request) -> AppState:
    state: AppState = request.app.state.mitoscope
    return state


StateHere = Annotated[AppState, Depends(_state)]


async def _visitor(request: Request, state: StateHere) -> Visitor:
    """Return who asks; a page of tiles does not look everybody up in the store again and again."""
    # A script that states a token is nobody but its holder: the gate let it in for that alone.
    token = bearer_token(request.headers.get("authorization", ""))
    secret = request.cookies.get(state.cookie, "") if token is None else token
    visits, key = state.visits, (token is None, secret)
    known = visits.get(key)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    found = await run_in_threadpool(_look_up, state, secret, is_token=token is not None)
    if len(visits) >= _VISITS_KEPT:
        visits.clear()
    # Where all were forgotten meanwhile, this goes into a book that nobody reads any more.
    visits[key] = (time.monotonic() + _VISIT_FRESH_S, found)
    return found


def _look_up(state: AppState, secret: str, *, is_token: bool) -> Visitor:
    with state.store.reading() as connection:
        if is_token:
            found = find_token_holder(connection, secret)
        elif state.visitor_without_link is not None:
            found = visitor_of(connection, state.visitor_without_link)
        else:
            found = find_visitor(connection, secret) if secret else None
    if found is None and is_token:
        mend = "use the token of a link that is valid: the part after ?token="
        raise Refusal(401, "unknown_token", "this token is not known here", mend=mend)
    if found is None:
        mend = "open your own link again, or ask the lead of the study for a new one"
        raise Refusal(401, "unknown_token", "this browser is not known here", mend=mend)
    if not found.is_open:
        raise Refusal(403, "closed", "your access is closed", mend="ask the lead of the study")
    return found


VisitorHere = Annotated[Visitor, Depends(_visitor)]
"""Who asks for what everybody may see; all else is asked of :func:`mitoscope.store.sight.permit`."""


async def _looker(request: Request, visitor: VisitorHere, state: StateHere) -> Visitor:
    """Return who asks for a slide, which must be among the visitor's."""
    slide_id = request.path_params["slide_id"]
    if slide_id.isascii() and slide_id.isdigit():  # the route refuses what is no number
        await run_in_threadpool(state.check_slide, visitor, int(slide_id))
    return visitor


LookerHere = Annotated[Visitor, Depends(_looker)]
"""Who asks for a slide of the own rounds, as its pixels and outlines are."""


def _drawer(visitor: LookerHere, state: StateHere) -> Visitor:
    with state.store.reading() as connection:
        permit(connection, visitor, Operation.DRAW)
    return visitor


DrawerHere = Annotated[Visitor, Depends(_drawer)]
"""An expert who draws on such a slide."""


def _lead(visitor: VisitorHere, state: StateHere) -> Visitor:
    with state.store.reading() as connection:
        permit(connection, visitor, Operation.LEAD)
    return visitor


def _comparer(visitor: VisitorHere, state: StateHere) -> Visitor:
    with state.store.reading() as connection:
        permit(connection, visitor, Operation.COMPARE)
    return visitor


LeadHere = Annotated[Visitor, Depends(_lead)]
"""Who leads the study."""
ComparerHere = Annotated[Visitor, Depends(_comparer)]
"""The lead, while not reading blinded: what is asked for tells what raters said."""


def assignment(
    state: AppState,
    visitor: Visitor,
    round_id: int,
    *,
    slide_id: int | None = None,
    operation: Operation = Operation.READ,
) -> Assignment:
    """Return a visitor's place in a round.

    Raises
    ------
    ForbiddenError, NotFoundError
        As :func:`mitoscope.store.sight.permit`.
    """
    with state.store.reading() as connection:
        return permit(connection, visitor, operation, round_id=round_id, slide_id=slide_id)


def work_in(state: AppState, visitor: Visitor, round_id: int, *, slide_id: int | None = None) -> Assignment:
    """Return a visitor's place in a round in which something is to be changed; see :func:`assignment`."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id, operation=Operation.WORK)
    if mine.sight.speaker_id:
        return mine
    with state.store.writing() as connection:
        intern_raters(connection, [CONSENSUS_RATER])  # the first word of a consensus
    return work_in(state, visitor, round_id, slide_id=slide_id)


def own_order(state: AppState, visitor: Visitor, round_id: int) -> ReadingOrder:
    """Return a visitor's order in a round; who asks again does not wait for who writes."""
    with state.store.reading() as connection:
        known = drawn_order(connection, round_id, visitor.rater_id)
    if known is not None:
        return known
    with state.store.writing() as connection:
        return reading_order(connection, round_id, visitor.rater_id)


def done_once(
    state: AppState,
    visitor: Visitor,
    key: str,
    what: str,
    act: Callable[[Any], AnswerT],
    *,
    keeps_key: bool = True,
) -> AnswerT:
    """Act in one transaction, once for each key, and return the answer of the first time; repeats say so.

    A key that comes with another request, told by the words of `what` and the fingerprint, is refused.
    """
    what = f"{what} {_FINGERPRINT.get()}"
    with state.store.writing() as connection:
        answer = once(
            connection,
            key,
            visitor.rater_id,
            what=what,
            act=lambda: dict(act(connection)),
            keeps_key=keeps_key,
        )
    return cast("AnswerT", answer)  # what an earlier request left there has the same form


_FINGERPRINT: ContextVar[str] = ContextVar("fingerprint", default="")
"""Of the request at hand: its method, path and body."""


class Repeated(Exception):  # noqa: N818 it is an answer, not a fault
    """The answer to a request that was sent again: that of the first time."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__("repeated")
        self.answer = answer


async def answer_again(request: Request, state: StateHere) -> None:
    """Answer a request that was done before as it was answered then, whatever has changed since.

    Who lost the answer, because the connection or the server went away, must learn that it is done, also
    where it would be refused now: the round was closed meanwhile, or the thing is gone.

    Raises
    ------
    Repeated
        If it was done before.
    """
    if request.method in SAFE_METHODS:
        return
    content = await request.body()
    asked = f"{request.method} {request.url.path} ".encode() + content
    _FINGERPRINT.set(hashlib.sha256(asked).hexdigest()[:_FINGERPRINT_DIGITS])
    body = None
    with suppress(ValueError):  # what is no JSON is refused by who takes a body
        body = await request.json()
    key = body.get("key") if isinstance(body, dict) else None
    if isinstance(key, str):
        visitor = await _visitor(request, state)
        known = await run_in_threadpool(_answered, state, visitor, key, _FINGERPRINT.get())
        if known is not None:
            raise Repeated(known)


def _answered(state: AppState, visitor: Visitor, key: str, what: str) -> dict[str, Any] | None:
    with state.store.reading() as connection:
        known: dict[str, Any] | None = answered(connection, key, visitor.rater_id, what=what)
    return known
