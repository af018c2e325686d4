"""Regions of tumour and exclusion with their area."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from fastapi import APIRouter

from mitoscope import store
from mitoscope.errors import ConflictError, KeyReusedError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.region import Region as PlaneRegion
from mitoscope.web.forms import Action, Answer, Done, Name, Pair, RowId, SlideId, Vertices, described
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.state import AppState, DrawerHere, LookerHere, StateHere, VisitorHere, done_once

router = APIRouter()
_ID, _SEEN = "region", "change of a region"
"""Kinds of numbers that go out veiled."""


class Region(Answer):
    """A region: vertices in level-0 px, not closed; its area in mm², what was seen of it, and whose it is.

    What is mine to change a rater has drawn; a lead may change all.
    """

    id: int
    is_mine: bool
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


@dataclass(frozen=True, slots=True)
class _Place:
    """A slide as somebody draws on it: its resolution and size, and how its regions are told of."""

    state: AppState
    visitor: store.Visitor
    slide_id: int
    mpp: Mpp | None
    size: SizePx | None

    @classmethod
    def on(cls, state: AppState, visitor: store.Visitor, slide_id: int) -> _Place:
        return cls(state, visitor, slide_id, *scale_of(state, slide_id))

    def shown(self, region: store.DrawnRegion) -> Region:
        """Return a region; its numbers do not tell how many were drawn."""
        return described(
            Region,
            region,
            id=self.state.veil.hide(_ID, region.id),
            is_mine=self.visitor.role is store.Role.LEAD or region.rater_id == self.visitor.rater_id,
            vertices=region.vertices_px0.tolist(),
            area_mm2=None if self.mpp is None else region.area_mm2(self.mpp, self.size),
            seen=self.state.veil.hide(_SEEN, region.seen),
        )

    def area(self, connection: Any) -> float | None:
        """Return the mm² of tumour without exclusions."""
        if self.mpp is None:
            return None
        return store.net_area_mm2(store.read_regions(connection, self.slide_id), self.mpp, self.size)

    def check(self, vertices: Vertices) -> None:
        """Refuse an outline that crosses itself, has no area, or is outside the slide."""
        shape = PlaneRegion.of_polygon(vertices)
        if self.size is not None and shape.within(self.size).is_empty:
            what = f"the outline is outside the slide ({self.size.width} × {self.size.height} px)"
            raise invalid(what, field="vertices", mend="draw it on the slide")


@router.get("/api/slides/{slide_id}/regions")
def regions(slide_id: SlideId, state: StateHere, visitor: LookerHere) -> Regions:
    """Return the regions of a slide, and the area of tumour without exclusions."""
    place = _Place.on(state, visitor, slide_id)
    with state.store.reading() as connection:
        found = store.read_regions(connection, slide_id)
        area = place.area(connection)
    return {"regions": [place.shown(region) for region in found], "area_mm2": area}


@router.post("/api/slides/{slide_id}/regions")
def draw(slide_id: SlideId, body: NewRegion, state: StateHere, visitor: DrawerHere) -> RegionSet:
    """Draw a region."""
    place = _Place.on(state, visitor, slide_id)
    place.check(body.vertices)

    def act(connection: Any) -> RegionSet:
        new = store.DrawnRegion(0, slide_id, body.kind, body.name or str(body.kind), np.array(body.vertices))
        drawn = store.draw_region(connection, new, visitor.rater_id)
        return {"region": place.shown(drawn), "area_mm2": place.area(connection), "is_repeated": False}

    return done_once(state, visitor, body.key, f"region on {slide_id}", act)


def _mine(state: AppState, visitor: store.Visitor, public_id: int) -> tuple[int, _Place]:
    """Return a region that the visitor may change, and the slide that it is or was on."""
    region_id = state.veil.find(_ID, public_id)
    with state.store.reading() as connection:
        slide_id = store.slide_of_region(connection, region_id)
        by = store.drawn_by(connection, region_id)
        store.check_drawn(connection, visitor, slide_id=slide_id, rater_id=by)
    return region_id, _Place.on(state, visitor, slide_id)


@contextmanager
def _conflicts(place: _Place, region_id: int) -> Iterator[None]:
    """Answer a change of what somebody else has changed with the region as it is now."""
    try:
        yield
    except KeyReusedError:
        raise
    except ConflictError as error:
        with place.state.store.reading() as connection:
            present = store.read_region(connection, region_id)
        raise Refusal(409, "conflict", error.what, mend=error.mend, region=place.shown(present)) from None


@router.put("/api/regions/{region_id}")
def edit(region_id: RowId, body: ChangedRegion, state: StateHere, visitor: VisitorHere) -> RegionSet:
    """Change a region of mine that nobody has changed since I saw it."""
    id_, place = _mine(state, visitor, region_id)
    if body.vertices is not None:
        place.check(body.vertices)

    def act(connection: Any) -> RegionSet:
        present = store.read_region(connection, id_)
        changed = replace(
            present,
            kind=body.kind or present.kind,
            name=body.name or present.name,
            vertices_px0=present.vertices_px0 if body.vertices is None else np.array(body.vertices),
        )
        expected = state.veil.find(_SEEN, body.expected)
        done = store.edit_region(connection, changed, visitor.rater_id, expected=expected)
        return {"region": place.shown(done), "area_mm2": place.area(connection), "is_repeated": False}

    with _conflicts(place, id_):
        return done_once(state, visitor, body.key, f"edit of region {region_id}", act)


@router.delete("/api/regions/{region_id}")
def delete(region_id: RowId, body: SeenRegion, state: StateHere, visitor: VisitorHere) -> RegionDeleted:
    """Take a region of mine away; it can be restored."""
    id_, place = _mine(state, visitor, region_id)

    def act(connection: Any) -> RegionDeleted:
        expected = state.veil.find(_SEEN, body.expected)
        store.delete_region(connection, id_, visitor.rater_id, expected=expected)
        return {"region": None, "area_mm2": place.area(connection), "is_repeated": False}

    with _conflicts(place, id_):
        return done_once(state, visitor, body.key, f"deletion of region {region_id}", act)


@router.post("/api/regions/{region_id}/restore")
def restore(region_id: RowId, body: Action, state: StateHere, visitor: VisitorHere) -> RegionSet:
    """Take the deletion of a region back; a rater that of the own."""
    id_, place = _mine(state, visitor, region_id)

    def act(connection: Any) -> RegionSet:
        done = store.restore_region(connection, id_, visitor.rater_id)
        return {"region": place.shown(done), "area_mm2": place.area(connection), "is_repeated": False}

    return done_once(state, visitor, body.key, f"restoring of region {region_id}", act)
