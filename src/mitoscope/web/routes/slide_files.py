"""Files that become slides: what was taken in, what was refused and why, and resolutions that files lack."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from mitoscope.geometry import MPP_MAX, MPP_MIN, Mpp
from mitoscope.slide.info import OPTION
from mitoscope.store import state_resolution
from mitoscope.web.forms import Action, Answer, Done, SlideId
from mitoscope.web.refusal import Refusal
from mitoscope.web.routes.slides import Slide, describe_slide
from mitoscope.web.state import LeadHere, StateHere, done_once

router = APIRouter()


class RefusedFile(Answer):
    """A file that was not taken into the study, and what to do about it."""

    name: str
    reason: str
    mend: str | None


class IntakeState(Answer):
    """How many files are yet to be looked at, of how many, and those that are no slides of the study."""

    waiting: int
    of: int
    refused: list[RefusedFile]


@router.get("/api/intake")
def intake(state: StateHere, lead: LeadHere) -> IntakeState:  # noqa: ARG001 it must be one
    """Return how far the files of the folders are taken into the study."""
    now = state.intake
    return {
        "waiting": now.of - now.done,
        "of": now.of,
        "refused": [
            {"name": name, "reason": error.what, "mend": error.mend} for name, error in now.refused.items()
        ],
    }


class Resolution(Action):
    """The µm a level-0 pixel of a slide whose file does not state it."""

    mpp: Annotated[float, Field(ge=MPP_MIN, le=MPP_MAX)]


class ResolutionSet(Done):
    """A slide with its resolution from now on."""

    slide: Slide


@router.put("/api/slides/{slide_id}/resolution")
def set_resolution(slide_id: SlideId, body: Resolution, state: StateHere, lead: LeadHere) -> ResolutionSet:
    """State the resolution of a slide whose file states none; one that a file states is not replaced."""
    shown = state.slides.get(slide_id)
    if shown.state != "unscaled" and (shown.info is None or shown.info.mpp_source != OPTION):
        what = f"{shown.record.name} states its resolution itself, or cannot be read"
        raise Refusal(409, "conflict", what, mend="start again with --mpp-override to replace what it states")

    def act(connection: Any) -> Done:
        state_resolution(connection, slide_id, Mpp.square(body.mpp))
        return {"is_repeated": False}

    done = done_once(state, lead, body.key, f"resolution of slide {slide_id}", act)
    state.slides.forget(slide_id)
    state.tissues.pop(slide_id, None)
    return {**done, "slide": describe_slide(state.slides.get(slide_id))}
