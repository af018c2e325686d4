"""Reading QuPath GeoJSON: cells and regions of a slide, or the outlines of a tumour alone.

Coordinates are level-0 pixels of the full slide; with bounds they are relative to the upper left corner of
the vendor's bounds, as some tools want them, and the file says so in the member ``offset_px0``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.errors import CrossedOutlineError, FormatError, RegionError
from mitoscope.exchange import extension
from mitoscope.exchange.classes import CONSENSUS, LabelFinder
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.geojson.features import SCORE_NAMES, Feature, Ring, as_collection, read_features
from mitoscope.exchange.json_text import a_mapping, an_integer, read_json
from mitoscope.exchange.regions import (
    CELL_MAX_PX0,
    add_region,
    is_cell_class,
    open_holes,
    rings_without_holes,
)
from mitoscope.geometry import PointPx0
from mitoscope.region import Outline, RegionKind, SlideRegions, outline, regions_of_outlines
from mitoscope.store import QuarantineEntry, Rater, RaterKind, Shape, SlideRecord, Study, StudyBuilder

NOT_A_CELL = "no cell: a line, a hot spot or an outline without a class"
"""Why such objects are set aside."""
NO_GEOMETRY = "no geometry"
"""Why an object of QuPath's hierarchy that lies nowhere is set aside."""
_MODEL = Rater("model", RaterKind.MODEL)
_PROPERTIES = {"objectType", "object_type", "classification", "measurements"}
_ORIGIN = PointPx0(0.0, 0.0)


def read(path: Path, options: ReadOptions) -> Study:
    """Read a feature collection, a feature, a list of features or a geometry.

    Points, rectangles and polygons become cells with the label of their classification: that of a model for
    objects of type ``detection`` and ``cell`` with a score, else of a consensus; ``options.rater`` replaces
    both. Annotations of a class that says tumour, exclusion or region of interest are regions. Lines, hot
    spots, annotations with neither a class nor a name, and objects without a geometry are quarantined. Ids
    that are UUIDs are the cells' own.

    Raises
    ------
    FormatError
        If it is not such a file.
    """
    document = as_collection(read_json(path), str(path))
    study, notes = extension.detach(document, str(path))
    if study is None:
        study = Reader(document, path, options).study()
    return replace(study, notes=notes)


def read_tumour(
    path: Path, tumour_classes: Sequence[str] = (), *, origin_px0: PointPx0 = _ORIGIN
) -> SlideRegions:
    """Read what the outlines of a file say: tumour without exclusions, exclusions, regions of interest.

    Parameters
    ----------
    path : Path
        GeoJSON.
    tumour_classes : sequence of str
        Classes that are tumour, whatever they seem to say.
    origin_px0 : PointPx0
        Corner of the vendor's bounds, where the file's coordinates are relative to them.

    Raises
    ------
    FormatError
        If the file cannot be read or holds no outline of tumour.
    RegionError
        If a class does not say what it delimits, or an outline cannot be used, naming it.
    """
    value = read_json(path)
    found = [read_one() for _, read_one in read_features(value, str(path), (origin_px0.x, origin_px0.y))]
    outlines = [feature for feature in found if feature.is_outline and not feature.is_hot_spot]
    any_name = any(feature.name for feature in outlines)
    drawn = [
        Outline(_shape(polygon, feature), feature.name)
        for feature in outlines
        if not _is_cell(feature, any_name=any_name)
        for polygon in feature.polygons
    ]
    regions = regions_of_outlines(drawn, tumour_classes=tumour_classes, where=str(path))
    if regions.tumour is None and regions.exclusion is None:
        raise FormatError("no outline", where=path, mend="draw the tumour as a polygon and export it again")
    return regions


def _is_cell(feature: Feature, *, any_name: bool) -> bool:
    """Return whether an outline is that of a cell; one without a class is, where it is small among others."""
    ring = _extent(feature)
    if feature.name:
        return is_cell_class(feature.name, ring)
    return any_name and float(np.ptp(ring, axis=0).max()) <= CELL_MAX_PX0


def _shape(polygon: list[Ring], feature: Feature) -> Any:
    try:
        return outline(polygon[0], polygon[1:])
    except CrossedOutlineError as error:
        raise CrossedOutlineError(error.what, where=feature.where, mend=error.mend) from None
    except RegionError as error:
        raise RegionError(error.what, where=feature.where, mend=error.mend) from None


class Reader:
    """Reads one document: of a file, of another format as GeoJSON, or of what has just been written.

    Parameters
    ----------
    document : dict
        A FeatureCollection.
    path : Path
        The file.
    options : ReadOptions
        What it does not say.
    places : sequence of str
        Where the features stand in the file; by default their number.
    build : StudyBuilder, optional
        Where slides of one file are collected.
    """

    def __init__(
        self,
        document: dict[str, Any],
        path: Path,
        options: ReadOptions,
        *,
        places: Sequence[str] = (),
        build: StudyBuilder | None = None,
    ) -> None:
        self.document, self.path, self.options, self.places = document, path, options, places
        self.build = build or StudyBuilder()
        self.labels = LabelFinder()
        self.slide_name = options.slide_name(path)
        self.slide = self.build.slide(SlideRecord(self.slide_name))
        self.tumours: list[Ring] = []
        self.holes: list[tuple[Ring, Ring]] = []

    def study(self) -> Study:
        """Return the study of the document."""
        self.add()
        return self.build.build()

    def add(self) -> None:
        """Add what the document says."""
        features, by_model = [], set()
        found = read_features(self.document, str(self.path), self.options.offset_px0, places=self.places)
        for item, read_one in found:
            with self.build.aside(item, slide=self.slide_name):
                feature = read_one()
                if feature.class_name:
                    by_model.add(_is_by_model(feature))
                features.append(feature)
        self.is_mixed = len(by_model) > 1
        for feature in features:
            with self.build.aside(feature.value, slide=self.slide_name):
                self._feature(feature)
        for hole in open_holes(self.holes, self.tumours):
            self._region(hole, RegionKind.EXCLUSION, "", f"{self.path}: a hole in the tumour")

    def _feature(self, feature: Feature) -> None:
        kind = self.options.kind_of_outline(feature.name, _extent(feature)) if feature.is_outline else None
        if not feature.kind:
            self._quarantine(feature, NO_GEOMETRY, feature.object_type)
        elif not feature.polygons:
            self._quarantine(feature, NOT_A_CELL, feature.kind)
        elif feature.is_hot_spot or (feature.is_outline and not feature.name):
            self._quarantine(feature, NOT_A_CELL, feature.name or feature.kind)
        elif kind is not None:
            self._regions(feature, kind)
        elif feature.is_outline and not feature.class_name:
            self._quarantine(feature, NOT_A_CELL, feature.name)
        else:
            self._cells(feature)

    def _regions(self, feature: Feature, kind: RegionKind) -> None:
        for polygon in feature.polygons:
            rings, holes = rings_without_holes(polygon, kind)
            for ring in rings:
                self._region(ring, kind, feature.name, feature.where)
            if kind is RegionKind.TUMOUR:
                self.tumours.append(polygon[0])
            self.holes += [(hole, polygon[0]) for hole in holes]

    def _region(self, ring: Ring, kind: RegionKind, name: str, where: str) -> None:
        add_region(
            self.build, self.slide, ring, kind=kind, name=name, where=where, slide_name=self.slide_name
        )

    def _cells(self, feature: Feature) -> None:
        score, attributes = feature.score, _attributes(feature)
        whole = len(feature.polygons) == 1
        for polygon in feature.polygons:
            more = attributes if whole else {**attributes, "geojson.part": feature.kind}
            cell = self._cell(feature, polygon, more, guid=feature.guid if whole else None)
            if feature.class_name:
                label = self.build.label(self.labels.find(feature.class_name, feature.colour))
                self.build.event(cell, self.build.rater(self._rater(feature)), label, score=score)

    def _cell(self, feature: Feature, polygon: list[Ring], attributes: dict[str, Any], *, guid: Any) -> int:
        ring = polygon[0]
        low, high = ring.min(axis=0), ring.max(axis=0)
        number = feature.value.get("id")
        columns: dict[str, Any] = {
            "guid": guid,
            "external_id": None if number is None or guid is not None else str(number),
        }
        plane = a_mapping(feature.value["geometry"], "geometry").get("plane")
        columns["z"] = an_integer(plane.get("z", 0), "plane.z") if isinstance(plane, dict) else 0
        if len(polygon) > 1:
            attributes = {**attributes, "geojson.holes": [hole.tolist() for hole in polygon[1:]]}
        if feature.kind.endswith("Point"):
            return self.build.cell(self.slide, ring[0].tolist(), attributes=attributes, **columns)
        corners = {(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])}
        if len(ring) == 4 and {tuple(point) for point in ring.tolist()} == corners and len(polygon) == 1:
            bounds = [*low.tolist(), *high.tolist()]
            return self.build.cell(self.slide, bounds, shape=Shape.BOX, attributes=attributes, **columns)
        return self.build.polygon(self.slide, ring, attributes=attributes, **columns)

    def _rater(self, feature: Feature) -> Rater:
        default = _MODEL if _is_by_model(feature) else CONSENSUS
        return self.options.speaker(default, is_mixed=self.is_mixed)

    def _quarantine(self, feature: Feature, why: str, what: str) -> None:
        self.build.quarantine.append(QuarantineEntry(feature.where, why, what, self.slide_name))


def _is_by_model(feature: Feature) -> bool:
    return feature.is_detection and not math.isnan(feature.score)


def _extent(feature: Feature) -> Ring:
    return np.concatenate([polygon[0] for polygon in feature.polygons])


def _attributes(feature: Feature) -> dict[str, Any]:
    attributes = {
        f"geojson.{key}": value for key, value in feature.properties.items() if key not in _PROPERTIES
    }
    others = {
        key: measurement
        for key, measurement in feature.measurements.items()
        if key.casefold() not in SCORE_NAMES
    }
    if others:
        attributes["geojson.measurements"] = {
            key: None if math.isnan(other) else other for key, other in others.items()
        }
    if "nucleusGeometry" in feature.value:
        attributes["geojson.nucleusGeometry"] = feature.value["nucleusGeometry"]
    if feature.object_type != "annotation":
        attributes["geojson.objectType"] = feature.object_type
    return attributes
