"""Reading QuPath GeoJSON of a slide's annotations: cells and regions, with class and measurements.

Coordinates are level-0 pixels of the full slide; with bounds they are relative to the upper left corner of
the vendor's bounds, as some tools want them, and the file says so in the member ``offset_px0``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange import extension
from mitoscope.exchange.class_table import LabelFinder
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.geojson import HOT_SPOT
from mitoscope.exchange.json_text import a_list, a_mapping, a_number, an_integer, read_json
from mitoscope.exchange.outcome import CONSENSUS
from mitoscope.exchange.sliderunner.reading import TUMOUR_CLASSES
from mitoscope.store.builder import StudyBuilder
from mitoscope.store.kinds import RaterKind, RegionKind, Shape
from mitoscope.store.records import QuarantineEntry, Rater, Region, SlideRecord, Study

EXCLUSION_CLASSES = ("ignore", "exclusion", "exclude", "nontumor", "nontumour")
"""Class names of what is not to be counted, letters only; QuPath's own is ``Ignore*``."""
NOT_A_CELL = "no cell: a line, a hot spot or an outline without a class"
"""Why such objects are set aside."""
SCORE_NAMES = ("score", "probability", "confidence")

OFFSET = "offset_px0"
"""Member of the collection: the corner that coordinates count from."""
_MODEL = Rater("model", RaterKind.MODEL)
_PROPERTIES = {"objectType", "object_type", "classification", "measurements"}


def read(path: Path, options: ReadOptions) -> Study:
    """Read a feature collection, a feature or a list of features.

    Points, rectangles and polygons become cells with the label of their classification: that of a model for
    objects of type ``detection`` and ``cell`` with a score, else of a consensus or ``options.rater``.
    Polygons of a tumour class (``Tumor``) are regions, of ``Ignore*`` exclusions. Lines, and annotations with
    neither a class nor a label, such as a hot spot, are quarantined.

    Raises
    ------
    FormatError
        If it is not such a file.
    """
    value = read_json(path)
    if isinstance(value, list):
        value = {"type": "FeatureCollection", "features": value}
    document = a_mapping(value, str(path))
    if document.get("type") == "Feature":
        document = {"type": "FeatureCollection", "features": [document]}
    study, entries = extension.detach(document, str(path))
    if study is None:
        study = Reader(document, path, options).study()
    return replace(study, quarantine=(*study.quarantine, *entries))


class Reader:
    """Reads one document; also used to see what of a study a written document says by itself."""

    def __init__(self, document: dict[str, Any], path: Path, options: ReadOptions) -> None:
        self.document, self.path, self.options = document, path, options
        self.build = StudyBuilder()
        self.labels = LabelFinder()
        self.slide = self.build.slide(SlideRecord(options.slide_name(path)))
        stated = a_list(document.get(OFFSET, [0, 0]), f"{path}: {OFFSET}")
        self.offset = np.array([a_number(one, f"{path}: {OFFSET}") for one in stated])
        if self.offset.shape != (2,) or not np.isfinite(self.offset).all():
            raise FormatError("x and y expected", where=f"{path}: {OFFSET}")
        self.offset = self.offset + options.offset_px0

    def study(self) -> Study:
        """Return the study of the document."""
        features = a_list(self.document.get("features"), f"{self.path}: features")
        for place, one in enumerate(features):
            where = f"{self.path}: features[{place}]"
            self._feature(a_mapping(one, where), where)
        return self.build.build()

    def _feature(self, feature: dict[str, Any], where: str) -> None:
        geometry = a_mapping(feature.get("geometry"), f"{where}.geometry")
        properties = a_mapping(feature.get("properties") or {}, f"{where}.properties")
        kind, parts = str(geometry.get("type")), geometry.get("coordinates")
        name = _class_name(properties, where)
        region = region_kind(name)
        rings = self._rings(kind, parts, f"{where}.geometry.coordinates")
        if rings is None:
            self._quarantine(where, NOT_A_CELL, kind)
        elif region is not None and kind in ("Polygon", "MultiPolygon"):
            self.build.regions += [Region(self.slide, ring[0], region, name) for ring in rings]
            holes = [hole for ring in rings for hole in ring[1:]]
            self.build.regions += [Region(self.slide, hole, RegionKind.EXCLUSION, name) for hole in holes]
        elif _is_hot_spot(name) or _is_unclassed_outline(properties, kind, name):
            what = name or str(properties.get("name", kind))
            self._quarantine(where, NOT_A_CELL, what)
        else:
            self._cells(feature, properties, kind, rings, where)

    def _rings(self, kind: str, parts: Any, where: str) -> list[list[NDArray[np.float64]]] | None:
        """Return the polygons of a geometry, each a list of rings; of a point one with one vertex."""
        if kind == "Point":
            return [[self._points([parts], where)]]
        if kind == "MultiPoint":
            return [[one[np.newaxis]] for one in self._points(a_list(parts, where), where)]
        if kind not in ("Polygon", "MultiPolygon"):
            return None
        polygons = [parts] if kind == "Polygon" else a_list(parts, where)
        return [
            [_opened(self._points(a_list(ring, where), where)) for ring in a_list(polygon, where)]
            for polygon in polygons
        ]

    def _points(self, values: list[Any], where: str) -> NDArray[np.float64]:
        points = [[a_number(one, where) for one in a_list(value, where)[:2]] for value in values]
        if not points or any(len(point) != 2 for point in points):
            raise FormatError("pairs of x and y expected", where=where)
        return np.asarray(np.array(points) + self.offset, dtype=np.float64)

    def _cells(
        self,
        feature: dict[str, Any],
        properties: dict[str, Any],
        kind: str,
        rings: list[list[NDArray[np.float64]]],
        where: str,
    ) -> None:
        measurements = _measurements(properties, where)
        score = next(
            (value for key, value in measurements.items() if key.casefold() in SCORE_NAMES), math.nan
        )
        if not math.isnan(score) and not 0 <= score <= 1:
            raise FormatError(f"a score of {score:g} outside [0, 1]", where=where)
        attributes = _attributes(feature, properties, measurements)
        name = _class_name(properties, where)
        for polygon in rings:
            if not polygon:
                raise FormatError("a polygon without a ring", where=where)
            cell = self._cell(
                feature, polygon, attributes if len(rings) == 1 else {**attributes, "geojson.part": kind}
            )
            if name:
                label = self.build.label(self.labels.find(name, _colour(properties)))
                rater = self.build.rater(self._rater(properties, score))
                self.build.event(cell, rater, label, score=score)

    def _cell(
        self, feature: dict[str, Any], polygon: list[NDArray[np.float64]], attributes: dict[str, Any]
    ) -> int:
        ring = polygon[0]
        low, high = ring.min(axis=0), ring.max(axis=0)
        number = feature.get("id")
        columns: dict[str, Any] = {"external_id": None if number is None else str(number)}
        plane = a_mapping(feature["geometry"], "geometry").get("plane")
        columns["z"] = an_integer(plane.get("z", 0), "plane.z") if isinstance(plane, dict) else 0
        if len(polygon) > 1:
            attributes = {**attributes, "geojson.holes": [hole.tolist() for hole in polygon[1:]]}
        if len(ring) == 1:
            return self.build.cell(self.slide, ring[0].tolist(), attributes=attributes, **columns)
        corners = {(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])}
        if len(ring) == 4 and {tuple(one) for one in ring.tolist()} == corners and len(polygon) == 1:
            bounds = [*low.tolist(), *high.tolist()]
            return self.build.cell(self.slide, bounds, shape=Shape.BOX, attributes=attributes, **columns)
        return self.build.polygon(self.slide, ring, attributes=attributes, **columns)

    def _rater(self, properties: dict[str, Any], score: float) -> Rater:
        is_model = _object_type(properties) in ("detection", "cell") and not math.isnan(score)
        if self.options.rater is not None:
            return Rater(self.options.rater, RaterKind.MODEL if is_model else RaterKind.EXPERT)
        return _MODEL if is_model else CONSENSUS

    def _quarantine(self, where: str, why: str, what: str) -> None:
        self.build.quarantine.append(QuarantineEntry(where, why, what, self.options.slide_name(self.path)))


def _opened(points: NDArray[np.float64]) -> NDArray[np.float64]:
    closed = len(points) > 3 and (points[0] == points[-1]).all()
    return points[:-1] if closed else points


def _object_type(properties: dict[str, Any]) -> str:
    return str(properties.get("objectType", properties.get("object_type", "annotation")))


def _class_name(properties: dict[str, Any], where: str) -> str:
    found = properties.get("classification")
    if isinstance(found, dict):
        names = found.get("names")
        found = ": ".join(map(str, names)) if isinstance(names, list) else found.get("name")
    if found is not None and not isinstance(found, str):
        raise FormatError("a name expected", where=f"{where}.properties.classification")
    return (found or "").strip()


def region_kind(name: str) -> RegionKind | None:
    """Return which regions have this class, None where it is one of cells."""
    letters = "".join(one for one in name.casefold() if one.isalpha())
    if letters in TUMOUR_CLASSES:
        return RegionKind.TUMOUR
    return RegionKind.EXCLUSION if letters in EXCLUSION_CLASSES else None


def _is_hot_spot(name: str) -> bool:
    return name.casefold() == HOT_SPOT.casefold()


def _is_unclassed_outline(properties: dict[str, Any], kind: str, name: str) -> bool:
    return not name and kind.endswith("Polygon") and _object_type(properties) == "annotation"


def _measurements(properties: dict[str, Any], where: str) -> dict[str, float]:
    found = properties.get("measurements") or {}
    if isinstance(found, list):
        # QuPath up to 0.3 writes a list of name and value.
        pairs = [a_mapping(one, f"{where}.properties.measurements") for one in found]
        found = {str(one.get("name")): one.get("value") for one in pairs}
    found = a_mapping(found, f"{where}.properties.measurements")
    return {key: a_number(value, f"{where}.properties.measurements[{key!r}]") for key, value in found.items()}


def _attributes(
    feature: dict[str, Any], properties: dict[str, Any], measurements: dict[str, float]
) -> dict[str, Any]:
    found = {f"geojson.{key}": value for key, value in properties.items() if key not in _PROPERTIES}
    others = {key: value for key, value in measurements.items() if key.casefold() not in SCORE_NAMES}
    if others:
        found["geojson.measurements"] = {key: None if math.isnan(one) else one for key, one in others.items()}
    if "nucleusGeometry" in feature:
        found["geojson.nucleusGeometry"] = feature["nucleusGeometry"]
    if _object_type(properties) != "annotation":
        found["geojson.objectType"] = _object_type(properties)
    return found


def _colour(properties: dict[str, Any]) -> str | None:
    found = properties.get("classification")
    colour = found.get("color") if isinstance(found, dict) else None
    is_rgb = isinstance(colour, list) and len(colour) == 3
    if is_rgb and all(isinstance(one, int) and 0 <= one < 256 for one in colour or []):
        return "#" + "".join(f"{one:02x}" for one in colour or [])
    return None
