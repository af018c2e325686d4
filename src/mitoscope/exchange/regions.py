"""Outlines of files as regions of a study: what a class delimits, rings with holes, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from mitoscope.errors import CrossedOutlineError, RegionError
from mitoscope.exchange.json_text import dump_json
from mitoscope.labels import FIELD_LABELS, name_key
from mitoscope.region import RegionKind, kind_of_name, outline
from mitoscope.store import (
    CROSSES_ITSELF,
    NOT_A_POLYGON,
    NOT_FINITE,
    OUTSIDE,
    REASONS,
    QuarantineEntry,
    Region,
    Study,
    StudyBuilder,
    move_out,
)

CELL_MAX_PX0: Final = 1000.0
"""No cell is wider: an outline beyond it is a region where its class can mean both."""
_EITHER: Final = "other"
"""Class of QuPath for areas that are neither tumour nor stroma, and of others for cells of no other class."""
REGION_CLASS: Final = {
    RegionKind.TUMOUR: "Tumor",
    RegionKind.EXCLUSION: "Ignore*",
    RegionKind.INTEREST: "Region of interest",
}
"""Class of a region whose own name does not say what it delimits, as QuPath knows it."""
EXAMINED: Final = "Examined area"
"""Name of a region of interest that says what was looked at."""

Ring = NDArray[np.float64]


def is_cell_class(name: str, ring: Ring) -> bool:
    """Return whether the class of an outline is one of cells."""
    if name_key(name) == _EITHER and float(np.ptp(ring, axis=0).max()) > CELL_MAX_PX0:
        return False
    return FIELD_LABELS.find(name) is not None


def kind_of_outline(name: str, ring: Ring) -> RegionKind | None:
    """Return what an outline of a class delimits, None where it is a cell or the class does not say."""
    return None if is_cell_class(name, ring) else kind_of_name(name)


def region_class(region: Region) -> str:
    """Return the class under which a region is written, so that it is read as what it is."""
    says = kind_of_outline(region.name, region.vertices_px0) if region.name else None
    return region.name if says is region.kind else REGION_CLASS[region.kind]


def add_region(
    build: StudyBuilder, slide: int, ring: Ring, *, kind: RegionKind, name: str, where: str, slide_name: str
) -> None:
    """Add an outline to a study, or its quarantine entry where it is no polygon."""
    why = NOT_FINITE if not np.isfinite(ring).all() else NOT_A_POLYGON if len(ring) < 3 else None
    if why is None:
        build.regions.append(Region(slide, ring, kind, name))
    else:
        what = f"{kind} {name!r}: {len(ring)} corners"
        build.quarantine.append(QuarantineEntry(where, why, what, slide_name))


def rings_without_holes(polygon: Sequence[Ring], kind: RegionKind) -> tuple[list[Ring], list[Ring]]:
    """Return a polygon with holes as rings of its kind, and rings that are taken out of it.

    A study knows rings alone. Holes of tumour are exclusions; any other outline with holes is cut into parts
    that have none.
    """
    exterior, *holes = polygon
    if not holes or kind is RegionKind.TUMOUR:
        return [exterior], list(holes)
    try:
        shape = outline(exterior, holes)
    except RegionError:
        return [exterior], []
    return [np.asarray(part.exterior.coords)[:-1] for part in _cut(shape)], []


def open_holes(holes: Sequence[tuple[Ring, Ring]], tumours: Sequence[Ring]) -> list[Ring]:
    """Return what holes of tumour exclude: an island of tumour in a hole is tumour.

    Parameters
    ----------
    holes : sequence of two rings
        Each hole with the exterior that it was cut into.
    tumours : sequence of ring
        The exteriors of all tumour outlines of the slide.
    """
    rings: list[Ring] = []
    for hole, owner in holes:
        try:
            shape, islands = outline(hole), [outline(tumour) for tumour in tumours if tumour is not owner]
        except RegionError:
            rings.append(hole)
            continue
        touching = [island for island in islands if island.intersection(shape).area > 0]
        if touching:
            rest = shape.difference(shapely.union_all(touching))
            rings += [np.asarray(part.exterior.coords)[:-1] for part in _cut(rest)]
        else:
            rings.append(hole)
    return rings


def _cut(shape: BaseGeometry) -> list[Polygon]:
    parts: list[Polygon] = []
    for part in shapely.get_parts(shape):
        if not isinstance(part, Polygon) or part.is_empty:
            continue
        if not part.interiors:
            parts.append(part)
            continue
        left, top, right, bottom = part.bounds
        middle = part.interiors[0].centroid.x
        for half in (shapely.box(left, top, middle, bottom), shapely.box(middle, top, right, bottom)):
            parts += _cut(part.intersection(half))
    return parts


def with_examined(study: Study) -> tuple[Study, tuple[str, ...]]:
    """Return the study with what was looked at as regions of interest, by which files say it.

    Returns
    -------
    study : Study
        With regions named *examined* where no region of interest says so yet.
    unsaid : tuple of str
        Slides that were looked at as a whole and whose size is not known.
    """
    added, unsaid = list[Region](), list[str]()
    rest: BaseGeometry
    for place, slide in enumerate(study.slides):
        area = study.examined.get(slide.name)
        if area is None:
            continue
        if area.region is not None:
            rest = area.region.shape
        elif slide.size is not None:
            rest = shapely.box(0, 0, slide.size.width, slide.size.height)
        else:
            unsaid.append(slide.name)
            continue
        for region in study.regions:
            is_interest = region.slide == place and region.kind is RegionKind.INTEREST
            if is_interest and _why_not(region.vertices_px0) is None:
                rest = shapely.difference(rest, outline(region.vertices_px0))
        for part in _cut(rest):
            added.append(Region(place, np.asarray(part.exterior.coords)[:-1], RegionKind.INTEREST, EXAMINED))
    return replace(study, regions=(*study.regions, *added)), tuple(unsaid)


def set_aside(study: Study, *, source: str) -> Study:
    """Return the study with outlines that cannot be used moved to its quarantine.

    Those are cells and regions that cross themselves so that their area is in doubt, and regions without area
    or wholly outside of a slide whose size the file states.
    """
    codes = np.zeros(len(study.cells), dtype=np.uint8)
    for row, vertices in study.cells.vertices_px0.items():
        if _why_not(vertices) == CROSSES_ITSELF:
            codes[row] = REASONS.index(CROSSES_ITSELF)
    if codes.any():
        study = move_out(study, codes, source=source)
    refused = {place: why for place, region in enumerate(study.regions) if (why := _refused(study, region))}
    if not refused:
        return study
    entries = [_entry(study, place, why, source) for place, why in refused.items()]
    kept = tuple(region for place, region in enumerate(study.regions) if place not in refused)
    return replace(study, regions=kept, quarantine=(*study.quarantine, *entries))


def _refused(study: Study, region: Region) -> str | None:
    size = study.slides[region.slide].size
    low, high = region.vertices_px0.min(axis=0), region.vertices_px0.max(axis=0)
    if size is not None and ((high <= 0) | (low >= (size.width, size.height))).any():
        return OUTSIDE
    return _why_not(region.vertices_px0)


def _why_not(ring: Ring) -> str | None:
    try:
        outline(ring)
    except CrossedOutlineError:
        return CROSSES_ITSELF
    except RegionError:
        return NOT_A_POLYGON
    return None


def _entry(study: Study, place: int, why: str, source: str) -> QuarantineEntry:
    region = study.regions[place]
    what = {"kind": region.kind.value, "name": region.name, "vertices_px0": region.vertices_px0.tolist()}
    slide = study.slides[region.slide].name
    return QuarantineEntry(f"{source}: region {place}", why, dump_json(what).decode().strip(), slide)
