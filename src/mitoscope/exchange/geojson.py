"""GeoJSON as QuPath reads and writes it: detections with class and score, annotations with outlines.

QuPath takes coordinates as level-0 pixels with the origin at the upper left corner of the image it shows.
Where it shows only the vendor's bounds of a slide, the origin is the bounds' corner: option `origin_px0`. A
detection needs an outline to be seen and clicked: a circle of 16 corners around its centre. In `properties`,
`objectType` says detection or annotation, `classification` is {name, color: [r, g, b]}, and `measurements`
maps names to numbers (QuPath 0.4 and later; the list of {name, value} of earlier versions is read too).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.exchange.geojson_geometry import centres, features, shape_of
from mitoscope.exchange.json_text import a_mapping, a_number, dump_json, read_json
from mitoscope.fsio import atomic_write
from mitoscope.geometry import BoxPx0, PointPx0
from mitoscope.labels import DEFAULT_LABELS, MITOTIC_FIGURE, LabelSet
from mitoscope.region import Outline, Region, SlideRegions, regions_of_outlines

RADIUS_PX0 = 25.0
"""Radius of the circle around a detection: the boxes of CMC, CCMCT and MIDOG are 50 px wide."""
CORNERS = 16
"""Corners of that circle; a multiple of 4."""
HOT_SPOT = "Hot spot"
HOT_SPOT_COLOUR = (245, 159, 0)
OTHER_COLOUR = (134, 142, 150)
SCORE = "Score"
_ORIGIN = PointPx0(0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Objects:
    """What a file holds.

    Attributes
    ----------
    detections : Detections
        Centres of the detections, in the order of the file.
    annotations : tuple of Outline
        Outlines of the annotations; their name is that of their class, else their own.
    """

    detections: Detections
    annotations: tuple[Outline, ...]


def write(
    path: Path,
    detections: Detections,
    *,
    hot_spot: BoxPx0 | None = None,
    mitotic_count: int | None = None,
    regions: Sequence[Region] = (),
    origin_px0: PointPx0 = _ORIGIN,
    radius_px0: float = RADIUS_PX0,
    labels: LabelSet = DEFAULT_LABELS,
) -> None:
    """Write detections, hot spot and regions as a FeatureCollection.

    Parameters
    ----------
    path : Path
        Target.
    detections : Detections
        Each becomes an object of type *detection* with class and score.
    hot_spot : BoxPx0, optional
        Becomes a locked *annotation*, with the mitotic count as its measurement.
    mitotic_count : int, optional
        Figures in the hot spot.
    regions : sequence of Region
        Become annotations.
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
    objects = [_region_feature(region, origin_px0) for region in regions]
    if hot_spot is not None:
        objects.append(_hot_spot_feature(hot_spot, mitotic_count, origin_px0))
    classes = {name: _classification(name, labels) for name in np.unique(detections.label).tolist()}
    rings = _circles(detections.points_px0 - [origin_px0.x, origin_px0.y], radius_px0)
    rows = zip(rings, detections.score.tolist(), detections.label.tolist(), strict=True)
    for ring, score, label in rows:
        geometry = {"type": "Polygon", "coordinates": [ring.tolist()]}
        objects.append(_feature(geometry, "detection", classes[label], {"measurements": {SCORE: score}}))
    with atomic_write(path) as stream:
        stream.write(dump_json({"type": "FeatureCollection", "features": objects}))


def _feature(
    geometry: dict[str, Any], kind: str, classification: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    properties = {"objectType": kind, "classification": classification, **more}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _classification(name: str, labels: LabelSet) -> dict[str, Any]:
    label = labels.find(name)
    colour = OTHER_COLOUR if label is None else tuple(bytes.fromhex(label.colour.removeprefix("#")))
    return {"name": name, "color": list(colour)}


def _circles(centres_px0: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return a closed ring around each centre, shape (n, CORNERS + 1, 2)."""
    angle = np.linspace(0, 2 * np.pi, CORNERS + 1)
    offsets = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rings = np.round(centres_px0[:, None] + offsets, 3)
    # The four outermost corners stay unrounded: their middle is the centre.
    quarter = CORNERS // 4
    outermost = radius * np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]])
    rings[:, ::quarter] = centres_px0[:, None] + outermost
    return rings


def _hot_spot_feature(box: BoxPx0, count: int | None, origin: PointPx0) -> dict[str, Any]:
    left, top, right, bottom = (
        box.x - origin.x,
        box.y - origin.y,
        box.right - origin.x,
        box.bottom - origin.y,
    )
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    more: dict[str, Any] = {"name": HOT_SPOT, "isLocked": True}
    if count is not None:
        more["measurements"] = {"Mitotic count": count}
    classification = {"name": HOT_SPOT, "color": list(HOT_SPOT_COLOUR)}
    return _feature({"type": "Polygon", "coordinates": [ring]}, "annotation", classification, more)


def _region_feature(region: Region, origin: PointPx0) -> dict[str, Any]:
    corner = np.array([origin.x, origin.y])
    rings = [
        [[*(ring - corner).tolist(), (ring[0] - corner).tolist()] for ring in polygon]
        for polygon in region.polygons
    ]
    geometry: dict[str, Any] = {"type": "MultiPolygon", "coordinates": rings}
    if len(rings) == 1:
        geometry = {"type": "Polygon", "coordinates": rings[0]}
    return _feature(geometry, "annotation", {"name": region.name, "color": list(OTHER_COLOUR)}, {})


def read(path: Path, *, origin_px0: PointPx0 = _ORIGIN, labels: LabelSet = DEFAULT_LABELS) -> Objects:
    """Read detections and annotations.

    Parameters
    ----------
    path : Path
        A FeatureCollection, a list of features, a feature or a geometry.
    origin_px0 : PointPx0
        Corner of the vendor's bounds, where the file's coordinates are relative to them.
    labels : LabelSet
        Gives classes their canonical names.

    Returns
    -------
    Objects
        A point, and any object of type *detection* (or cell, or tile), is a detection, at the middle of its
        extent; without a score its score is 1, without a class it is a mitotic figure. Lines are left out.

    Raises
    ------
    FormatError
        If it is not GeoJSON, or has coordinates that are not numbers, with the place in the file.
    """
    rows: list[tuple[float, float, float, str]] = []
    annotations: list[Outline] = []
    for feature, where in features(read_json(path), str(path)):
        geometry = feature.get("geometry")
        if geometry is None:
            continue
        geometry = a_mapping(geometry, f"{where}.geometry")
        properties = a_mapping(feature.get("properties") or {}, f"{where}.properties")
        kind, name = geometry.get("type"), _class_name(properties)
        if kind in ("Point", "MultiPoint") or properties.get("objectType") in ("detection", "cell", "tile"):
            sure = _score(properties, where)
            label = labels.canonical(name) if name else MITOTIC_FIGURE.name
            rows += [(x, y, sure, label) for x, y in centres(geometry, f"{where}.geometry", origin_px0)]
        elif kind in ("Polygon", "MultiPolygon"):
            shape = shape_of(geometry, f"{where}.geometry", origin_px0)
            annotations.append(Outline(shape, name or str(properties.get("name") or "")))
        elif kind not in ("LineString", "MultiLineString"):
            raise FormatError(f"a geometry of unknown type {str(kind)[:40]!r}", where=f"{where}.geometry")
    x, y, score = np.array([row[:3] for row in rows], dtype=np.float64).reshape(-1, 3).T
    classes = np.array([row[3] for row in rows], dtype=np.str_)
    detections = Detections(x, y, score, classes, np.full(len(rows), path.name))
    return Objects(detections, tuple(annotations))


def read_tumour(
    path: Path, tumour_classes: Sequence[str] = (), *, origin_px0: PointPx0 = _ORIGIN
) -> SlideRegions:
    """Read the outlines of a tumour and of what is not to be counted.

    Parameters
    ----------
    path : Path
        As for `read`.
    tumour_classes : sequence of str
        Classes that are tumour, whatever their names seem to say; see `regions_of_outlines`.
    origin_px0 : PointPx0
        As for `read`.

    Raises
    ------
    FormatError
        If the file cannot be read or holds no such outline.
    RegionError
        If the class of an outline says neither tumour nor exclusion.
    """
    drawn = read(path, origin_px0=origin_px0).annotations
    regions = regions_of_outlines(drawn, tumour_classes=tumour_classes, where=str(path))
    if regions.tumour is None and regions.exclusion is None:
        raise FormatError("no outline", where=path, mend="draw the tumour as a polygon and export it again")
    return regions


def _class_name(properties: dict[str, Any]) -> str:
    classification = properties.get("classification")
    name = classification.get("name") if isinstance(classification, dict) else classification
    return name if isinstance(name, str) else ""


def _score(properties: dict[str, Any], where: str) -> float:
    measurements = properties.get("measurements") or {}
    if isinstance(measurements, list):
        pairs = [a_mapping(one, f"{where}.measurements") for one in measurements]
        measurements = {str(one.get("name")): one.get("value") for one in pairs}
    measured = a_mapping(measurements, f"{where}.measurements")
    found = [value for name, value in measured.items() if name.casefold() in ("score", "probability")]
    if not found:
        return 1.0
    score = a_number(found[0], f"{where}.measurements")
    if not 0 <= score <= 1:
        raise FormatError(f"a score in [0, 1] expected, got {score:g}", where=f"{where}.measurements")
    return score
