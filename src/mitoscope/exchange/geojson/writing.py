"""Writing QuPath GeoJSON: the cells and regions of a slide, or what a run found on it.

QuPath takes coordinates as level-0 pixels with the origin at the upper left corner of the image it shows.
Where it shows only the vendor's bounds of a slide, the origin is the bounds' corner. Ids are UUIDs: QuPath
keeps no other.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.detections import Detections
from mitoscope.exchange import extension
from mitoscope.exchange.classes import stated_classes
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.geojson.features import HOT_SPOT, OFFSET
from mitoscope.exchange.geojson.reading import Reader
from mitoscope.exchange.json_text import as_uuid, dump_json
from mitoscope.exchange.regions import region_class
from mitoscope.fsio import atomic_write
from mitoscope.geometry import BoxPx0, PointPx0
from mitoscope.labels import CANDIDATE, FIELD_LABELS, Label, LabelSet
from mitoscope.region import Region, RegionKind
from mitoscope.store import RaterKind, Shape, Study
from mitoscope.store import Region as StudyRegion

CIRCLE_VERTICES: Final = 64
"""Of the polygon in which a circle is written."""
RADIUS_PX0: Final = 25.0
"""Radius of the circle around a detection: the boxes of CMC, CCMCT and MIDOG are 50 px wide."""
CORNERS: Final = 16
"""Corners of that circle; a multiple of 4."""
SCORE: Final = "Score"
HOT_SPOT_COLOUR = (245, 159, 0)
OTHER_COLOUR = (134, 142, 150)
_REGION_COLOURS = {
    RegionKind.TUMOUR: (255, 212, 59),
    RegionKind.EXCLUSION: (134, 142, 150),
    RegionKind.INTEREST: (77, 171, 247),
}
_ORIGIN = PointPx0(0.0, 0.0)
_NAMESPACE = uuid.UUID("6f1d5a3e-0f0b-5b43-8d5e-6d69746f7363")
_OWN = frozenset(
    f"geojson.{name}" for name in ("measurements", "objectType", "holes", "nucleusGeometry", "part")
)

Floats = NDArray[np.float64]


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write the cells and regions of a slide as QuPath objects.

    Cells that only a model labelled are detections, all others annotations. A study that says more than
    class, score and shape rides along whole (:mod:`~mitoscope.exchange.extension`).

    Raises
    ------
    FormatError
        If a coordinate is not finite.
    OutputError
        If it cannot be written.
    """
    document = document_of(study, options)
    plain = Reader(document, path, ReadOptions()).study()
    if plain != study:
        document = extension.attach(document, study)
    with atomic_write(path) as stream:
        stream.write(dump_json(document))


def document_of(study: Study, options: WriteOptions) -> dict[str, Any]:
    """Return the FeatureCollection of the cells and regions of a slide."""
    offset = np.array([options.bounds.x, options.bounds.y] if options.bounds is not None else [0.0, 0.0])
    labels, scores = stated_classes(study, options.policy, models=True)
    spoken = np.zeros(len(study.cells), dtype=np.bool_)
    spoken[study.events.cell] = True
    by_others = np.zeros(len(study.cells), dtype=np.bool_)
    models = [place for place, rater in enumerate(study.raters) if rater.kind is RaterKind.MODEL]
    by_others[study.events.cell[~np.isin(study.events.rater, models)]] = True
    kinds = np.where(spoken & ~by_others, "detection", "annotation").tolist()
    features = [
        _cell_feature(
            study, row, label=int(labels[row]), score=float(scores[row]), kind=kinds[row], offset=offset
        )
        for row in range(len(study.cells))
        if not study.cells.deleted[row]
    ]
    features += [_region_feature(study, place, offset) for place in range(len(study.regions))]
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    return document | ({OFFSET: offset.tolist()} if offset.any() else {})


def _cell_feature(
    study: Study, row: int, *, label: int, score: float, kind: str, offset: Floats
) -> dict[str, Any]:
    attributes = study.cells.attributes.get(row, {})
    more: dict[str, Any] = {}
    measurements = dict(attributes.get("geojson.measurements", {}))
    if not math.isnan(score):
        measurements["score"] = score
    if measurements:
        more["measurements"] = measurements
    more |= {
        key.removeprefix("geojson."): value
        for key, value in attributes.items()
        if key.startswith("geojson.") and key not in _OWN
    }
    feature = _feature(
        _geometry(study, row, offset),
        attributes.get("geojson.objectType", kind),
        _classification(study.labels.labels[label]) if label >= 0 else None,
        more,
        id_=_cell_id(study, row),
    )
    if "geojson.nucleusGeometry" in attributes:
        feature["nucleusGeometry"] = attributes["geojson.nucleusGeometry"]
    return feature


def _cell_id(study: Study, row: int) -> str:
    """Return the guid of a cell, else a UUID that is the same every time it is written."""
    cells = study.cells
    given = as_uuid(cells.guid[row])
    if given is not None:
        return given
    place = (int(cells.shape[row]), int(cells.z[row]), cells.bounds_px0[row].tolist())
    name = (study.slides[cells.slide[row]].name, cells.guid[row], cells.external_id[row], row, place)
    return str(uuid.uuid5(_NAMESPACE, repr(name)))


def _classification(label: Label) -> dict[str, Any]:
    digits = label.colour.removeprefix("#")
    colour = list(bytes.fromhex(digits)) if len(digits) == 6 else list(OTHER_COLOUR)
    return {"name": label.name, "color": colour}


def _feature(
    geometry: dict[str, Any],
    kind: str,
    classification: Mapping[str, Any] | None,
    more: Mapping[str, Any],
    *,
    id_: str | None = None,
) -> dict[str, Any]:
    known = {} if classification is None else {"classification": classification}
    return {
        "type": "Feature",
        **({} if id_ is None else {"id": id_}),
        "geometry": geometry,
        "properties": {"objectType": kind, **known, **more},
    }


def _geometry(study: Study, row: int, offset: Floats) -> dict[str, Any]:
    cells = study.cells
    z = int(cells.z[row])
    plane = {"plane": {"c": -1, "z": z, "t": 0}} if z else {}
    if cells.shape[row] == Shape.SPOT:
        return {"type": "Point", "coordinates": _list(cells.bounds_px0[row, :2] - offset)} | plane
    rings = [_outline(study, row), *cells.attributes.get(row, {}).get("geojson.holes", [])]
    return _polygon([rings], offset) | plane


def _outline(study: Study, row: int) -> Floats:
    x_min, y_min, x_max, y_max = study.cells.bounds_px0[row].tolist()
    if study.cells.shape[row] == Shape.POLYGON:
        return np.asarray(study.cells.vertices_px0[row], dtype=np.float64)
    if study.cells.shape[row] == Shape.BOX:
        return np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
    return ellipse([(x_min, y_min), (x_max, y_max)])


def ellipse(corners: ArrayLike) -> Floats:
    """Return the ellipse within an upright box, as a ring of shape (CIRCLE_VERTICES, 2), not closed.

    Parameters
    ----------
    corners : array_like, shape (n, 2)
        Of the box, two opposite ones or all.
    """
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    angle = np.arange(CIRCLE_VERTICES) * (2 * np.pi / CIRCLE_VERTICES)
    centre, reach = low / 2 + high / 2, high / 2 - low / 2  # halved first: their sum may be beyond a float
    ring: Floats = centre + reach * np.column_stack([np.cos(angle), np.sin(angle)])
    return ring


def _polygon(polygons: Sequence[Sequence[Any]], offset: Floats) -> dict[str, Any]:
    """Return the geometry of polygons, each its rings in level-0 pixels, not closed."""
    parts = []
    for rings in polygons:
        moved = [np.asarray(ring, dtype=np.float64) - offset for ring in rings]
        parts.append([_list(np.vstack([ring, ring[:1]])) for ring in moved])
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def _region_feature(study: Study, place: int, offset: Floats) -> dict[str, Any]:
    region: StudyRegion = study.regions[place]
    classification = {"name": region_class(region), "color": list(_REGION_COLOURS[region.kind])}
    key = (study.slides[region.slide].name, str(region.kind), region.vertices_px0.tolist())
    id_ = str(uuid.uuid5(_NAMESPACE, repr(key)))
    return _feature(_polygon([[region.vertices_px0]], offset), "annotation", classification, {}, id_=id_)


def _list(values: Floats) -> list[Any]:
    if values.ndim > 1:
        return [_list(value) for value in values]
    return [
        int(number) if number.is_integer() and abs(number) < 2**53 else number for number in values.tolist()
    ]


_BLOCK = 4096
"""Detections whose outlines are in memory at once."""


def write_findings(
    path: Path,
    detections: Detections,
    *,
    hot_spot: BoxPx0 | None = None,
    mitotic_count: int | None = None,
    regions: Sequence[Region] = (),
    origin_px0: PointPx0 = _ORIGIN,
    radius_px0: float = RADIUS_PX0,
    labels: LabelSet = FIELD_LABELS,
) -> None:
    """Write detections, hot spot and regions as a FeatureCollection.

    Parameters
    ----------
    path : Path
        Target.
    detections : Detections
        Each becomes an object of type *detection* with class and score; it needs an outline to be seen and
        clicked, a circle of 16 corners around its centre. What is not above the threshold of its search has
        the class *mitotic figure candidate*.
    hot_spot : BoxPx0, optional
        Becomes a locked *annotation*, with the mitotic count as its measurement.
    mitotic_count : int, optional
        Figures in the hot spot.
    regions : sequence of Region
        Become annotations of the class that is their name.
    origin_px0 : PointPx0
        Corner of the vendor's bounds, for coordinates relative to them.
    radius_px0 : float
        Radius of the circle that stands for a detection.
    labels : LabelSet
        Gives classes their colours.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    offset = np.array([origin_px0.x, origin_px0.y])
    objects = [
        _feature(_polygon(region.polygons, offset), "annotation", _named(region.name, OTHER_COLOUR), {})
        for region in regions
    ]
    if hot_spot is not None:
        objects.append(_hot_spot_feature(hot_spot, mitotic_count, offset))
    found = _detection_features(detections, path.stem, offset, radius_px0=radius_px0, labels=labels)
    with atomic_write(path) as stream:
        # Feature by feature: a million of them are gigabytes as objects.
        stream.write(b'{"type":"FeatureCollection","features":[')
        for place, one in enumerate(chain(objects, found)):
            stream.write((b"," if place else b"") + dump_json(one).rstrip())
        stream.write(b"]}\n")


def _detection_features(
    detections: Detections, stem: str, offset: Floats, *, radius_px0: float, labels: LabelSet
) -> Iterator[dict[str, Any]]:
    """Yield each detection as a circle with its class, its score and an id of its own."""
    stated, seen = detections.stated_label.tolist(), Counter[tuple[float, ...]]()
    classes = {name: _class_of(name, labels) for name in sorted(set(stated))}
    points, scores = detections.points_px0, detections.score.tolist()
    for start in range(0, len(points), _BLOCK):
        rings = _circles(points[start : start + _BLOCK] - offset, radius_px0).tolist()
        for row, ring in enumerate(rings, start=start):
            place = tuple(points[row].tolist())
            id_ = str(uuid.uuid5(_NAMESPACE, repr((stem, place, seen[place]))))
            seen[place] += 1
            geometry = {"type": "Polygon", "coordinates": [ring]}
            more = {"measurements": {SCORE: scores[row]}}
            yield _feature(geometry, "detection", classes[stated[row]], more, id_=id_)


def _class_of(name: str, labels: LabelSet) -> dict[str, Any]:
    label = CANDIDATE if name == CANDIDATE.name else labels.find(name)
    return _named(name, OTHER_COLOUR) if label is None else _classification(label)


def _named(name: str, colour: tuple[int, int, int]) -> dict[str, Any]:
    return {"name": name, "color": list(colour)}


def _circles(centres_px0: Floats, radius: float) -> Floats:
    """Return a closed ring around each centre, shape (n, CORNERS + 1, 2)."""
    angle = np.linspace(0, 2 * np.pi, CORNERS + 1)
    offsets = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rings = np.round(centres_px0[:, None] + offsets, 3)
    # The four outermost corners stay unrounded: their middle is the centre.
    quarter = CORNERS // 4
    outermost = radius * np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]])
    rings[:, ::quarter] = centres_px0[:, None] + outermost
    return rings


def _hot_spot_feature(box: BoxPx0, count: int | None, offset: Floats) -> dict[str, Any]:
    ring = [[box.x, box.y], [box.right, box.y], [box.right, box.bottom], [box.x, box.bottom]]
    more: dict[str, Any] = {"name": HOT_SPOT, "isLocked": True}
    if count is not None:
        more["measurements"] = {"Mitotic count": count}
    return _feature(_polygon([[ring]], offset), "annotation", _named(HOT_SPOT, HOT_SPOT_COLOUR), more)
