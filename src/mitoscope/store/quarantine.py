"""Sifting: cells that cannot be taken as they are go to quarantine, with count and place (promise 14)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.region import RegionKind
from mitoscope.store.columns import Cells, LabelEvents, Shape
from mitoscope.store.records import QuarantineEntry, SlideRecord, Study

NOT_FINITE = "NaN or infinity"
CORNERS_SWAPPED = "corners in the wrong order"
NO_EXTENT = "a box without extent"
NOT_A_POLYGON = "a polygon of fewer than 3 vertices"
OUTSIDE = "outside the slide"
DUPLICATE = "the same place twice"
GUID_TWICE = "the same id twice"
HALF_SCALE = "coordinates at half scale"
CROSSES_ITSELF = "a polygon that crosses itself"
"""Found by the readers of ``exchange``, which move such outlines out themselves."""
REASONS = (
    *("", NOT_FINITE, NOT_A_POLYGON, CORNERS_SWAPPED, OUTSIDE, GUID_TWICE, DUPLICATE, HALF_SCALE),
    *(CROSSES_ITSELF, NO_EXTENT),
)
"""Why a cell is taken out, by code; 0 is a cell that is kept."""

HALF_SCALE_MIN_CELLS = 20
"""Fewer cells than this say nothing about the scale of their coordinates."""
HALF_SCALE_MIN_SPAN = 0.25
"""The cells of a whole slide at half scale span at least this part of its sides, half of the upper left
quarter. A hot spot that was annotated alone spans less."""


def sift(study: Study, *, source: str, trust_scale: bool = False) -> Study:
    """Return the study with what cannot be taken moved to its quarantine.

    Taken out are cells with NaN or infinite coordinates, boxes whose width or height is zero or below,
    circles with corners in the wrong order, polygons without an area, cells no part of which lies on their
    slide, the second of two live cells at exactly the same place, the second of two cells of one guid, and
    all cells of a slide whose coordinates look like half their true values. Label events and version rows of
    these cells go with them, as text in the entry.

    Parameters
    ----------
    study : Study
        As a reader hands it over.
    source : str
        The file's name, for the place.
    trust_scale : bool
        Take slides whose coordinates look half-scale as they are.
    """
    codes = np.zeros(len(study.cells), dtype=np.uint8)
    for check in (_geometry, _places, _twice) if trust_scale else (_geometry, _places, _twice, _half_scale):
        for reason, rows in check(study, codes == 0).items():
            codes[rows & (codes == 0)] = REASONS.index(reason)
    return move_out(study, codes, source=source)


def _geometry(study: Study, _: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    cells = study.cells
    finite = np.asarray(np.isfinite(cells.bounds_px0).all(axis=1))
    polygon = cells.shape == Shape.POLYGON
    too_few = polygon.copy()
    for row, vertices in cells.vertices_px0.items():
        too_few[row] = polygon[row] and len(vertices) < 3
        finite[row] &= bool(np.isfinite(vertices).all())
    swapped = np.asarray((cells.bounds_px0[:, :2] > cells.bounds_px0[:, 2:]).any(axis=1))
    flat = (cells.shape == Shape.BOX) & (cells.bounds_px0[:, :2] >= cells.bounds_px0[:, 2:]).any(axis=1)
    reasons = {NOT_FINITE: ~finite, NO_EXTENT: flat, NOT_A_POLYGON: too_few, CORNERS_SWAPPED: swapped}
    return {reason: np.asarray(rows) for reason, rows in reasons.items()}


def _sizes(slides: tuple[SlideRecord, ...]) -> NDArray[np.float64]:
    sizes = [
        (np.inf, np.inf) if slide.size is None else (slide.size.width, slide.size.height) for slide in slides
    ]
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)


def _places(study: Study, _: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    # MIDOG++ holds two boxes (15363, 15728) whose centre lies up to 5 px outside: a cell at the edge is one
    # as long as a part of it is on the slide.
    sizes = _sizes(study.slides)[study.cells.slide]
    bounds = study.cells.bounds_px0
    return {OUTSIDE: np.asarray(((bounds[:, 2:] < 0) | (bounds[:, :2] > sizes)).any(axis=1))}


def _twice(study: Study, candidates: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    cells = study.cells
    rows = np.flatnonzero(candidates & ~cells.deleted)
    place = np.column_stack([cells.slide, cells.shape, cells.z, cells.bounds_px0])[rows]
    _, first = np.unique(place, axis=0, return_index=True)
    again = np.zeros(len(cells), dtype=np.bool_)
    again[np.delete(rows, first)] = True
    if cells.vertices_px0:
        again &= _same_vertices(cells, again, rows)
    guid_again = np.zeros(len(cells), dtype=np.bool_)
    with_guid = np.flatnonzero(cells.has_guid)
    if len(with_guid):
        _, first = np.unique(cells.guid[with_guid].astype(np.str_), return_index=True)
        guid_again[np.delete(with_guid, first)] = True
    return {GUID_TWICE: guid_again, DUPLICATE: again}


def _same_vertices(cells: Cells, again: NDArray[np.bool_], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    # Polygons of the same bounds are duplicates only when their vertices are equal too.
    same = again.copy()
    seen: set[tuple[int, bytes]] = set()
    for row in rows:
        vertices = cells.vertices_px0.get(int(row))
        if vertices is not None:
            key = (int(cells.slide[row]), vertices.tobytes())
            same[row] = key in seen
            seen.add(key)
    return same


def _half_scale(study: Study, candidates: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    cells, flagged = study.cells, np.zeros(len(study.cells), dtype=np.bool_)
    live = np.flatnonzero(candidates & ~cells.deleted)
    order = live[np.argsort(cells.slide[live], kind="stable")]
    slides, starts = np.unique(cells.slide[order], return_index=True)
    centres = cells.centres_px0
    parts = np.split(order, starts[1:]) if len(order) else []  # of nothing, split makes one part
    for slide, rows in zip(slides, parts, strict=True):
        size = study.slides[slide].size
        if size is None or len(rows) < HALF_SCALE_MIN_CELLS:
            continue
        place = centres[rows] / (size.width, size.height)
        if place.max() <= 0.5 and np.ptp(place, axis=0).min() >= HALF_SCALE_MIN_SPAN:
            flagged[cells.slide == slide] = True
    return {HALF_SCALE: flagged}


def move_out(study: Study, codes: NDArray[np.uint8], *, source: str) -> Study:
    """Return the study without the cells of which the code names a reason; they go to its quarantine."""
    kept = codes == 0
    if kept.all():
        return study
    new_row = np.cumsum(kept) - 1
    events = study.events.take(kept[study.events.cell])
    versions = []
    for version in study.versions:
        rows = kept[version.cell]
        versions.append(replace(version, cell=new_row[version.cell[rows]], label=version.label[rows]))
    return replace(
        study,
        cells=study.cells.take(kept),
        events=replace(events, cell=new_row[events.cell]),
        versions=tuple(versions),
        quarantine=(*study.quarantine, *_entries(study, codes, source)),
    )


def _entries(study: Study, codes: NDArray[np.uint8], source: str) -> list[QuarantineEntry]:
    rows = np.flatnonzero(codes)
    labels = _labels_of(study, set(rows.tolist()))
    entries = []
    for row in rows.tolist():
        external = study.cells.external_id[row]
        place = f"cell {row}" if external is None else f"id {external}"
        entries.append(
            QuarantineEntry(
                f"{source}: {place}",
                REASONS[codes[row]],
                json.dumps(_content(study.cells, row) | {"labels": labels.get(row, [])}),
                study.slides[study.cells.slide[row]].name,
            )
        )
    return entries


def outline_notes(entries: Iterable[QuarantineEntry]) -> tuple[str, ...]:
    """Return what must be said beside numbers of slides of which outlines could not be taken.

    Parameters
    ----------
    entries : iterable of QuarantineEntry
        Of the slides that the numbers are of.
    """
    slides: dict[RegionKind, list[str]] = {}
    for entry in entries:
        kind = _outline_kind(entry.what)
        if kind is not None:
            slides.setdefault(kind, []).append(entry.slide or "a slide that is not named")
    return tuple(
        f"{len(names)} {kind} {'outline is' if len(names) == 1 else 'outlines are'} in quarantine, "
        f"so nothing was cut by {'it' if len(names) == 1 else 'them'}: {', '.join(dict.fromkeys(names))}"
        for kind, names in sorted(slides.items())
    )


def _outline_kind(content: str) -> RegionKind | None:
    """Return what an outline in quarantine would have delimited; None where the entry is another thing."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):  # of a ring without corners enough, the words alone are kept
        is_ring = content.endswith(" corners")
        return next((kind for kind in RegionKind if is_ring and content.startswith(f"{kind} ")), None)
    if not isinstance(found, dict) or "shape" in found:
        return None
    return next((kind for kind in RegionKind if kind == found.get("kind")), None)


def _content(cells: Cells, row: int) -> dict[str, object]:
    vertices = cells.vertices_px0.get(row)
    return {
        "shape": Shape(int(cells.shape[row])).name.lower() if cells.shape[row] in list(Shape) else "unknown",
        "bounds_px0": cells.bounds_px0[row].tolist(),
        "vertices_px0": None if vertices is None else vertices.tolist(),
        "z": int(cells.z[row]),
        "guid": cells.guid[row],
        "attributes": dict(cells.attributes.get(row, {})),
    }


def _labels_of(study: Study, rows: set[int]) -> dict[int, list[tuple[str, str | None]]]:
    events: LabelEvents = study.events
    found: dict[int, list[tuple[str, str | None]]] = {}
    for event in np.flatnonzero(np.isin(events.cell, list(rows))).tolist():
        label = int(events.label[event])
        name = None if label < 0 else study.labels.labels[label].name
        rater = study.raters[events.rater[event]].name
        found.setdefault(int(events.cell[event]), []).append((rater, name))
    return found
