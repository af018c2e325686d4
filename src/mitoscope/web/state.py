"""The desk behind the routes: the store, the slides, and who stands before it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from mitoscope.curation.settle import CONSENSUS_RATER
from mitoscope.store import Store
from mitoscope.store.access import Role, Visitor, find_visitor, visitor_of
from mitoscope.store.requests import once
from mitoscope.store.setting import secret_key
from mitoscope.store.sight import Sight, blinded_rounds, sight_of
from mitoscope.store.terms import RoundRow, is_assigned, read_round_row
from mitoscope.store.vocabulary import intern_raters, read_raters
from mitoscope.tissue import TissueMask, find_tissue
from mitoscope.web.answers.done import Done
from mitoscope.web.refusal import Refusal, no_such, not_yours
from mitoscope.web.shelf import SlideShelf
from mitoscope.web.tile_cache import TileCache
from mitoscope.web.veil import Veil

COOKIE = "mitoscope"
AnswerT = TypeVar("AnswerT", bound=Done)
_TISSUES_KEPT = 32
_VISITS_KEPT = 10_000
_VISIT_FRESH_S = 5.0
"""Who was just seen is known for so long; who is shut out in between is forgotten at once."""


@dataclass
class Desk:
    """What the routes work with.

    Parameters
    ----------
    store : Store
        Open for writing; all writes of the server go through it.
    shelf : SlideShelf
        The slides.
    visitor_without_link : int, optional
        The rater who everybody is, on a server that asks for no link.
    """

    store: Store
    shelf: SlideShelf
    visitor_without_link: int | None = None
    tiles: TileCache = field(default_factory=TileCache)
    tissues: dict[int, TissueMask] = field(default_factory=dict)
    boards: dict[int, Any] = field(default_factory=dict)
    visits: dict[str, tuple[float, Visitor]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with self.store.writing() as connection:
            self.veil = Veil(secret_key(connection))

    def forget_visits(self) -> None:
        """Look everybody up anew: somebody was shut out, or left."""
        self.visits = {}

    def tissue(self, slide_id: int) -> TissueMask:
        """Return the tissue of a slide; found once and kept."""
        known = self.tissues.get(slide_id)
        if known is None:
            known = find_tissue(self.shelf.open(slide_id))
            with self.lock:
                while len(self.tissues) >= _TISSUES_KEPT:
                    self.tissues.pop(next(iter(self.tissues)))
                self.tissues[slide_id] = known
        return known


async def desk_of(request: Request) -> Desk:
    """Return the desk of the application."""
    desk: Desk = request.app.state.desk
    return desk


DeskHere = Annotated[Desk, Depends(desk_of)]


async def _visitor(request: Request, desk: DeskHere) -> Visitor:
    """Return who asks; a page of tiles does not look everybody up in the store again and again."""
    cookie = request.cookies.get(COOKIE)
    visits = desk.visits
    known = visits.get(cookie or "")
    if known is not None and known[0] > time.monotonic():
        return known[1]
    found = await run_in_threadpool(_look_up, desk, cookie)
    if len(visits) >= _VISITS_KEPT:
        visits.clear()
    # Where all were forgotten meanwhile, this goes into a book that nobody reads any more.
    visits[cookie or ""] = (time.monotonic() + _VISIT_FRESH_S, found)
    return found


def _look_up(desk: Desk, cookie: str | None) -> Visitor:
    with desk.store.reading() as connection:
        if desk.visitor_without_link is not None:
            found = visitor_of(connection, desk.visitor_without_link)
        else:
            found = find_visitor(connection, cookie) if cookie else None
    if found is None:
        mend = "open your own link again, or ask the lead of the study for a new one"
        raise Refusal(401, "unknown_token", "this browser is not known here", mend=mend)
    if not found.is_open:
        raise Refusal(403, "closed", "your access is closed", mend="ask the lead of the study")
    return found


VisitorHere = Annotated[Visitor, Depends(_visitor)]


def _lead(visitor: VisitorHere) -> Visitor:
    if visitor.role is not Role.LEAD:
        raise not_yours("only the lead of the study may do this")
    return visitor


LeadHere = Annotated[Visitor, Depends(_lead)]


def _unblinded_lead(lead: LeadHere, desk: DeskHere) -> Visitor:
    """Return the lead, who is not just reading blinded: these figures tell what others said."""
    with desk.store.reading() as connection:
        rounds = blinded_rounds(connection, lead.rater_id)
        names = [read_round_row(connection, one).name for one in rounds]
    if names:
        mend = f"finish and close {names[0]!r} first"
        raise Refusal(403, "blinded", "you are reading blinded yourself", mend=mend)
    return lead


UnblindedLead = Annotated[Visitor, Depends(_unblinded_lead)]


@dataclass(frozen=True, slots=True)
class Seat:
    """A rater in a round: the round, and how the rater looks at cells there."""

    row: RoundRow
    sight: Sight
    entered_by: str | None


def seat(desk: Desk, visitor: Visitor, round_id: int, *, slide_id: int | None = None) -> Seat:
    """Return a visitor's place in a round.

    Raises
    ------
    Refusal
        If there is no such round, the visitor does not work in it, or the slide is not part of it.
    """
    with desk.store.reading() as connection:
        if connection.execute("SELECT 1 FROM round WHERE id = ?", (round_id,)).fetchone() is None:
            raise no_such("round")
        row = read_round_row(connection, round_id)
        if visitor.role is not Role.LEAD and not is_assigned(connection, round_id, visitor.rater_id):
            raise not_yours("you do not work in this round")
        if slide_id is not None:
            _check_slide(connection, row, slide_id)
        name = read_raters(connection)[visitor.rater_id].name
        speaker = visitor.rater_id
    if row.terms.speaks_as == "consensus":
        speaker = _consensus(desk)
    with desk.store.reading() as connection:
        sight = sight_of(connection, row, visitor.rater_id, speaker_id=speaker)
    return Seat(row, sight, name if speaker != visitor.rater_id else None)


def working_seat(desk: Desk, visitor: Visitor, round_id: int, *, slide_id: int | None = None) -> Seat:
    """Return a visitor's place in a round that is open.

    Raises
    ------
    Refusal
        As :func:`seat`, and if the round is closed.
    """
    found = seat(desk, visitor, round_id, slide_id=slide_id)
    if not found.row.terms.is_open:
        raise Refusal(403, "closed", "this round is closed", mend="ask the lead of the study to open it")
    return found


def _check_slide(connection: Any, row: RoundRow, slide_id: int) -> None:
    known = connection.execute("SELECT 1 FROM slide WHERE id = ?", (slide_id,)).fetchone()
    if known is None or (row.terms.slides is not None and slide_id not in row.terms.slides):
        raise no_such("slide in this round")


def _consensus(desk: Desk) -> int:
    with desk.store.reading() as connection:
        sql = "SELECT id FROM rater WHERE name = ? AND kind = 'consensus'"
        known = connection.execute(sql, (CONSENSUS_RATER.name,)).fetchone()
    if known is not None:
        return int(known[0])
    with desk.store.writing() as connection:
        return int(intern_raters(connection, [CONSENSUS_RATER])[0])


def done_once(desk: Desk, visitor: Visitor, key: str, what: str, act: Callable[[Any], AnswerT]) -> AnswerT:
    """Act in one transaction, once for each key.

    Parameters
    ----------
    desk : Desk
        Where.
    visitor : Visitor
        Who.
    key : str
        Of the request.
    what : str
        The request, in words: a key that comes with another one is refused.
    act : callable
        Takes the connection, returns the answer of the first time; later ones say that they repeat it.
    """
    with desk.store.writing() as connection:
        answer = once(connection, key, visitor.rater_id, what=what, act=lambda: dict(act(connection)))
    return cast("AnswerT", answer)  # what an earlier request left there has the same form
