"""Files that become slides: those of the folders, those that are sent, a sample; what was refused and why.

And the resolutions that files lack.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathPart
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from mitoscope.geometry import MPP_MAX, MPP_MIN, Mpp
from mitoscope.slide.info import OPTION
from mitoscope.store import ActivityKind, state_resolution, write_activity
from mitoscope.web.folders import folder_for_new, remembered
from mitoscope.web.forms import Action, Answer, Done, Name, SlideId
from mitoscope.web.gate import PIECE
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.routes.slides import Slide, describe_slide
from mitoscope.web.sample import SampleState
from mitoscope.web.slides import FOLDERS_MAX_FILES, find_slide_files
from mitoscope.web.state import AppState, LeadHere, StateHere, done_once
from mitoscope.web.uploads import PART_BYTES, SENT_SUFFIXES, SIZE_MAX_BYTES, Upload

router = APIRouter()
CHOSEN_MAX = FOLDERS_MAX_FILES
UploadId = Annotated[str, PathPart(pattern=r"^[0-9a-f]{16}$")]
Offset = Annotated[int, PathPart(ge=0, le=SIZE_MAX_BYTES)]


class RefusedFile(Answer):
    """A file that was not taken into the study, and what to do about it."""

    name: str
    reason: str
    mend: str | None


class IntakeState(Answer):
    """How many files are yet to be looked at, of how many, and those that are no slides of the study.

    Whether the synthetic slide, a sample to try things on, is there; the suffixes of files that can be sent.
    """

    waiting: int
    of: int
    refused: list[RefusedFile]
    sample: SampleState
    suffixes: tuple[str, ...]


class FoundFile(Answer):
    """A file in the folders of the slides that is no slide of the study yet, its folder and its bytes."""

    name: str
    folder: str
    bytes: int


class FoundFiles(Answer):
    """Files that may become slides, and the folder that uploads go to."""

    files: list[FoundFile]
    upload_folder: str


class UploadState(Done):
    """An upload: its number, the name that its file gets, and how many bytes of it are there."""

    upload: str
    name: str
    received: int
    piece_bytes: int


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
        "sample": state.sample.state,
        "suffixes": SENT_SUFFIXES,
    }


@router.get("/api/files")
def files(state: StateHere, lead: LeadHere) -> FoundFiles:  # noqa: ARG001 it must be one
    """Return the files in the folders of the slides that are no slides of the study yet."""
    return {
        "files": [
            {"name": name, "folder": path.parent.name, "bytes": path.stat().st_size}
            for name, path in _found(state).items()
        ],
        "upload_folder": folder_for_new(state.store).name,
    }


def _found(state: AppState) -> dict[str, Path]:
    known = state.slides.records_by_name()
    there = find_slide_files(remembered(state.store))
    return {name: path for name, path in there.items() if name not in known}


class ChosenFiles(Action):
    """Names of files in the folders of the slides."""

    names: Annotated[tuple[Name, ...], Field(min_length=1, max_length=CHOSEN_MAX)]


@router.post("/api/files")
def choose(body: ChosenFiles, state: StateHere, lead: LeadHere) -> Done:
    """Take files of the folders into the study; `/api/intake` tells how far that is."""
    found = _found(state)
    chosen = {name: found[name] for name in body.names if name in found}
    unknown = set(body.names) - chosen.keys() - state.slides.records_by_name().keys()
    if unknown:
        raise invalid("there is no such file in the folders of the slides", field="names")

    def act(connection: Any) -> Done:  # what is chosen is looked at outside of the study
        for name in sorted(chosen):
            write_activity(connection, lead.rater_id, ActivityKind.SLIDES_ADDED, name)
        return {"is_repeated": False}

    done = done_once(state, lead, body.key, f"files {len(body.names)}: {body.names[0]}", act)
    if not done["is_repeated"]:
        state.intake.add(chosen)
    return done


class NewUpload(Action):
    """A slide that is to be sent: its file's name, bytes, and time of change in ms since 1970."""

    name: Name
    bytes: Annotated[int, Field(ge=1, le=SIZE_MAX_BYTES)]
    changed_ms: Annotated[int, Field(ge=0, le=1 << 52)] = 0


def _upload_state(upload: Upload) -> UploadState:
    return {
        "upload": upload.id,
        "name": upload.name,
        "received": upload.received,
        "piece_bytes": PART_BYTES,
        "is_repeated": False,
    }


@router.post("/api/uploads")
def begin_upload(body: NewUpload, state: StateHere, lead: LeadHere) -> UploadState:  # noqa: ARG001
    """Begin to send a slide, or go on where the last piece of the same file ended."""
    folder = folder_for_new(state.store)
    return _upload_state(state.uploads.begin(folder, body.name, body.bytes, changed_ms=body.changed_ms))


_PIECE_BODY = {"requestBody": {"content": {PIECE: {}}, "required": True}}


@router.put("/api/uploads/{upload}/pieces/{offset}", openapi_extra=_PIECE_BODY)
async def put_piece(
    upload: UploadId,
    offset: Offset,
    request: Request,
    state: StateHere,
    lead: LeadHere,  # noqa: ARG001 it must be one
    sha256: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$")] = None,
) -> UploadState:
    """Take the next piece of a slide; one that is there already is not written again."""
    found = state.uploads.get(upload)
    content = await request.body()
    if not 0 < len(content) <= PART_BYTES:
        raise invalid(f"a piece has 1 to {PART_BYTES} bytes", field="offset")
    await run_in_threadpool(state.uploads.append, found, offset, content, sha256=sha256)
    return _upload_state(found)


@router.post("/api/uploads/{upload}/finish")
def finish_upload(upload: UploadId, body: Action, state: StateHere, lead: LeadHere) -> Done:
    """Take a slide that was sent as a whole into the study."""
    found = state.uploads.get(upload)
    path = state.uploads.finish(found)
    is_new = found.name not in state.slides.records_by_name()

    def act(connection: Any) -> Done:
        if is_new:
            write_activity(connection, lead.rater_id, ActivityKind.SLIDES_ADDED, found.name, detail="sent")
        return {"is_repeated": False}

    done = done_once(state, lead, body.key, f"upload {upload}", act)
    if is_new and not done["is_repeated"]:
        state.intake.add({found.name: path})
    return done


@router.delete("/api/uploads/{upload}")
def drop_upload(upload: UploadId, body: Action, state: StateHere, lead: LeadHere) -> Done:  # noqa: ARG001
    """Take back an upload that is not finished."""
    state.uploads.drop(state.uploads.get(upload))
    return {"is_repeated": False}


@router.post("/api/sample")
def make_sample(body: Action, state: StateHere, lead: LeadHere) -> Done:  # noqa: ARG001
    """Make a synthetic slide to try things on, which is called that, and take it into the study."""
    folder = folder_for_new(state.store)
    state.sample.make(folder, lambda path: state.intake.add({path.name: path}))
    return {"is_repeated": False}


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
        kind, detail = ActivityKind.RESOLUTION_STATED, f"{body.mpp:g} µm per pixel"
        write_activity(connection, lead.rater_id, kind, shown.record.name, detail=detail)
        return {"is_repeated": False}

    done = done_once(state, lead, body.key, f"resolution of slide {slide_id}", act)
    state.slides.forget(slide_id)
    state.tissues.pop(slide_id, None)
    return {**done, "slide": describe_slide(state.slides.get(slide_id))}
