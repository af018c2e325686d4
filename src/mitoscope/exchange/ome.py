"""The regions of OME-XML, from a file of its own or from the header of an OME-TIFF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.format import Content, Format, ReadOptions
from mitoscope.exchange.geojson import Reader, ellipse
from mitoscope.exchange.xml_text import number_of, parse_xml, read_xml
from mitoscope.store import Study

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_KINDS = {"Point", "Rectangle", "Ellipse", "Polygon", "Polyline", "Line"}
_PLACE = {
    "Point": ("X", "Y"),
    "Rectangle": ("X", "Y", "Width", "Height"),
    "Ellipse": ("X", "Y", "RadiusX", "RadiusY"),
    "Line": ("X1", "Y1", "X2", "Y2"),
}


def read(path: Path, options: ReadOptions) -> Study:
    """Read points, rectangles, ellipses and polygons; their class is their text, else the name of their ROI.

    Raises
    ------
    FormatError
        If it is not such a file, or holds no ROI.
    """
    root = _root(path)
    features = list(_features(root))
    if not features:
        raise FormatError("no ROI in the OME-XML", where=path, mend="save the ROIs with the image")
    places = [f"shapes[{place}]" for place in range(len(features))]
    return Reader({"features": features}, path, options, places=places).study()


def _root(path: Path) -> ET.Element:
    if Content(path).xml_root == "OME":
        return read_xml(path)
    text = _description(path)
    if text is None:
        raise FormatError("no OME-XML in it", where=path)
    return parse_xml(text.encode(), where=path)


def _description(path: Path) -> str | None:
    """Return the OME-XML of a TIFF, None where it has none."""
    from tifffile import TiffFile

    try:
        with TiffFile(path) as file:
            return file.ome_metadata
    except Exception as error:
        raise FormatError(f"a damaged TIFF ({str(error)[:80]})", where=path) from None


def _features(root: ET.Element) -> Iterator[dict[str, Any]]:
    for roi in root.iter():
        if _tag(roi) != "ROI":
            continue
        for shape in roi.iter():
            kind = _tag(shape)
            if kind in _KINDS:
                name = (shape.get("Text") or roi.get("Name") or "").strip()
                classification = {"classification": {"name": name}} if name else {}
                properties = {"objectType": "annotation", **classification}
                plane = number_of(shape.get("TheZ")) or 0.0
                geometry = _geometry(kind, shape) | {"plane": {"z": int(plane) if abs(plane) < 2**31 else 0}}
                yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _geometry(kind: str, shape: ET.Element) -> dict[str, Any]:
    if kind in ("Polygon", "Polyline"):
        pairs = shape.get("Points", "").split()
        points = [[number_of(number) for number in pair.split(",")] for pair in pairs]
        points = [_moved(point, shape) for point in points]
        return {"type": kind, "coordinates": [points]}
    numbers = [number_of(shape.get(name)) for name in _PLACE[kind]]
    if None in numbers:
        return {"type": "Point", "coordinates": [None, None]}
    x, y, *extent = (number for number in numbers if number is not None)
    if kind == "Point":
        return {"type": "Point", "coordinates": _moved([x, y], shape)}
    if kind == "Line":
        return {"type": "LineString", "coordinates": [[x, y], extent]}
    across, down = extent
    if kind == "Ellipse":
        ring = ellipse(np.array([[x - across, y - down], [x + across, y + down]])).tolist()
    else:
        ring = [[x, y], [x + across, y], [x + across, y + down], [x, y + down]]
    return {"type": "Polygon", "coordinates": [[_moved(point, shape) for point in ring]]}


def _moved(point: list[Any], shape: ET.Element) -> list[Any]:
    """Return a point as the affine transform of its shape moves it."""
    matrix = next((element for element in shape if _tag(element) in ("Transform", "AffineTransform")), None)
    if matrix is None or len(point) != 2 or None in point:
        return point
    x, y = point
    factors = [[number_of(matrix.get(f"A{row}{column}")) for column in range(3)] for row in range(2)]
    if any(factor is None for row in factors for factor in row):
        return [None, None]
    return [float(np.dot(row, (x, y, 1))) for row in np.array(factors, dtype=np.float64)]


def _tag(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _recognises(content: Content) -> bool:
    if content.head[:4] not in _TIFF:
        return content.xml_root == "OME"
    return "<ROI" in (_description(content.path) or "")


FORMAT = Format(
    name="ome",
    title="regions of OME-XML, also in an OME-TIFF",
    suffix=".ome.xml",
    recognises=_recognises,
    read=read,
)
