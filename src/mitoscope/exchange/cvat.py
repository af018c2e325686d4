"""CVAT for images 1.1: shapes of many images in one XML file.

``points`` are cells, one for each point; ``box``, ``ellipse`` and ``polygon`` are cells or regions, as their
label says. Coordinates are pixels of the image, from its upper left corner. A shape that is turned
(``rotation``) and masks of pixels are quarantined. Format: https://docs.cvat.ai, "CVAT for image 1.1".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.format import Content, Format, ReadOptions
from mitoscope.exchange.geojson import Reader, ellipse
from mitoscope.exchange.xml_text import number_of, read_xml
from mitoscope.store import Study, StudyBuilder

_SHAPES = ("points", "box", "ellipse", "polygon", "polyline", "mask", "cuboid", "skeleton")

Point = list[float | None]


def read(path: Path, options: ReadOptions) -> Study:
    """Read the shapes of each image.

    Raises
    ------
    FormatError
        If it is not such a file.
    """
    build = StudyBuilder()
    for image in read_xml(path).iter("image"):
        name = image.get("name", "").strip()
        if not name:
            raise FormatError("an image without a name", where=path, mend="export the task from CVAT again")
        features, places = [], []
        for number, shape in enumerate(element for element in image if element.tag in _SHAPES):
            found = list(_features(shape))
            features += found
            places += [f"{name}: {shape.tag} {number + 1}"] * len(found)
        of_image = replace(options, slide=name)
        Reader({"features": features}, path, of_image, places=places, build=build).add()
    return build.build()


def _features(shape: ET.Element) -> Iterator[dict[str, Any]]:
    geometry: dict[str, Any] | None = None
    ring = _ring(shape)
    if shape.tag == "points":
        for point in _points(shape):
            yield _feature(shape, {"type": "Point", "coordinates": point})
        return
    if ring is not None and not number_of(shape.get("rotation", "0")):
        geometry = {"type": "Polygon", "coordinates": [ring]}
    elif shape.tag == "polyline":
        geometry = {"type": "LineString", "coordinates": _points(shape)}
    yield _feature(shape, geometry)


def _feature(shape: ET.Element, geometry: dict[str, Any] | None) -> dict[str, Any]:
    name = shape.get("label", "").strip()
    properties = {"objectType": "annotation", **({"classification": {"name": name}} if name else {})}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _points(shape: ET.Element) -> list[Point]:
    pairs = (pair.partition(",") for pair in shape.get("points", "").split(";"))
    return [[number_of(x), number_of(y)] for x, _, y in pairs]


def _ring(shape: ET.Element) -> list[Point] | None:
    """Return the vertices of an outline, None of what is none."""
    if shape.tag == "polygon":
        return _points(shape)
    if shape.tag == "box":
        left, top, right, bottom = (number_of(shape.get(name)) for name in ("xtl", "ytl", "xbr", "ybr"))
        return [[left, top], [right, top], [right, bottom], [left, bottom]]
    if shape.tag == "ellipse":
        x, y, reach_x, reach_y = (number_of(shape.get(name)) for name in ("cx", "cy", "rx", "ry"))
        if x is None or y is None or reach_x is None or reach_y is None:
            return [[None, None]] * 3  # quarantined with its place, as any vertex without a number
        corners = np.array([[x - reach_x, y - reach_y], [x + reach_x, y + reach_y]])
        ring: list[Point] = ellipse(corners).tolist()
        return ring
    return None


def _recognises(content: Content) -> bool:
    return content.xml_root == "annotations" and b"<image " in content.head


FORMAT = Format(
    name="cvat",
    title="CVAT for images 1.1: shapes of many images",
    suffix=".xml",
    recognises=_recognises,
    read=read,
)
