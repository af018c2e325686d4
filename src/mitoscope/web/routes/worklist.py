"""The slides as a list to work from: tags, how far I am on each, and what was counted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from mitoscope import store
from mitoscope.web.forms import Action, Answer, Done, Name, SlideId
from mitoscope.web.routes.rounds import slide_progress
from mitoscope.web.state import LeadHere, StateHere, VisitorHere, done_once

router = APIRouter()
TAGS_MAX = 20
_QUEUES = (
    store.RoundKind.SECOND_READ,
    store.RoundKind.CONSENSUS,
    store.RoundKind.THIRD_EXPERT,
    store.RoundKind.CANDIDATE_REVIEW,
)
"""In which cells wait to be labelled: elsewhere it is not told how many others have found."""


class ListedSlide(Answer):
    """A slide: its tags, the cells that I have labelled of those that wait for me, the last signed count.

    The count is null where none is signed, or where I may not see it yet.
    """

    id: int
    tags: list[str]
    labelled: int
    cells: int
    count: int | None


class SlideList(Answer):
    """The slides of my rounds; of a lead all."""

    slides: list[ListedSlide]


class TagsSet(Done):
    """The tags of a slide from now on, in order."""

    tags: list[str]


@router.get("/api/slides")
def slides(state: StateHere, visitor: VisitorHere) -> SlideList:
    """Return how each slide stands, as I may see it."""
    with state.store.reading() as connection:
        tags = store.read_tags(connection)
        ids = sorted(store.slides_of(connection, visitor))
        done = _done(connection, visitor.rater_id)
        counts = _counts(connection, visitor)
    return {
        "slides": [
            {
                "id": id_,
                "tags": tags.get(id_, []),
                "labelled": done[id_].labelled if id_ in done else 0,
                "cells": done[id_].cells if id_ in done else 0,
                "count": counts.get(id_),
            }
            for id_ in ids
        ]
    }


def _done(connection: Any, rater_id: int) -> dict[int, store.Progress]:
    """Return what somebody has labelled on each slide of the cells that wait in the own open rounds."""
    assigned = store.read_assignments(connection)
    found: dict[int, store.Progress] = {}
    for id_, row in store.read_round_rows(connection).items():
        if row.kind not in _QUEUES or not row.terms.is_open or rater_id not in assigned.get(id_, []):
            continue
        for slide_id, more in slide_progress(connection, row, rater_id).items():
            before = found.get(slide_id, store.Progress(0, 0))
            found[slide_id] = store.Progress(before.labelled + more.labelled, before.cells + more.cells)
    return found


def _counts(connection: Any, visitor: store.Visitor) -> dict[int, int]:
    """Return the last signed count of each slide that somebody may see."""
    found: dict[int, int] = {}
    for result in store.read_all_signed(connection):
        if result.slide_id in found or not isinstance(result.content.get("count"), int):
            continue
        if store.sees_result(connection, visitor, result):
            found[result.slide_id] = result.content["count"]
    return found


class NewTags(Action):
    """The tags that a slide is to have."""

    tags: Annotated[list[Name], Field(max_length=TAGS_MAX)]


@router.put("/api/slides/{slide_id}/tags")
def set_tags(slide_id: SlideId, body: NewTags, state: StateHere, lead: LeadHere) -> TagsSet:
    """Give a slide these tags in place of those that it has."""
    state.slides.get(slide_id)

    def act(connection: Any) -> TagsSet:
        return {"tags": store.write_tags(connection, slide_id, body.tags), "is_repeated": False}

    return done_once(state, lead, body.key, f"tags of slide {slide_id}", act)
