"""The case view: candidates above a threshold, the hot spot, and the signed mitotic count."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any, Literal, NotRequired, cast

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import Field

from mitoscope import store
from mitoscope.count import MitoticCount, window_size
from mitoscope.errors import BlindedError, IncompleteRunError
from mitoscope.geometry import Aspect
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.web.case_count import CaseCells, CaseOnSlide, CaseRule, case_cells, figure_labels
from mitoscope.web.forms import (
    Action,
    Answer,
    Body,
    Coordinate,
    Done,
    OptionalId,
    Pair,
    Rectangle,
    RoundId,
    RowId,
    Score,
    SlideId,
    Text,
    described,
)
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.signed_report import render_signed
from mitoscope.web.state import AppState, StateHere, VisitorHere, assignment, done_once, work_in

router = APIRouter()
_PATH = "/api/rounds/{round_id}/slides/{slide_id}/case"


Verdict = Literal[-1, 0, 1]
"""-1: rejected, 0: nothing was said, 1: called a mitotic figure."""


class CountWindow(Answer):
    """What is counted over: a size in level-0 px, its mm², and width to height as in ``4:3``."""

    width: int
    height: int
    area_mm2: float
    aspect: str


class DensityOfAll(Answer):
    """Figures and expected figures of all that was searched, and per mm² of it; the interval is of 95 %."""

    figures: int
    expected: float | None
    area_mm2: float | None
    within: str
    per_mm2: float | None
    expected_per_mm2: float | None
    interval: Pair | None


class Certainty(Answer):
    """How sure a count is.

    The expected number of figures in the window; 95 % intervals of how many of its candidates are figures,
    and, with the chance of sampling, of the mean in tissue that is as active. Null where the scores are no
    probabilities, which is then the reason. What was never proposed is not covered.
    """

    expected: float | None
    interval: Pair | None
    detector_interval: Pair | None
    no_interval: str | None
    density: DensityOfAll | None


class Counted(Answer):
    """A count: figures in a window, the window as it lies on the slide in level-0 px, and its mm².

    Covered is what of it is tissue in the regions that count; figures are those of the whole slide. The note
    holds what must be said beside the number, e.g. that a part could not be read. Atypical is how many of the
    figures in the window are called so, by the rater, else by the model that found them; null where none is.
    """

    count: int
    x: float
    y: float
    width: float
    height: float
    area_mm2: float
    covered_mm2: float
    figures: int
    atypical: int | None
    note: str
    certainty: Certainty


class WindowBox(Answer):
    """Where a window lies, in level-0 px."""

    x: float
    y: float
    width: float
    height: float


class SignedBase(Answer):
    """What was counted: figures above a threshold in a window, and what became of the candidates."""

    count: int
    threshold: float
    window: WindowBox
    area_mm2: float
    candidates: int
    accepted: int
    rejected: int
    comment: str
    note: str


class SignedCell(Answer):
    """A cell under a result: its centre in level-0 px, a model's score, and what the rater made of it."""

    x: float
    y: float
    score: float | None
    verdict: Verdict
    is_counted: bool


class SignedRegion(Answer):
    """An outline that was drawn when a result was signed: its vertices in level-0 px."""

    kind: store.RegionKind
    name: str
    vertices: list[Pair]


class SignedContent(SignedBase):
    """A result as it was signed, with all that it rests on.

    The area that was asked for and its aspect, the mm² of tissue in the window, the figures of the whole
    slide, the slide and its file, the last event, cells, regions, what could not be read: x, y, width and
    height in level-0 px; and how sure the count is, which older results do not state.
    """

    requested_mm2: float
    aspect: str
    covered_mm2: float
    figures: int
    slide: str
    fingerprint: str
    version: int
    cells: list[SignedCell]
    regions: list[SignedRegion]
    gaps: list[Rectangle]
    certainty: NotRequired[Certainty]


class Result(SignedBase):
    """A signed result without its cells: who signed it and when, in seconds since 1970, and where it lies."""

    id: int
    slide: int
    round: int
    rater_name: str
    time_s: float
    report: str
    manifest: str


class FullResult(Result):
    """A signed result with what was signed, and the head of the study's chain that holds it."""

    content: SignedContent
    chain: str


class Results(Answer):
    """Signed results, the newest first."""

    results: list[Result]


class Signed(Done):
    """A result that was signed."""

    result: Result


class Case(Answer):
    """A case: its hot spot, the mm² of tissue, and the results so far.

    The threshold is the round's, else that of the search that the candidates came with; null where neither
    states one. Where no count can be given, it is null and the problem says why. The floor is the lowest
    score of a candidate, null where there is none.
    """

    threshold: float | None
    window: CountWindow
    hot_spot: Counted | None
    problem: str | None
    tissue_mm2: float
    floor: float | None
    mitotic_label: int
    figure_labels: list[int]
    results: list[Result]


def figure_label(study: store.Store) -> int:
    """Return the id of the label mitotic figure in a study."""
    with study.writing() as connection:
        return int(store.intern_labels(connection, LabelSet((MITOTIC_FIGURE,)))[0])


def _read(
    connection: Any, state: AppState, mine: store.Assignment, slide_id: int, *, by_all: bool = False
) -> CaseOnSlide:
    """Read a case; `by_all`: every label that is shown counts, not only one's own."""
    info = state.slides.info(slide_id)
    cells = store.cells_seen(connection, mine.sight, slide_id)
    labels = store.read_labels(connection)
    searched = store.read_search(connection, slide_id)
    case = case_cells(cells, labels, searched, is_verdict=cells.label_id > 0 if by_all else None)
    rule = CaseRule.of(mine.row.terms)
    if rule.threshold is None:
        rule = replace(rule, threshold=searched.threshold)
    drawn = store.read_regions(connection, slide_id)
    regions = store.slide_regions(connection, slide_id, info.size)
    return CaseOnSlide(info, cells, case, rule, drawn, regions, figure_labels(labels))


def _described(on: CaseOnSlide, counted: MitoticCount) -> Counted:
    stated = {"atypical": on.atypical(counted), "certainty": _certainty(counted)}
    return described(Counted, counted, **stated, **asdict(counted.box_px0))


def _certainty(counted: MitoticCount) -> Certainty:
    return described(Certainty, counted, **counted.certainty())


@router.get(_PATH)
def case(round_id: RoundId, slide_id: SlideId, state: StateHere, visitor: VisitorHere) -> Case:
    """Return what is counted over, the hot spot at the round's threshold, and the results so far."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    info, tissue = state.slides.info(slide_id), state.tissue(slide_id)
    label = figure_label(state.store)
    with state.store.reading() as connection:
        found = _read(connection, state, mine, slide_id)
        signed = _shown(connection, visitor, store.read_all_signed(connection, slide_id))
    hot_spot, problem = None, None
    try:
        counted = found.count(found.rule, tissue)
        hot_spot = _described(found, counted)
    except IncompleteRunError as error:
        problem = str(error)
    size, area_mm2 = found.rule.window(info), found.rule.area_mm2
    return {
        "threshold": found.rule.threshold,
        "window": described(CountWindow, size, area_mm2=area_mm2, aspect=found.rule.aspect_text),
        "hot_spot": hot_spot,
        "problem": problem,
        "tissue_mm2": tissue.area_mm2,
        "floor": found.case.floor,
        "mitotic_label": label,
        "figure_labels": found.labels,
        "results": [describe_signed(one) for one in signed],
    }


class Placed(Body):
    """Where the slider stands, and the window's upper left corner where it is not that of the hot spot."""

    threshold: Score
    corner: tuple[Coordinate, Coordinate] | None = None


@router.post(f"{_PATH}/count")
def count(
    round_id: RoundId, slide_id: SlideId, body: Placed, state: StateHere, visitor: VisitorHere
) -> Counted:
    """Count at a threshold, in the hot spot or in a window; this changes nothing."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    tissue = state.tissue(slide_id)
    with state.store.reading() as connection:
        found = _read(connection, state, mine, slide_id)
    rule = replace(found.rule, threshold=body.threshold)
    return _described(found, found.count(rule, tissue, corner=body.corner))


class Signature(Action):
    """A mitotic count, as the pathologist saw it."""

    threshold: Score
    x: Coordinate
    y: Coordinate
    count: Annotated[int, Field(ge=0, le=10_000_000)]
    comment: Text = ""


@router.post(f"{_PATH}/sign")
def sign_case(
    round_id: RoundId, slide_id: SlideId, body: Signature, state: StateHere, visitor: VisitorHere
) -> Signed:
    """Sign the mitotic count of a window; it is counted again here, from the labels that are on disk."""
    mine = work_in(state, visitor, round_id, slide_id=slide_id)
    info, tissue = state.slides.info(slide_id), state.tissue(slide_id)

    def act(connection: Any) -> Signed:
        found = _read(connection, state, mine, slide_id)
        rule = replace(found.rule, threshold=body.threshold)
        counted = found.count(rule, tissue, corner=(body.x, body.y))
        if counted.count != body.count:
            what = f"{counted.count} mitotic figures lie in this window, not {body.count}"
            mend = "look at the window again and sign"
            raise Refusal(409, "conflict", what, mend=mend, count=counted.count)
        content: SignedContent = {
            **_signed_base(found.case, counted, body),
            "requested_mm2": rule.area_mm2,
            "aspect": rule.aspect_text,
            "covered_mm2": counted.covered_mm2,
            "figures": counted.figures,
            "slide": info.name,
            "fingerprint": info.fingerprint,
            "version": found.cells.version,
            "cells": _signed_cells(found.case, counted),
            "regions": [
                described(SignedRegion, one, vertices=one.vertices_px0.tolist()) for one in found.drawn
            ],
            "gaps": [[gap.x, gap.y, gap.width, gap.height] for gap in found.case.found.searched.gaps],
            "certainty": _certainty(counted),
        }
        done = store.sign(
            connection, dict(content), slide_id=slide_id, round_id=round_id, rater_id=visitor.rater_id
        )
        return {"result": describe_signed(done), "is_repeated": False}

    return done_once(state, visitor, body.key, f"signature {round_id}/{slide_id}", act)


def _signed_base(case: CaseCells, counted: MitoticCount, body: Signature) -> SignedBase:
    return described(
        SignedBase,
        counted,
        threshold=body.threshold,
        window=asdict(counted.box_px0),
        candidates=int(case.has_score.sum()),
        accepted=int((case.verdict == 1).sum()),
        rejected=int((case.verdict == -1).sum()),
        comment=body.comment,
    )


def _signed_cells(case: CaseCells, counted: MitoticCount) -> list[SignedCell]:
    """Return the cells that count or were decided by hand, from the top left."""
    found = case.found
    order = np.lexsort((found.x_px0, found.y_px0))
    return [
        {
            "x": float(found.x_px0[row]),
            "y": float(found.y_px0[row]),
            "score": float(found.score[row]) if case.has_score[row] else None,
            "verdict": cast("Verdict", int(case.verdict[row])),
            "is_counted": bool(counted.counted[row]),
        }
        for row in order.tolist()
        if counted.counted[row] or case.verdict[row] != 0
    ]


def _content(signed_result: store.SignedResult) -> SignedContent:
    return cast("SignedContent", signed_result.content)  # nothing else is ever signed


def describe_signed(signed_result: store.SignedResult) -> Result:
    """Return a signed result without its cells."""
    return described(
        Result,
        signed_result,
        slide=signed_result.slide_id,
        round=signed_result.round_id,
        rater_name=signed_result.rater,
        report=f"/api/results/{signed_result.id}/report.html",
        manifest=f"/api/results/{signed_result.id}/result.json",
        # Results that were signed before had no note.
        **{name: signed_result.content.get(name, "") for name in SignedBase.__annotations__},
    )


@router.get("/api/results")
def results(state: StateHere, visitor: VisitorHere, slide: OptionalId = None) -> Results:
    """Return the signed results that I may see, the newest first."""
    with state.store.reading() as connection:
        found = _shown(connection, visitor, store.read_all_signed(connection, slide))
    return {"results": [describe_signed(one) for one in found]}


def _shown(
    connection: Any, visitor: store.Visitor, found: list[store.SignedResult]
) -> list[store.SignedResult]:
    return [
        one
        for one in found
        if store.sees_results(connection, visitor, slide_id=one.slide_id, rater_id=one.rater_id)
    ]


def _signed(state: AppState, visitor: store.Visitor, result_id: int) -> store.SignedResult:
    with state.store.reading() as connection:
        found = _shown(connection, visitor, [store.read_signed(connection, result_id)])
    if not found:
        raise BlindedError(
            "you are still reading this slide blinded", mend="finish your blinded rounds first"
        )
    return found[0]


@router.get("/api/results/{result_id}/result.json", responses={200: {"model": FullResult}})
def result(result_id: RowId, state: StateHere, visitor: VisitorHere) -> Response:
    """Return a signed result with all cells that it rests on."""
    one = _signed(state, visitor, result_id)
    whole: FullResult = {
        **describe_signed(one),
        "content": _content(one),
        "chain": "" if one.chain is None else one.chain.sha256,
    }
    return JSONResponse(whole)


@router.get(
    "/api/results/{result_id}/report.html",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def report(result_id: RowId, state: StateHere, visitor: VisitorHere) -> HTMLResponse:
    """Return the report of a signed result, for print."""
    one = _signed(state, visitor, result_id)
    page, policy = render_signed(one, state.slides.open(one.slide_id), state.tissue(one.slide_id))
    return HTMLResponse(page, headers={"content-security-policy": policy})


@router.get("/api/slides/{slide_id}/hot-spot")
def slide_hot_spot(
    slide_id: SlideId,
    state: StateHere,
    visitor: VisitorHere,
    round: Annotated[int, Query(ge=1, le=(1 << 53) - 1)],  # noqa: A002 the word of the API
    threshold: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
    area_mm2: Annotated[float, Query(gt=0, le=25, allow_inf_nan=False)] = 2.0,
    aspect: Annotated[str, Query(max_length=20)] = "4:3",
) -> Counted:
    """Return the window of an area that holds most figures of those that a round shows me."""
    mine = assignment(state, visitor, round, slide_id=slide_id)
    info = state.slides.info(slide_id)
    size = window_size(area_mm2, aspect=Aspect.parse(aspect), mpp=info.mpp)
    if size.width > info.size.width or size.height > info.size.height:
        raise invalid("the window is larger than the slide", field="area_mm2", mend="choose a smaller area")
    with state.store.reading() as connection:
        found = _read(connection, state, mine, slide_id, by_all=True)
    rule = CaseRule(area_mm2, Aspect.parse(aspect), found.rule.threshold if threshold is None else threshold)
    return _described(found, found.count(rule, None))
