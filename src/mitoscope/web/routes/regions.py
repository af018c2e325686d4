"""Regions of tumour and exclusion with their area, and regions of interest with their pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from pydantic import Field
from starlette.background import BackgroundTask

from mitoscope.errors import ConflictError
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx
from mitoscope.store import RegionKind
from mitoscope.store.interest import Interest, add_interest, read_interest, read_interests, remove_interest
from mitoscope.store.region_edit import (
    DrawnRegion,
    delete_region,
    draw_region,
    edit_region,
    net_area_mm2,
    read_region,
    read_regions,
    restore_region,
)
from mitoscope.store.vocabulary import read_raters
from mitoscope.web.answers.done import Done
from mitoscope.web.bodies import Action, Coordinate, Name, RowId, SlideId, Vertices
from mitoscope.web.desk import Desk, DeskHere, VisitorHere, done_once
from mitoscope.web.refusal import Refusal, there_is
from mitoscope.web.roi_file import write_roi

router = APIRouter()
INTEREST_MM2 = 2.0
"""Area of a region of interest by default (MIDOG)."""
AREA_MAX_MM2 = 25.0
"""A region of interest of 25 mm² has 400 megapixels at 0.25 µm/px."""


@exact
class Region(TypedDict):
    """A region: vertices in level-0 px, not closed; its area in mm², and the number of its last change."""

    id: int
    kind: RegionKind
    name: str
    vertices: list[Pair]
    area_mm2: float | None
    seen: int


@exact
class Regions(TypedDict):
    """The regions of a slide, and the mm² of tumour without exclusions; null where the mpp is not known."""

    regions: list[Region]
    area_mm2: float | None


@exact
class RegionSet(Done):
    """A region that was drawn, changed or restored, and the mm² of tumour without exclusions since."""

    region: Region
    area_mm2: float | None


@exact
class RegionDeleted(Done):
    """A region that is gone, and the mm² of tumour without exclusions since."""

    region: None
    area_mm2: float | None


@exact
class InterestRecord(TypedDict):
    """A region of interest: upper left corner and size in level-0 px; the mm² are null without an mpp.

    Its pixels lie at the address ``tiff``.
    """

    id: int
    name: str
    slide: int
    x: float
    y: float
    width: float
    height: float
    area_mm2: float | None
    rater_name: str
    tiff: str


@exact
class Interests(TypedDict):
    """The regions of interest of a slide."""

    interests: list[InterestRecord]


@exact
class InterestPlaced(Done):
    """A region of interest that was placed."""

    interest: InterestRecord


class NewRegion(Action):
    """A region to be drawn."""

    kind: RegionKind
    name: Name | None = None
    vertices: Vertices


class ChangedRegion(Action):
    """What is to be different in a region."""

    expected: int
    kind: RegionKind | None = None
    name: Name | None = None
    vertices: Vertices | None = None


class SeenRegion(Action):
    """A region as it was seen."""

    expected: int


def _scale(desk: Desk, slide_id: int) -> tuple[Mpp | None, SizePx | None]:
    shown = desk.shelf.get(slide_id)
    if shown.info is not None:
        return shown.info.mpp, shown.info.size
    return shown.record.mpp, shown.record.size


def _described(region: DrawnRegion, mpp: Mpp | None, size: SizePx | None) -> Region:
    return {
        "id": region.id,
        "kind": region.kind,
        "name": region.name,
        "vertices": region.vertices_px0.tolist(),
        "area_mm2": None if mpp is None else region.area_mm2(mpp, size),
        "seen": region.seen,
    }


def _area(connection: Any, slide_id: int, mpp: Mpp | None, size: SizePx | None) -> float | None:
    return None if mpp is None else net_area_mm2(read_regions(connection, slide_id), mpp, size)


@router.get("/api/slides/{slide_id}/regions")
def regions(slide_id: SlideId, desk: DeskHere, visitor: VisitorHere) -> Regions:  # noqa: ARG001
    """Return the regions of a slide, and the area of tumour without exclusions."""
    mpp, size = _scale(desk, slide_id)
    with desk.store.reading() as connection:
        found = read_regions(connection, slide_id)
        area = _area(connection, slide_id, mpp, size)
    return {"regions": [_described(one, mpp, size) for one in found], "area_mm2": area}


@router.post("/api/slides/{slide_id}/regions")
def draw(slide_id: SlideId, body: NewRegion, desk: DeskHere, visitor: VisitorHere) -> RegionSet:
    """Draw a region."""
    mpp, size = _scale(desk, slide_id)

    def act(connection: Any) -> RegionSet:
        new = DrawnRegion(0, slide_id, body.kind, body.name or str(body.kind), np.array(body.vertices))
        drawn = draw_region(connection, new, visitor.rater_id)
        area = _area(connection, slide_id, mpp, size)
        return {"region": _described(drawn, mpp, size), "area_mm2": area, "is_repeated": False}

    return done_once(desk, visitor, body.key, f"region on {slide_id}", act)


def _found(desk: Desk, region_id: int) -> DrawnRegion:
    with desk.store.reading() as connection, there_is("region"):
        return read_region(connection, region_id)


def _conflict(desk: Desk, region_id: int, error: ConflictError) -> Refusal:
    if error.where == "key":
        return Refusal(409, "key_used", error.what, mend=error.mend)
    present = _found(desk, region_id)
    described = _described(present, *_scale(desk, present.slide_id))
    return Refusal(409, "conflict", error.what, mend=error.mend, region=described)


@router.put("/api/regions/{region_id}")
def edit(region_id: RowId, body: ChangedRegion, desk: DeskHere, visitor: VisitorHere) -> RegionSet:
    """Change a region that nobody has changed since I saw it."""
    present = _found(desk, region_id)
    mpp, size = _scale(desk, present.slide_id)
    changed = replace(
        present,
        kind=body.kind or present.kind,
        name=body.name or present.name,
        vertices_px0=present.vertices_px0 if body.vertices is None else np.array(body.vertices),
    )

    def act(connection: Any) -> RegionSet:
        done = edit_region(connection, changed, visitor.rater_id, expected=body.expected)
        area = _area(connection, present.slide_id, mpp, size)
        return {"region": _described(done, mpp, size), "area_mm2": area, "is_repeated": False}

    try:
        return done_once(desk, visitor, body.key, f"edit of region {region_id}", act)
    except ConflictError as error:
        raise _conflict(desk, region_id, error) from None


@router.delete("/api/regions/{region_id}")
def delete(region_id: RowId, body: SeenRegion, desk: DeskHere, visitor: VisitorHere) -> RegionDeleted:
    """Take a region away; it can be restored."""
    scales = _scales_of(desk, region_id)

    def act(connection: Any) -> RegionDeleted:
        slide_id = read_region(connection, region_id).slide_id
        delete_region(connection, region_id, visitor.rater_id, expected=body.expected)
        mpp, size = scales.get(slide_id, (None, None))
        area = _area(connection, slide_id, mpp, size)
        return {"region": None, "area_mm2": area, "is_repeated": False}

    try:
        with there_is("region"):
            return done_once(desk, visitor, body.key, f"deletion of region {region_id}", act)
    except ConflictError as error:
        raise _conflict(desk, region_id, error) from None


@router.post("/api/regions/{region_id}/restore")
def restore(region_id: RowId, body: Action, desk: DeskHere, visitor: VisitorHere) -> RegionSet:
    """Take the deletion of a region back."""
    scales = _scales_of(desk, region_id)

    def act(connection: Any) -> RegionSet:
        done = restore_region(connection, region_id, visitor.rater_id)
        mpp, size = scales.get(done.slide_id, (None, None))
        area = _area(connection, done.slide_id, mpp, size)
        return {"region": _described(done, mpp, size), "area_mm2": area, "is_repeated": False}

    with there_is("region"):
        return done_once(desk, visitor, body.key, f"restoring of region {region_id}", act)


def _scales_of(desk: Desk, region_id: int) -> dict[int, tuple[Mpp | None, SizePx | None]]:
    """Return the scale of the slide that a region is or was on, by the slide's id."""
    sql = (
        "SELECT slide_id FROM region WHERE id = ?1 "
        "UNION SELECT slide_id FROM region_event WHERE region_id = ?1"
    )
    with desk.store.reading() as connection:
        slides = [one for (one,) in connection.execute(sql, (region_id,))]
    return {slide: _scale(desk, slide) for slide in slides}


class NewInterest(Action):
    """A region of interest: its upper left corner, area and form."""

    name: Name | None = None
    x: Coordinate
    y: Coordinate
    area_mm2: Annotated[float, Field(gt=0, le=AREA_MAX_MM2)] = INTEREST_MM2
    aspect: Annotated[str, Field(max_length=20)] = "4:3"


def _interest(one: Interest, mpp: Mpp | None, names: dict[int, str]) -> InterestRecord:
    box = one.box_px0
    return {
        "id": one.id,
        "name": one.name,
        "slide": one.slide_id,
        "x": box.x,
        "y": box.y,
        "width": box.width,
        "height": box.height,
        "area_mm2": None if mpp is None else box.area_mm2(mpp),
        "rater_name": names[one.rater_id],
        "tiff": f"/api/interests/{one.id}.tiff",
    }


def _names(connection: Any) -> dict[int, str]:
    return {id_: one.name for id_, one in read_raters(connection).items()}


@router.get("/api/slides/{slide_id}/interests")
def interests(slide_id: SlideId, desk: DeskHere, visitor: VisitorHere) -> Interests:  # noqa: ARG001
    """Return the regions of interest of a slide."""
    mpp, _ = _scale(desk, slide_id)
    with desk.store.reading() as connection:
        names = _names(connection)
        return {"interests": [_interest(one, mpp, names) for one in read_interests(connection, slide_id)]}


@router.post("/api/slides/{slide_id}/interests")
def place(slide_id: SlideId, body: NewInterest, desk: DeskHere, visitor: VisitorHere) -> InterestPlaced:
    """Place a region of interest; it stays on the slide."""
    info = desk.shelf.info(slide_id)
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
        return {"interest": _interest(added, info.mpp, _names(connection)), "is_repeated": False}

    return done_once(desk, visitor, body.key, f"interest on {slide_id}", act)


@router.delete("/api/interests/{interest_id}")
def remove(interest_id: RowId, body: Action, desk: DeskHere, visitor: VisitorHere) -> Done:
    """Take a region of interest away."""

    def act(connection: Any) -> Done:
        remove_interest(connection, interest_id)
        return {"is_repeated": False}

    with there_is("region of interest"):
        return done_once(desk, visitor, body.key, f"removal of interest {interest_id}", act)


@router.get(
    "/api/interests/{interest_id}.tiff",
    response_class=Response,
    responses={200: {"content": {"image/tiff": {}}}},
)
def tiff(
    interest_id: RowId,
    desk: DeskHere,
    visitor: VisitorHere,  # noqa: ARG001 it must be one
    level: Annotated[int, Query(ge=0, le=8)] = 0,
) -> Response:
    """Return the pixels of a region of interest as a TIFF with resolution tags."""
    with desk.store.reading() as connection, there_is("region of interest"):
        found = read_interest(connection, interest_id)
    path = write_roi(desk.shelf.open(found.slide_id), found.box_px0, factor=1 << level)
    stem = desk.shelf.info(found.slide_id).name.rsplit(".", 1)[0]
    return FileResponse(
        path,
        media_type="image/tiff",
        filename=f"{stem}_{found.id}.tiff",
        background=BackgroundTask(path.unlink, missing_ok=True),
    )
