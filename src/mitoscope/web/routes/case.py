"""The case view: candidates above a threshold, the hot spot, and the signed mitotic count."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import Field
from typing_extensions import TypedDict

from mitoscope.count.hot_spot import window_size
from mitoscope.errors import BlindedError
from mitoscope.geometry import Aspect, BoxPx0
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.store import Store
from mitoscope.store.access import Visitor
from mitoscope.store.cells_seen import cells_seen
from mitoscope.store.sight import Assignment, sees_results
from mitoscope.store.signed import SignedResult, read_all_signed, read_signed, sign
from mitoscope.store.vocabulary import intern_labels
from mitoscope.web.case_count import (
    THRESHOLD,
    Candidates,
    case_candidates,
    case_window,
    count_in,
    hottest,
)
from mitoscope.web.forms import (
    Action,
    Body,
    Coordinate,
    Done,
    OptionalId,
    RoundId,
    RowId,
    Score,
    SlideId,
    Text,
    exact,
)
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.signed_report import render_signed
from mitoscope.web.state import AppState, StateHere, VisitorHere, assignment, done_once, work_in

router = APIRouter()
_PATH = "/api/rounds/{round_id}/slides/{slide_id}/case"


Verdict = Literal[-1, 0, 1]
"""-1: rejected, 0: nothing was said, 1: called a mitotic figure."""


@exact
class CountWindow(TypedDict):
    """What is counted over: a size in level-0 px, its mm², and width to height as in ``4:3``."""

    width: int
    height: int
    area_mm2: float
    aspect: str


@exact
class HotSpot(TypedDict):
    """The upper left corner of the window that holds most figures, in level-0 px, and their number."""

    x: float
    y: float
    count: int


@exact
class HotSpotBox(HotSpot):
    """A hot spot with its width and height in level-0 px and its area in mm²."""

    width: float
    height: float
    area_mm2: float


@exact
class WindowBox(TypedDict):
    """Where a window lies, in level-0 px."""

    x: float
    y: float
    width: float
    height: float


@exact
class SignedBase(TypedDict):
    """What was counted: figures above a threshold in a window, and what became of the candidates."""

    count: int
    threshold: float
    window: WindowBox
    area_mm2: float
    candidates: int
    accepted: int
    rejected: int
    comment: str


@exact
class SignedCell(TypedDict):
    """A cell under a result: its centre in level-0 px, a model's score, and what the rater made of it."""

    x: float
    y: float
    score: float | None
    verdict: Verdict
    is_counted: bool


@exact
class SignedCount(SignedBase):
    """A count with its cells, and the figures on the whole slide."""

    figures: int
    cells: list[SignedCell]


@exact
class SignedContent(SignedCount):
    """A result as it was signed: the slide and its file, the mm² of tissue in the window, the last event."""

    slide: str
    fingerprint: str
    covered_mm2: float
    version: int


@exact
class Result(SignedBase):
    """A signed result without its cells: who signed it and when, in seconds since 1970, and where it lies."""

    id: int
    slide: int
    round: int
    rater_name: str
    time_s: float
    report: str
    manifest: str


@exact
class FullResult(Result):
    """A signed result with what was signed."""

    content: SignedContent


@exact
class Results(TypedDict):
    """Signed results, the newest first."""

    results: list[Result]


@exact
class Signed(Done):
    """A result that was signed."""

    result: Result


@exact
class Case(TypedDict):
    """A case: the hot spot at the round's threshold, the mm² of tissue, and the results so far.

    The floor is the lowest score of a candidate, null where there is none.
    """

    threshold: float
    window: CountWindow
    hot_spot: HotSpot
    tissue_mm2: float
    floor: float | None
    mitotic_label: int
    results: list[Result]


def figure_label(store: Store) -> int:
    """Return the id of the label mitotic figure in a study."""
    with store.writing() as connection:
        return int(intern_labels(connection, LabelSet((MITOTIC_FIGURE,)))[0])


def _candidates(state: AppState, mine: Assignment, slide_id: int, figure_id: int) -> Candidates:
    with state.store.reading() as connection:
        cells = cells_seen(connection, mine.sight, slide_id)
    return case_candidates(cells, figure_id=figure_id)


@router.get(_PATH)
def case(round_id: RoundId, slide_id: SlideId, state: StateHere, visitor: VisitorHere) -> Case:
    """Return what is counted over, the hot spot at the round's threshold, and the results so far."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    info = state.slides.info(slide_id)
    figure_id = figure_label(state.store)
    window, area, aspect = case_window(mine.row.terms, info)
    threshold = float(mine.row.terms.settings.get("threshold", THRESHOLD))
    found = _candidates(state, mine, slide_id, figure_id)
    tissue = state.tissue(slide_id)
    box, count = hottest(found, threshold, window=window, info=info, tissue=tissue)
    with state.store.reading() as connection:
        signed = _shown(connection, visitor, read_all_signed(connection, slide_id))
    scores = found.score[np.isfinite(found.score)]
    return {
        "threshold": threshold,
        "window": {
            "width": window.width,
            "height": window.height,
            "area_mm2": area,
            "aspect": f"{aspect.width:g}:{aspect.height:g}",
        },
        "hot_spot": {"x": box.x, "y": box.y, "count": count},
        "tissue_mm2": tissue.area_mm2,
        "floor": float(scores.min()) if len(scores) else None,
        "mitotic_label": figure_id,
        "results": [describe_signed(one) for one in signed],
    }


class Threshold(Body):
    """Where the slider stands."""

    threshold: Score


@router.post(f"{_PATH}/hot-spot")
def hot_spot(
    round_id: RoundId, slide_id: SlideId, body: Threshold, state: StateHere, visitor: VisitorHere
) -> HotSpot:
    """Return the hot spot at another threshold; this changes nothing."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    info = state.slides.info(slide_id)
    window, _, _ = case_window(mine.row.terms, info)
    found = _candidates(state, mine, slide_id, figure_label(state.store))
    box, count = hottest(found, body.threshold, window=window, info=info, tissue=state.tissue(slide_id))
    return {"x": box.x, "y": box.y, "count": count}


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
    info = state.slides.info(slide_id)
    window, area, _ = case_window(mine.row.terms, info)
    box = BoxPx0(body.x, body.y, window.width, window.height)
    figure_id = figure_label(state.store)
    tissue = state.tissue(slide_id)

    def act(connection: Any) -> Signed:
        cells = cells_seen(connection, mine.sight, slide_id)
        found = case_candidates(cells, figure_id=figure_id)
        count = count_in(found, body.threshold, box)
        if count != body.count:
            what = f"{count} mitotic figures lie in this window, not {body.count}"
            raise Refusal(409, "conflict", what, mend="look at the window again and sign", count=count)
        content: SignedContent = {
            **_count(found, body, box, area),
            "slide": info.name,
            "fingerprint": info.fingerprint,
            "covered_mm2": tissue.area_in(box),
            "version": cells.version,
        }
        done = sign(
            connection, dict(content), slide_id=slide_id, round_id=round_id, rater_id=visitor.rater_id
        )
        return {"result": describe_signed(done), "is_repeated": False}

    return done_once(state, visitor, body.key, f"signature {round_id}/{slide_id}", act)


def _count(found: Candidates, body: Signature, box: BoxPx0, area_mm2: float) -> SignedCount:
    counted = found.counted(body.threshold)
    order = np.lexsort((found.points_px0[:, 0], found.points_px0[:, 1]))
    rows = [row for row in order.tolist() if counted[row] or found.verdict[row] != 0]
    return {
        "count": body.count,
        "threshold": body.threshold,
        "window": {"x": box.x, "y": box.y, "width": box.width, "height": box.height},
        "area_mm2": area_mm2,
        "candidates": int(np.isfinite(found.score).sum()),
        "accepted": int((found.verdict == 1).sum()),
        "rejected": int((found.verdict == -1).sum()),
        "figures": int(counted.sum()),
        "comment": body.comment,
        "cells": [
            {
                "x": float(found.points_px0[row, 0]),
                "y": float(found.points_px0[row, 1]),
                "score": None if np.isnan(found.score[row]) else float(found.score[row]),
                "verdict": cast("Verdict", int(found.verdict[row])),
                "is_counted": bool(counted[row]),
            }
            for row in rows
        ],
    }


def _content(one: SignedResult) -> SignedContent:
    return cast("SignedContent", one.content)  # nothing else is ever signed


def describe_signed(one: SignedResult) -> Result:
    """Return a signed result without its cells."""
    content = _content(one)
    return {
        "id": one.id,
        "slide": one.slide_id,
        "round": one.round_id,
        "rater_name": one.rater,
        "time_s": one.time_s,
        "count": content["count"],
        "threshold": content["threshold"],
        "window": content["window"],
        "area_mm2": content["area_mm2"],
        "candidates": content["candidates"],
        "accepted": content["accepted"],
        "rejected": content["rejected"],
        "comment": content["comment"],
        "report": f"/api/results/{one.id}/report.html",
        "manifest": f"/api/results/{one.id}/result.json",
    }


@router.get("/api/results")
def results(state: StateHere, visitor: VisitorHere, slide: OptionalId = None) -> Results:
    """Return the signed results that I may see, the newest first."""
    with state.store.reading() as connection:
        found = _shown(connection, visitor, read_all_signed(connection, slide))
    return {"results": [describe_signed(one) for one in found]}


def _shown(connection: Any, visitor: Visitor, found: list[SignedResult]) -> list[SignedResult]:
    return [
        one
        for one in found
        if sees_results(connection, visitor, slide_id=one.slide_id, rater_id=one.rater_id)
    ]


def _signed(state: AppState, visitor: Visitor, result_id: int) -> SignedResult:
    with state.store.reading() as connection:
        found = _shown(connection, visitor, [read_signed(connection, result_id)])
    if not found:
        raise BlindedError(
            "you are still reading this slide blinded", mend="finish your blinded rounds first"
        )
    return found[0]


@router.get("/api/results/{result_id}/result.json", responses={200: {"model": FullResult}})
def result(result_id: RowId, state: StateHere, visitor: VisitorHere) -> Response:
    """Return a signed result with all cells that it rests on."""
    one = _signed(state, visitor, result_id)
    whole: FullResult = {**describe_signed(one), "content": _content(one)}
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
    threshold: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = THRESHOLD,
    area_mm2: Annotated[float, Query(gt=0, le=25, allow_inf_nan=False)] = 2.0,
    aspect: Annotated[str, Query(max_length=20)] = "4:3",
) -> HotSpotBox:
    """Return the window of an area that holds most figures of those that a round shows me."""
    mine = assignment(state, visitor, round, slide_id=slide_id)
    info = state.slides.info(slide_id)
    size = window_size(area_mm2, aspect=Aspect.parse(aspect), mpp=info.mpp)
    if size.width > info.size.width or size.height > info.size.height:
        raise invalid("the window is larger than the slide", field="area_mm2", mend="choose a smaller area")
    figure_id = figure_label(state.store)
    with state.store.reading() as connection:
        cells = cells_seen(connection, mine.sight, slide_id)
    found = case_candidates(cells, figure_id=figure_id, is_verdict=cells.label_id > 0)
    box, count = hottest(found, threshold, window=size, info=info, tissue=None)
    return {
        "x": box.x,
        "y": box.y,
        "width": box.width,
        "height": box.height,
        "count": count,
        "area_mm2": box.area_mm2(info.mpp),
    }
