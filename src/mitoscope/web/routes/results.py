"""Signed results: the list, the result with its cells, the report for print."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response

from mitoscope import store
from mitoscope.errors import BlindedError
from mitoscope.web.case_answers import FullResult, Results, describe_signed, signed_content
from mitoscope.web.forms import OptionalId, RowId
from mitoscope.web.signed_report import render_signed
from mitoscope.web.state import AppState, StateHere, VisitorHere

router = APIRouter()


@router.get("/api/results")
def results(state: StateHere, visitor: VisitorHere, slide: OptionalId = None) -> Results:
    """Return the signed results that I may see, the newest first."""
    with state.store.reading() as connection:
        found = shown(connection, visitor, store.read_all_signed(connection, slide))
    return {"results": [describe_signed(one) for one in found]}


def shown(
    connection: Any, visitor: store.Visitor, found: list[store.SignedResult]
) -> list[store.SignedResult]:
    """Return those results that somebody may see."""
    return [
        one
        for one in found
        if store.sees_results(connection, visitor, slide_id=one.slide_id, rater_id=one.rater_id)
    ]


def _signed(state: AppState, visitor: store.Visitor, result_id: int) -> store.SignedResult:
    with state.store.reading() as connection:
        found = shown(connection, visitor, [store.read_signed(connection, result_id)])
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
        "content": signed_content(one),
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
