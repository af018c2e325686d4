"""Searching slides from the page: models, the queue, what is proposed so far, and the results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import Field

from mitoscope import store
from mitoscope.curation.candidates import BINS
from mitoscope.curation.hard_examples import CONFIDENT, against_labels
from mitoscope.curation.review import open_review
from mitoscope.curation.searches import review_searched, scores_of_searches
from mitoscope.web.forms import Action, Answer, Done, Id, Name, Score, SlideId, described
from mitoscope.web.refusal import Refusal, no_such
from mitoscope.web.routes.reviews import staff_review
from mitoscope.web.routes.rounds import check_raters
from mitoscope.web.searching import SearchState
from mitoscope.web.signed_report import policy_of
from mitoscope.web.state import AppState, ComparerHere, LeadHere, StateHere, done_once
from mitoscope.wording import say_number

router = APIRouter()
SLIDES_MAX = 20_000

_Slides = Annotated[list[Id], Field(min_length=1, max_length=SLIDES_MAX)]


class PointOfModel(Answer):
    """An operating point: its name, the threshold, by what it was chosen and on which data."""

    name: str
    threshold: float
    criterion: str
    chosen_on: str


class ModelOffered(Answer):
    """A model that slides can be searched with; title holds its version."""

    name: str
    title: str
    points: list[PointOfModel]
    default_point: str


class SlideSearch(Answer):
    """The search of a slide: mm² of tissue done and in all, seconds to go, and what it gave."""

    slide: int
    model: str
    point: str | None
    state: SearchState
    reason: str
    done_mm2: float
    of_mm2: float
    eta_s: float | None
    candidates: int | None
    figures: int | None


class Searches(Answer):
    """The models there are, and all searches in the order of the queue."""

    models: list[ModelOffered]
    searches: list[SlideSearch]


class QueueChanged(Done):
    """The queue after a change."""

    searches: list[SlideSearch]


class ProposedSoFar(Answer):
    """Centres in level-0 px of what the first stage proposes so far, and its scores; the surest ones."""

    x: list[float]
    y: list[float]
    score: list[float]


class ReviewOfSearched(Done):
    """A review over candidates of searches: its rounds, its cells, and those left out.

    Below are those whose score is not above the threshold, known those that somebody has labelled or another
    review asks of.
    """

    rounds: list[int]
    cells: int
    below: int
    known: int


def _searches(state: AppState) -> list[SlideSearch]:
    return [described(SlideSearch, search, slide=search.slide_id) for search in state.searches.all()]


@router.get("/api/searches")
def searches(state: StateHere, lead: LeadHere) -> Searches:  # noqa: ARG001 it must be one
    """Return the models that slides can be searched with, and where each search stands."""
    return {
        "models": [
            described(ModelOffered, model, points=[described(PointOfModel, point) for point in model.points])
            for model in state.searches.models
        ],
        "searches": _searches(state),
    }


class NewSearch(Action):
    """Slides to be searched, by a model at one of its operating points; null is the default one."""

    slides: _Slides
    model: Name
    point: Name | None = None


@router.post("/api/searches")
def add(body: NewSearch, state: StateHere, lead: LeadHere) -> QueueChanged:
    """Put slides into the queue; each is searched in a process of its own, one after the other."""
    return _changed(
        state,
        lead,
        body.key,
        f"search {sorted(body.slides)} {body.model} {body.point}",
        body.slides,
        f"added to the queue, by {body.model}",
        lambda: state.searches.add(body.slides, model=body.model, point=body.point),
    )


class SearchChange(Action):
    """What becomes of the searches of some slides."""

    slides: _Slides
    change: Literal["pause", "resume", "cancel"]


@router.put("/api/searches")
def change(body: SearchChange, state: StateHere, lead: LeadHere) -> QueueChanged:
    """Pause, resume or cancel searches; what was searched is kept by a pause and forgotten by a cancel."""
    queue = state.searches
    act = {"pause": queue.pause, "resume": queue.resume, "cancel": queue.cancel}[body.change]
    what = f"{body.change} search {sorted(body.slides)}"
    return _changed(state, lead, body.key, what, body.slides, body.change, lambda: act(body.slides))


def _changed(
    state: AppState,
    lead: store.Visitor,
    key: str,
    what: str,
    slides: list[int],
    said: str,
    act: Callable[[], None],
) -> QueueChanged:
    with state.store.reading() as connection:
        is_repeated = store.was_done(connection, key, lead.rater_id)
    if not is_repeated:
        act()
    found = _searches(state)

    def note(connection: Any) -> QueueChanged:
        names = [slide.name for id_, slide in store.read_slides(connection).items() if id_ in set(slides)]
        if names:
            subject = names[0] if len(names) == 1 else say_number(len(names), "slide")
            kind = store.ActivityKind.SEARCH_CHANGED
            store.write_activity(connection, lead.rater_id, kind, subject, detail=said)
        return QueueChanged(searches=found, is_repeated=False)

    return done_once(state, lead, key, what, note)


@router.get("/api/slides/{slide_id}/proposals")
def proposals(slide_id: SlideId, state: StateHere, lead: ComparerHere) -> ProposedSoFar:  # noqa: ARG001
    """Return what the first stage proposes on a slide that is being searched; nothing of it is stored."""
    points, score = state.searches.proposals(slide_id)
    return {"x": points[:, 0].tolist(), "y": points[:, 1].tolist(), "score": score.tolist()}


@router.get(
    "/api/slides/{slide_id}/search/report.html",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def report(slide_id: SlideId, state: StateHere, lead: ComparerHere) -> HTMLResponse:  # noqa: ARG001
    """Return the report of the search of a slide, as `mitoscope detect` writes it."""
    page = _result(state, slide_id, ".html").read_text(encoding="utf-8")
    return HTMLResponse(page, headers={"content-security-policy": policy_of(page)})


@router.get(
    "/api/slides/{slide_id}/search/candidates.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
def table(slide_id: SlideId, state: StateHere, lead: ComparerHere) -> FileResponse:  # noqa: ARG001
    """Return all candidates of the search of a slide, as `mitoscope detect` writes them."""
    path = _result(state, slide_id, ".csv")
    return FileResponse(path, media_type="text/csv", filename=path.name)


def _result(state: AppState, slide_id: int, suffix: str) -> Path:
    folder = state.searches.result_of(slide_id)
    found = sorted(folder.glob(f"*{suffix}")) if folder.is_dir() else []
    if not found:
        raise no_such("result; its files beside the study are gone, search the slide again")
    return found[0]


class NewReviewOfSearched(Action):
    """Slides whose candidates are to be read; without a threshold each has that of its search."""

    name: Name
    slides: _Slides
    threshold: Score | None = None
    bins: Annotated[int, Field(ge=1, le=20)] = BINS
    raters: Annotated[tuple[Id, ...], Field(max_length=1000)] = ()


@router.post("/api/searches/review")
def review(body: NewReviewOfSearched, state: StateHere, lead: LeadHere) -> ReviewOfSearched:
    """Open a review over what searches found on some slides and nobody has labelled."""
    check_raters(state, body.raters)

    def act(connection: Any) -> ReviewOfSearched:
        floors = dict.fromkeys(body.slides, body.threshold)
        opened = review_searched(connection, body.name, floors, bins=body.bins)
        detail = f"{opened.cells} candidates of searches; {opened.below} below the threshold are not shown"
        staff_review(connection, body.name, opened.rounds, lead, raters=body.raters, detail=detail)
        return described(ReviewOfSearched, opened, rounds=list(opened.rounds), is_repeated=False)

    return done_once(state, lead, body.key, f"review {body.name}", act)


class HardExamplesAsked(Done):
    """A review of cells that searches take for figures against their label.

    Scored are the labelled cells to which a search gave a score, cells those in the review; without any there
    is no review and no round.
    """

    rounds: list[int]
    cells: int
    scored: int


class NewHardExamples(Action):
    """The name of the review, the score above which a cell is read again, and who reads."""

    name: Name
    threshold: Score = CONFIDENT
    raters: Annotated[tuple[Id, ...], Field(max_length=1000)] = ()


@router.post("/api/searches/hard-examples")
def hard_examples(body: NewHardExamples, state: StateHere, lead: ComparerHere) -> HardExamplesAsked:
    """Open a review of the cells that raters labelled as no figure and a search is sure of (HEAEL)."""
    check_raters(state, body.raters)
    scores = scores_of_searches(state.store)
    if not scores:
        what = "no search gave a labelled cell a score"
        raise Refusal(409, "conflict", what, mend="search slides whose cells are labelled")
    scored, asked = against_labels(state.store, scores, policy=store.Policy.SETTLED, threshold=body.threshold)
    if asked:
        open_review(state.store, body.name, asked)

    def act(connection: Any) -> HardExamplesAsked:
        rounds: list[int] = []
        if asked:
            rounds = list(store.read_review(connection, body.name).first)
            detail = f"{len(asked)} of {scored} scored cells are above {body.threshold:.3g} and not figures"
            staff_review(connection, body.name, rounds, lead, raters=body.raters, detail=detail)
        return {"rounds": rounds, "cells": len(asked), "scored": scored, "is_repeated": False}

    return done_once(state, lead, body.key, f"hard examples {body.name}", act)
