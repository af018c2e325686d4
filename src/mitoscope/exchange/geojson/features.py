"""Features of a GeoJSON file as QuPath writes them, checked: geometry, class, measurements, id."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange.json_text import a_list, a_mapping, a_number, a_share, as_uuid

HOT_SPOT: Final = "Hot spot"
"""Class of the window that a run counted in; nobody examined it."""
OFFSET: Final = "offset_px0"
"""Member of the collection: the corner that coordinates count from."""
SCORE_NAMES: Final = ("score", "probability", "confidence")
_DETECTIONS: Final = frozenset({"detection", "cell", "tile"})

Ring = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Feature:
    """One object.

    Parameters
    ----------
    value, properties : dict
        As they stand in the file.
    kind : str
        Type of the geometry, empty where there is none.
    polygons : list of list of ndarray
        Rings of each polygon in level-0 pixels, not closed; of a point one ring of one vertex. Empty for
        lines.
    where : str
        File and place.
    """

    value: dict[str, Any]
    properties: dict[str, Any]
    kind: str
    polygons: list[list[Ring]]
    where: str

    @cached_property
    def class_name(self) -> str:
        """Its class: the name, or the parts of a derived one joined by a colon."""
        classification = self.properties.get("classification")
        if isinstance(classification, dict):
            names = classification.get("names")
            classification = (
                ": ".join(map(str, names)) if isinstance(names, list) else classification.get("name")
            )
        if classification is not None and not isinstance(classification, str):
            raise FormatError("a name expected", where=f"{self.where}.properties.classification")
        return (classification or "").strip()

    @property
    def name(self) -> str:
        """Its class, else its own name."""
        own = self.properties.get("name")
        return self.class_name or (own.strip() if isinstance(own, str) else "")

    @property
    def object_type(self) -> str:
        """``annotation``, ``detection``, ``cell`` or ``tile``."""
        return str(self.properties.get("objectType", self.properties.get("object_type", "annotation")))

    @property
    def is_detection(self) -> bool:
        """Whether a program found it."""
        return self.object_type in _DETECTIONS

    @property
    def is_outline(self) -> bool:
        """Whether it is an annotation with an area."""
        return self.kind in ("Polygon", "MultiPolygon") and not self.is_detection

    @property
    def is_hot_spot(self) -> bool:
        """Whether it is the window of a mitotic count."""
        return self.name.casefold().startswith(HOT_SPOT.casefold())

    @property
    def guid(self) -> str | None:
        """Its id, where that is a UUID: QuPath gives any other object a new one."""
        return as_uuid(self.value.get("id"))

    @property
    def colour(self) -> str | None:
        """``#rrggbb`` of its class: a list of three, or the integer that QuPath 0.3 writes."""
        classification = self.properties.get("classification")
        if not isinstance(classification, dict):
            return None
        colour = classification.get("color", classification.get("colorRGB"))
        if isinstance(colour, int) and not isinstance(colour, bool):
            return f"#{colour & 0xFFFFFF:06x}"
        rgb = colour if isinstance(colour, list) else []
        if len(rgb) == 3 and all(isinstance(channel, int) and 0 <= channel < 256 for channel in rgb):
            return "#" + "".join(f"{channel:02x}" for channel in rgb)
        return None

    @cached_property
    def measurements(self) -> dict[str, float]:
        """Numbers by name; NaN where QuPath could not measure."""
        where = f"{self.where}.properties.measurements"
        found = self.properties.get("measurements") or {}
        if isinstance(found, list):
            # QuPath up to 0.3 writes a list of name and value.
            pairs = [a_mapping(entry, where) for entry in found]
            found = {str(pair.get("name")): pair.get("value") for pair in pairs}
        return {
            key: math.nan if value in _NO_NUMBERS else a_number(value, f"{where}[{key!r}]")
            for key, value in a_mapping(found, where).items()
        }

    @property
    def score(self) -> float:
        """The first measurement that is a score, NaN where there is none.

        Raises
        ------
        FormatError
            If it is not in [0, 1].
        """
        found = (value for key, value in self.measurements.items() if key.casefold() in SCORE_NAMES)
        score = next(found, math.nan)
        return a_share(score, self.where)


_NO_NUMBERS = ("NaN", "nan", "Infinity", "-Infinity")


def read_features(
    value: Any, where: str, offset_px0: Any = (0.0, 0.0), *, places: Sequence[str] = ()
) -> Iterator[tuple[Any, Callable[[], Feature]]]:
    """Yield each feature of a FeatureCollection, a list, a feature or a geometry, with what reads it.

    Parameters
    ----------
    value : JSON value
    where : str
        The file, for errors.
    offset_px0 : array_like, shape (2,)
        Added to the coordinates, beside the offset that the file states.
    places : sequence of str
        Where the features stand in the file; by default their number.

    Raises
    ------
    FormatError
        If it is none of these; when a feature is read, if one of its values cannot be.
    """
    document = as_collection(value, where)
    stated = a_list(document.get(OFFSET, [0, 0]), f"{where}: {OFFSET}")
    offset = np.array([a_number(number, f"{where}: {OFFSET}") for number in stated])
    if offset.shape != (2,) or not np.isfinite(offset).all():
        raise FormatError("x and y expected", where=f"{where}: {OFFSET}")
    corner = offset + np.asarray(offset_px0, dtype=np.float64)
    features = a_list(document.get("features"), f"{where}: features")
    named = places or [f"features[{place}]" for place in range(len(features))]
    for one, place in zip(features, named, strict=True):
        yield one, partial(_feature, one, f"{where}: {place}", corner)


def as_collection(value: Any, where: str) -> dict[str, Any]:
    """Return a list, a feature or a bare geometry as a FeatureCollection, which stays as it is."""
    if isinstance(value, list):
        return {"type": "FeatureCollection", "features": value}
    document = a_mapping(value, where)
    if document.get("type") == "Feature":
        return {"type": "FeatureCollection", "features": [document]}
    if "coordinates" in document:
        return {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": document}]}
    if "features" not in document and document.get("type") != "FeatureCollection":
        raise FormatError("not GeoJSON: no features", where=where, mend="export the objects as GeoJSON")
    return document


def _feature(value: Any, where: str, offset: Ring) -> Feature:
    feature = a_mapping(value, where)
    properties = a_mapping(feature.get("properties") or {}, f"{where}.properties")
    if feature.get("geometry") is None:
        return Feature(feature, properties, "", [], where)
    geometry = a_mapping(feature["geometry"], f"{where}.geometry")
    kind = str(geometry.get("type"))
    polygons = _polygons(kind, geometry.get("coordinates"), f"{where}.geometry.coordinates", offset)
    return Feature(feature, properties, kind, polygons, where)


def _polygons(kind: str, parts: Any, where: str, offset: Ring) -> list[list[Ring]]:
    if kind == "Point":
        return [[_points([parts], where) + offset]]
    if kind == "MultiPoint":
        return [[point[np.newaxis] + offset] for point in _points(a_list(parts, where), where)]
    if kind not in ("Polygon", "MultiPolygon"):
        return []
    polygons = [parts] if kind == "Polygon" else a_list(parts, where)
    found = [
        [_opened(_points(a_list(ring, where), where) + offset) for ring in a_list(polygon, where)]
        for polygon in polygons
    ]
    if not found or not all(found):
        raise FormatError("a polygon without a ring", where=where)
    return found


def _points(values: list[Any], where: str) -> Ring:
    points = [[a_number(number, where) for number in a_list(value, where)[:2]] for value in values]
    if not points or any(len(point) != 2 for point in points):
        raise FormatError("pairs of x and y expected", where=where)
    return np.array(points)


def _opened(points: Ring) -> Ring:
    closed = len(points) > 1 and (points[0] == points[-1]).all()
    return points[:-1] if closed else points
