"""Features and geometries of GeoJSON, checked; every error names the feature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from mitoscope.errors import FormatError, RegionError
from mitoscope.exchange.json_text import a_list, a_mapping, a_number
from mitoscope.geometry import PointPx0
from mitoscope.region import outline


def features(value: Any, where: str) -> list[tuple[dict[str, Any], str]]:
    """Return the features of a FeatureCollection, a list, a feature or a geometry, each with its place.

    Raises
    ------
    FormatError
        If it is none of these.
    """
    if isinstance(value, list):
        return [
            (a_mapping(one, f"{where}: feature {n}"), f"{where}: feature {n}")
            for n, one in enumerate(value, start=1)
        ]
    value = a_mapping(value, where)
    if value.get("type") == "FeatureCollection":
        return features(a_list(value.get("features"), f"{where}: features"), where)
    if value.get("type") == "Feature":
        return [(value, f"{where}: feature 1")]
    if "coordinates" in value:
        return [({"geometry": value}, f"{where}: feature 1")]
    raise FormatError("not GeoJSON: no features", where=where, mend="export the objects as GeoJSON")


def centres(geometry: dict[str, Any], where: str, origin: PointPx0) -> list[tuple[float, float]]:
    """Return the points of a geometry in level-0 pixels: of a polygon, the middle of its extent.

    Raises
    ------
    FormatError
        If it is neither of points nor of polygons, or a coordinate is not a finite number.
    """
    kind = geometry.get("type")
    if kind == "Point":
        return [_position(geometry.get("coordinates"), where, origin)]
    if kind == "MultiPoint":
        return [_position(one, where, origin) for one in a_list(geometry.get("coordinates"), where)]
    if kind not in ("Polygon", "MultiPolygon"):
        raise FormatError(f"a detection as {str(kind)[:40]!r}", where=where, mend="export it as a polygon")
    rings = [part[0] for part in _rings(geometry, where, origin)]
    corners = np.concatenate([np.array(ring, dtype=np.float64).reshape(-1, 2) for ring in rings])
    low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return [((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)]


def shape_of(geometry: dict[str, Any], where: str, origin: PointPx0) -> BaseGeometry:
    """Return the shape of a Polygon or MultiPolygon in level-0 pixels.

    Raises
    ------
    FormatError
        If a ring has fewer than 3 corners or crosses itself, or a coordinate is not a finite number.
    """
    try:
        return shapely.union_all([outline(outer, holes) for outer, *holes in _rings(geometry, where, origin)])
    except RegionError as error:
        raise FormatError(error.what, where=where, mend=error.mend) from None


def _rings(geometry: dict[str, Any], where: str, origin: PointPx0) -> list[list[list[tuple[float, float]]]]:
    """Return the rings of each polygon, the exterior first."""
    coordinates = a_list(geometry.get("coordinates"), where)
    parts = coordinates if geometry["type"] == "MultiPolygon" else [coordinates]
    found = []
    for part in parts:
        rings = [
            [_position(one, where, origin) for one in a_list(ring, where)] for ring in a_list(part, where)
        ]
        if not rings:
            raise FormatError("a polygon without a ring", where=where)
        found.append(rings)
    if not found:
        raise FormatError("an outline without a polygon", where=where)
    return found


def _position(value: Any, where: str, origin: PointPx0) -> tuple[float, float]:
    position = a_list(value, where)
    if len(position) < 2:
        raise FormatError(f"a position of 2 numbers expected, got {len(position)}", where=where)
    x, y = a_number(position[0], where), a_number(position[1], where)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise FormatError("a position that is not a number", where=where)
    return x + origin.x, y + origin.y
