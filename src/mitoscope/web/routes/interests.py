"""Regions of interest, and their pixels as a lossless TIFF with resolution tags."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tifffile
from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from numpy.typing import NDArray
from pydantic import Field
from starlette.background import BackgroundTask

from mitoscope.errors import OutputError
from mitoscope.exchange import result_stem
from mitoscope.geometry import Aspect, BoxPx, BoxPx0, Mpp, SizePx
from mitoscope.slide import Slide
from mitoscope.store import (
    Interest,
    Role,
    Visitor,
    add_interest,
    check_drawn,
    read_interest,
    read_interests,
    remove_interest,
    restore_interest,
)
from mitoscope.web.deep_zoom import read_scaled
from mitoscope.web.forms import Action, Answer, Coordinate, Done, Name, RowId, SlideId, described
from mitoscope.web.routes.regions import scale_of
from mitoscope.web.state import AppState, DrawerHere, LookerHere, StateHere, VisitorHere, done_once

router = APIRouter()
_ID = "region of interest"
"""A kind of numbers that go out veiled."""
INTEREST_MM2 = 2.0
"""Area of a region of interest by default (MIDOG)."""
AREA_MAX_MM2 = 25.0
"""A region of interest of 25 mm² has 400 megapixels at 0.25 µm/px."""
TILE_PX = 512
_UM_PER_CM = 10_000.0


class InterestRecord(Answer):
    """A region of interest: upper left corner and size in level-0 px; the mm² are null without an mpp.

    Its pixels lie at the address ``tiff``. What is mine to take away a rater has placed; a lead may take all.
    """

    id: int
    name: str
    slide: int
    x: float
    y: float
    width: float
    height: float
    area_mm2: float | None
    is_mine: bool
    tiff: str


class Interests(Answer):
    """The regions of interest of a slide."""

    interests: list[InterestRecord]


class InterestPlaced(Done):
    """A region of interest that was placed."""

    interest: InterestRecord


class NewInterest(Action):
    """A region of interest: its upper left corner, area and form."""

    name: Name | None = None
    x: Coordinate
    y: Coordinate
    area_mm2: Annotated[float, Field(gt=0, le=AREA_MAX_MM2)] = INTEREST_MM2
    aspect: Annotated[str, Field(max_length=20)] = "4:3"


def _interest(state: AppState, visitor: Visitor, interest: Interest, mpp: Mpp | None) -> InterestRecord:
    box, id_ = interest.box_px0, state.veil.hide(_ID, interest.id)
    return described(
        InterestRecord,
        interest,
        id=id_,
        slide=interest.slide_id,
        **asdict(box),
        area_mm2=None if mpp is None else box.area_mm2(mpp),
        is_mine=visitor.role is Role.LEAD or interest.rater_id == visitor.rater_id,
        tiff=f"/api/interests/{id_}.tiff",
    )


@router.get("/api/slides/{slide_id}/interests")
def interests(slide_id: SlideId, state: StateHere, visitor: LookerHere) -> Interests:
    """Return the regions of interest of a slide."""
    mpp, _ = scale_of(state, slide_id)
    with state.store.reading() as connection:
        found = read_interests(connection, slide_id)
    return {"interests": [_interest(state, visitor, interest, mpp) for interest in found]}


@router.post("/api/slides/{slide_id}/interests")
def place(slide_id: SlideId, body: NewInterest, state: StateHere, visitor: DrawerHere) -> InterestPlaced:
    """Place a region of interest; it stays on the slide."""
    info = state.slides.info(slide_id)
    width_um, height_um = Aspect.parse(body.aspect).size_um(body.area_mm2)
    width, height = round(width_um / info.mpp.x), round(height_um / info.mpp.y)
    box = BoxPx0(
        float(np.clip(round(body.x), 0, max(0, info.size.width - width))),
        float(np.clip(round(body.y), 0, max(0, info.size.height - height))),
        min(width, info.size.width),
        min(height, info.size.height),
    )

    def act(connection: Any) -> InterestPlaced:
        name = body.name or f"{body.area_mm2:g} mm²"
        added = add_interest(connection, slide_id, box, rater_id=visitor.rater_id, name=name)
        return {"interest": _interest(state, visitor, added, info.mpp), "is_repeated": False}

    return done_once(state, visitor, body.key, f"interest on {slide_id}", act)


@router.delete("/api/interests/{interest_id}")
def remove(interest_id: RowId, body: Action, state: StateHere, visitor: VisitorHere) -> Done:
    """Take a region of interest of mine away."""
    id_ = state.veil.find(_ID, interest_id)

    def act(connection: Any) -> Done:
        placed = read_interest(connection, id_)
        check_drawn(connection, visitor, slide_id=placed.slide_id, rater_id=placed.rater_id)
        remove_interest(connection, id_)
        return {"is_repeated": False}

    return done_once(state, visitor, body.key, f"removal of interest {interest_id}", act)


@router.post("/api/interests/{interest_id}/restore")
def restore(interest_id: RowId, body: Action, state: StateHere, visitor: VisitorHere) -> InterestPlaced:
    """Take the removal of a region of interest of mine back."""

    def act(connection: Any) -> InterestPlaced:
        back = restore_interest(connection, state.veil.find(_ID, interest_id))
        check_drawn(connection, visitor, slide_id=back.slide_id, rater_id=back.rater_id)
        mpp, _ = scale_of(state, back.slide_id)
        return {"interest": _interest(state, visitor, back, mpp), "is_repeated": False}

    return done_once(state, visitor, body.key, f"restoring of interest {interest_id}", act)


@router.get(
    "/api/interests/{interest_id}.tiff",
    response_class=Response,
    responses={200: {"content": {"image/tiff": {}}}},
)
def tiff(
    interest_id: RowId,
    state: StateHere,
    visitor: VisitorHere,
    level: Annotated[int, Query(ge=0, le=8)] = 0,
) -> Response:
    """Return the pixels of a region of interest as a TIFF with resolution tags."""
    with state.store.reading() as connection:
        found = read_interest(connection, state.veil.find(_ID, interest_id))
    state.check_slide(visitor, found.slide_id)
    path = write_roi(state.slides.open(found.slide_id), found.box_px0, factor=1 << level)
    stem = result_stem(state.slides.info(found.slide_id).name)
    return FileResponse(
        path,
        media_type="image/tiff",
        filename=f"{stem}_{interest_id}.tiff",
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


def write_roi(slide: Slide, box_px0: BoxPx0, *, factor: int = 1) -> Path:
    """Write a part of a slide to a temporary TIFF of `factor` level-0 px a pixel; the caller removes it.

    A row of tiles is in memory at a time. What is outside the slide is white.

    Raises
    ------
    OutputError
        If there is no room for it.
    """
    x, y = round(box_px0.x), round(box_px0.y)
    size = SizePx(max(1, round(box_px0.width / factor)), max(1, round(box_px0.height / factor)))
    mpp = slide.info.mpp
    with tempfile.NamedTemporaryFile(prefix="mitoscope-", suffix=".tiff", delete=False) as stream:
        path = Path(stream.name)
    try:
        tifffile.imwrite(
            path,
            _tiles(slide, x, y, size, factor),
            shape=(size.height, size.width, 3),
            dtype=np.uint8,
            tile=(TILE_PX, TILE_PX),
            photometric="rgb",
            compression="zlib",
            resolution=(_UM_PER_CM / (mpp.x * factor), _UM_PER_CM / (mpp.y * factor)),
            resolutionunit="CENTIMETER",
            description=f"{_ascii(slide.info.name)}: from x {x}, y {y} px0",
            metadata=None,
            software="mitoscope",
        )
    except OSError as error:
        path.unlink(missing_ok=True)
        mend = "free space in the folder for temporary files"
        raise OutputError(f"cannot be written ({error.strerror})", where="TIFF", mend=mend) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _ascii(name: str) -> str:
    return name.encode("ascii", "replace").decode("ascii")


def _tiles(slide: Slide, x: int, y: int, size: SizePx, factor: int) -> Iterator[NDArray[np.uint8]]:
    for top in range(0, size.height, TILE_PX):
        for left in range(0, size.width, TILE_PX):
            tile = np.full((TILE_PX, TILE_PX, 3), 255, dtype=np.uint8)
            width, height = min(TILE_PX, size.width - left), min(TILE_PX, size.height - top)
            box = BoxPx(x + left * factor, y + top * factor, width * factor, height * factor)
            tile[:height, :width] = read_scaled(slide, box, SizePx(width, height))
            yield tile
