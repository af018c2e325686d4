"""Regions of tumour and exclusion with their area."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from fastapi import APIRouter

from mitoscope import store
from mitoscope.errors import ConflictError, KeyReusedError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.region import Region as PlaneRegion
from mitoscope.web.forms import Action, Answer, Done, Name, Pair, RowId, SlideId, Vertices, described
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.state import AppState, StateHere, VisitorHere, done_once

router = APIRouter()


class Region(Answer):
    """A region: vertices in level-0 px, not closed; its area in mm², and the number of its last change."""

    id: int
    kind: store.RegionKind
    name: str
    vertices: list[Pair]
    area_mm2: float | None
    seen: int


class Regions(Answer):
    """The regions of a slide, and the mm² of tumour without exclusions; null where the mpp is not known."""

    regions: list[Region]
    area_mm2: float | None


class RegionSet(Done):
    """A region that was drawn, changed or restored, and the mm² of tumour without exclusions since."""

    region: Region
    area_mm2: float | None


class RegionDeleted(Done):
    """A region that is gone, and the mm² of tumour without exclusions since."""

    region: None
    area_mm2: float | None


class NewRegion(Action):
    """A region to be drawn."""

    kind: store.RegionKind
    name: Name | None = None
    vertices: Vertices


class ChangedRegion(Action):
    """What is to be different in a region."""

    expected: int
    kind: store.RegionKind | None = None
    name: Name | None = None
    vertices: Vertices | None = None


class SeenRegion(Action):
    """A region as it was seen."""

    expected: int


def scale_of(state: AppState, slide_id: int) -> tuple[Mpp | None, SizePx | None]:
    """Return resolution and size of a slide: of its file, else as the study knows them."""
    shown = state.slides.get(slide_id)
    if shown.info is not None:
        return shown.info.mpp, shown.info.size
    return shown.record.mpp, shown.record.size


def _shown(region: store.DrawnRegion, mpp: Mpp | None, size: SizePx | None) -> Region:
    area_mm2 = None if mpp is None else region.area_mm2(mpp, size)
    return described(Region, region, vertices=region.vertices_px0.tolist(), area_mm2=area_mm2)


def _area(connection: Any, slide_id: int, mpp: Mpp | None, size: SizePx | None) -> float | None:
    return None if mpp is None else store.net_area_mm2(store.read_regions(connection, slide_id), mpp, size)


def _check_place(vertices: Vertices, size: SizePx | None) -> None:
    """Refuse an outline that crosses itself, has no area, or lies beside the slide."""
    shape = PlaneRegion.of_polygon(vertices)
    if size is not None and shape.within(size).is_empty:
        what = f"the outline lies beside the slide ({size.width} × {size.height} px)"
        raise invalid(what, field="vertices", mend="draw it on the slide")


@router.get("/api/slides/{slide_id}/regions")
def regions(slide_id: SlideId, state: StateHere, visitor: VisitorHere) -> Regions:  # noqa: ARG001
    """Return the regions of a slide, and the area of tumour without exclusions."""
    mpp, size = scale_of(state, slide_id)
    with state.store.reading() as connection:
        found = store.read_regions(connection, slide_id)
        area = _area(connection, slide_id, mpp, size)
    return {"regions": [_shown(region, mpp, size) for region in found], "area_mm2": area}


@router.post("/api/slides/{slide_id}/regions")
def draw(slide_id: SlideId, body: NewRegion, state: StateHere, visitor: VisitorHere) -> RegionSet:
    """Draw a region."""
    mpp, size = scale_of(state, slide_id)
    _check_place(body.vertices, size)

    def act(connection: Any) -> RegionSet:
        new = store.DrawnRegion(0, slide_id, body.kind, body.name or str(body.kind), np.array(body.vertices))
        drawn = store.draw_region(connection, new, visitor.rater_id)
        area = _area(connection, slide_id, mpp, size)
        return {"region": _shown(drawn, mpp, size), "area_mm2": area, "is_repeated": False}

    return done_once(state, visitor, body.key, f"region on {slide_id}", act)


def _place_of(state: AppState, region_id: int) -> tuple[int, Mpp | None, SizePx | None]:
    """Return the slide that a region is or was on, its resolution and its size."""
    with state.store.reading() as connection:
        slide_id = store.slide_of_region(connection, region_id)
    return slide_id, *scale_of(state, slide_id)


def _found(state: AppState, region_id: int) -> store.DrawnRegion:
    with state.store.reading() as connection:
        return store.read_region(connection, region_id)


@contextmanager
def _conflicts(state: AppState, region_id: int) -> Iterator[None]:
    """Answer a change of what somebody else has changed with the region as it is now."""
    try:
        yield
    except KeyReusedError:
        raise
    except ConflictError as error:
        present = _found(state, region_id)
        now = _shown(present, *scale_of(state, present.slide_id))
        raise Refusal(409, "conflict", error.what, mend=error.mend, region=now) from None


@router.put("/api/regions/{region_id}")
def edit(region_id: RowId, body: ChangedRegion, state: StateHere, visitor: VisitorHere) -> RegionSet:
    """Change a region that nobody has changed since I saw it."""
    present = _found(state, region_id)
    mpp, size = scale_of(state, present.slide_id)
    if body.vertices is not None:
        _check_place(body.vertices, size)
    changed = replace(
        present,
        kind=body.kind or present.kind,
        name=body.name or present.name,
        vertices_px0=present.vertices_px0 if body.vertices is None else np.array(body.vertices),
    )

    def act(connection: Any) -> RegionSet:
        done = store.edit_region(connection, changed, visitor.rater_id, expected=body.expected)
        area = _area(connection, present.slide_id, mpp, size)
        return {"region": _shown(done, mpp, size), "area_mm2": area, "is_repeated": False}

    with _conflicts(state, region_id):
        return done_once(state, visitor, body.key, f"edit of region {region_id}", act)


@router.delete("/api/regions/{region_id}")
def delete(region_id: RowId, body: SeenRegion, state: StateHere, visitor: VisitorHere) -> RegionDeleted:
    """Take a region away; it can be restored."""
    slide_id, mpp, size = _place_of(state, region_id)

    def act(connection: Any) -> RegionDeleted:
        store.delete_region(connection, region_id, visitor.rater_id, expected=body.expected)
        area = _area(connection, slide_id, mpp, size)
        return {"region": None, "area_mm2": area, "is_repeated": False}

    with _conflicts(state, region_id):
        return done_once(state, visitor, body.key, f"deletion of region {region_id}", act)


@router.post("/api/regions/{region_id}/restore")
def restore(region_id: RowId, body: Action, state: StateHere, visitor: VisitorHere) -> RegionSet:
    """Take the deletion of a region back."""
    _, mpp, size = _place_of(state, region_id)

    def act(connection: Any) -> RegionSet:
        done = store.restore_region(connection, region_id, visitor.rater_id)
        area = _area(connection, done.slide_id, mpp, size)
        return {"region": _shown(done, mpp, size), "area_mm2": area, "is_repeated": False}

    return done_once(state, visitor, body.key, f"restoring of region {region_id}", act)
