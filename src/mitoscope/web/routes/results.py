"""Signed results: the list, the result with its cells, the report for print."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response

from mitoscope import store
from mitoscope.web.forms import OptionalId, RowId
from mitoscope.web.refusal import no_such
from mitoscope.web.signed_answers import FullResult, Results, describe_signed, signed_content
from mitoscope.web.signed_report import render_signed
from mitoscope.web.state import AppState, StateHere, VisitorHere

router = APIRouter()
RESULT_ID = "result"
"""A kind of numbers that go out veiled."""


@router.get("/api/results")
def results(state: StateHere, visitor: VisitorHere, slide: OptionalId = None) -> Results:
    """Return the signed results that I may see, the newest first."""
    with state.store.reading() as connection:
        found = shown(connection, state, visitor, store.read_all_signed(connection, slide))
    return {"results": [describe_signed(result) for result in found]}


def shown(
    connection: Any, state: AppState, visitor: store.Visitor, found: list[store.SignedResult]
) -> list[store.SignedResult]:
    """Return those results that somebody may see."""
    return [outside(state, result) for result in found if store.sees_result(connection, visitor, result)]


def outside(state: AppState, result: store.SignedResult) -> store.SignedResult:
    """Return a result under its number outside, which does not tell how many there are."""

    def hidden(number: int | None) -> int | None:
        return None if number is None else state.veil.hide(RESULT_ID, number)

    content = {**result.content, "replaces": hidden(result.replaces)}
    id_, by = state.veil.hide(RESULT_ID, result.id), hidden(result.replaced_by)
    return replace(result, id=id_, content=content, replaced_by=by)


def _signed(state: AppState, visitor: store.Visitor, result_id: int) -> store.SignedResult:
    with state.store.reading() as connection:
        one = store.read_signed(connection, state.veil.find(RESULT_ID, result_id))
        (found,) = shown(connection, state, visitor, [one]) or (None,)
        knows_all = store.is_unblinded(connection, visitor)
    if found is None:
        raise no_such("result")  # not even that there is one
    if not knows_all:
        content = {name: value for name, value in found.content.items() if name != "version"}
        found = replace(found, content=content)  # the number of events tells of others' work
    return found


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
