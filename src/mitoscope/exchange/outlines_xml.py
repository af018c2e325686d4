"""Outlines in XML: ASAP, Aperio ImageScope and HALO, read as the features of GeoJSON, and written from them.

All count from the upper left corner of the slide in level-0 pixels and hold one slide a file. ASAP names the
class of an outline as the group that it is part of. ImageScope and HALO collect outlines in layers that bear
the class and the colour, and mark what is cut out of a layer by ``NegativeROA``: an exclusion here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import shortest
from mitoscope.exchange.format import Aspect, Content, Format, ReadOptions, WriteOptions
from mitoscope.exchange.geojson import Reader, document_of, ellipse
from mitoscope.exchange.xml_text import number_of, read_xml
from mitoscope.fsio import atomic_write
from mitoscope.region import RegionKind, kind_of_name
from mitoscope.store import Study

SPOT_RADIUS_PX0 = 25.0
"""Radius of the ellipse in which a spot is written where a program knows no points."""
_NO_GROUP = "None"
_IMAGESCOPE_TYPES = {"0": "Polygon", "1": "Rectangle", "2": "Ellipse"}
_AREAS = ("Polygon", "Rectangle", "Spline", "Ellipse")

FeaturesOf = Callable[[ET.Element], Iterator[dict[str, Any]]]
Points = list[list[float | None]]


def _read(features_of: FeaturesOf, path: Path, options: ReadOptions) -> Study:
    features = list(features_of(read_xml(path)))
    places = [f"annotations[{place}]" for place in range(len(features))]
    return Reader({"features": features}, path, options, places=places).study()


def _feature(kind: str, points: Points, name: str, colour: list[int] | None, own: str = "") -> dict[str, Any]:
    geometry: dict[str, Any] = {"type": "LineString", "coordinates": points}
    if kind == "Dot" or (len(points) == 1 and kind not in _AREAS):
        geometry = {"type": "Point", "coordinates": points[0] if points else []}
    elif kind == "PointSet":
        geometry["type"] = "MultiPoint"
    elif kind in _AREAS:
        if len(points) == 2 and kind != "Polygon":
            (x1, y1), (x2, y2) = points
            points = [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
        rings = [points]
        if (
            kind == "Ellipse"
            and points
            and not any(coordinate is None for point in points for coordinate in point)
        ):
            rings = [ellipse(np.array(points, dtype=np.float64)).tolist()]
        geometry = {"type": "Polygon", "coordinates": rings}
    properties: dict[str, Any] = {"objectType": "annotation", "name": own}
    if name:
        properties["classification"] = {"name": name, "color": colour}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _rgb(text: str | None) -> list[int] | None:
    """Return the colour of ``#rrggbb``."""
    digits = (text or "").removeprefix("#")
    is_colour = len(digits) == 6 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
    return list(bytes.fromhex(digits)) if is_colour else None


def _asap_features(root: ET.Element) -> Iterator[dict[str, Any]]:
    for annotation in root.iter("Annotation"):
        vertices = sorted(
            annotation.iter("Coordinate"), key=lambda vertex: number_of(vertex.get("Order")) or 0
        )
        points = [[number_of(vertex.get("X")), number_of(vertex.get("Y"))] for vertex in vertices]
        group = annotation.get("PartOfGroup", _NO_GROUP)
        name = "" if group == _NO_GROUP else group
        yield _feature(
            annotation.get("Type", "Polygon"),
            points,
            name,
            _rgb(annotation.get("Color")),
            annotation.get("Name", ""),
        )


def _layer_features(root: ET.Element) -> Iterator[dict[str, Any]]:
    for layer in root.iter("Annotation"):
        stated = layer.get("LineColor", "")
        is_colour = stated.isdecimal() and len(stated) < 11
        colour = list(int(stated).to_bytes(8, "little")[:3]) if is_colour else None  # 0xBBGGRR
        for region in layer.iter("Region"):
            vertices = [element for element in region.iter() if element.tag in ("Vertex", "V")]
            points = [[number_of(vertex.get("X")), number_of(vertex.get("Y"))] for vertex in vertices]
            kind = region.get("Type", "0")
            name = layer.get("Name", "").strip()
            if region.get("NegativeROA", "0").casefold() in ("1", "true"):
                is_said = kind_of_name(name) is RegionKind.EXCLUSION
                name = name if is_said else f"{name}: Ignore*".removeprefix(": ")
            yield _feature(_IMAGESCOPE_TYPES.get(kind, kind), points, name, colour)


def _write_asap(study: Study, path: Path, options: WriteOptions) -> None:
    root = ET.Element("ASAP_Annotations")
    listed, groups = ET.SubElement(root, "Annotations"), dict[str, str]()
    for place, (name, colour, kind, points) in enumerate(_shapes(study, options)):
        group = name or _NO_GROUP
        shown = f"#{bytes(colour).hex()}"
        stated = {"Name": f"Annotation {place}", "Type": kind, "PartOfGroup": group, "Color": shown}
        ring = ET.SubElement(ET.SubElement(listed, "Annotation", stated), "Coordinates")
        for order, (x, y) in enumerate(points):
            ET.SubElement(
                ring, "Coordinate", {"Order": str(order), "X": shortest(float(x)), "Y": shortest(float(y))}
            )
        if name:
            groups.setdefault(name, shown)
    collected = ET.SubElement(root, "AnnotationGroups")
    for name, shown in groups.items():
        group_of = ET.SubElement(collected, "Group", {"Name": name, "PartOfGroup": _NO_GROUP, "Color": shown})
        ET.SubElement(group_of, "Attributes")
    _write_tree(root, path)


def _write_layers(is_halo: bool, study: Study, path: Path, options: WriteOptions) -> None:
    root = ET.Element("Annotations")
    if not is_halo and study.slides and study.slides[0].mpp is not None:
        root.set("MicronsPerPixel", shortest(study.slides[0].mpp.mean))
    layers: dict[str, ET.Element] = {}
    codes = {kind: code for code, kind in _IMAGESCOPE_TYPES.items()}
    for name, colour, kind, points in _shapes(study, options, has_points=False):
        if name not in layers:
            place = str(len(layers) + 1)
            line = str(int.from_bytes(bytes(colour), "little"))
            stated = {"Name": name, "LineColor": line, "Visible": "True" if is_halo else "1"}
            own = {} if is_halo else {"Id": place, "ReadOnly": "0", "Type": "4", "Selected": "0"}
            layers[name] = ET.SubElement(ET.SubElement(root, "Annotation", own | stated), "Regions")
        regions = layers[name]
        negative = {"NegativeROA": "1" if kind_of_name(name) is RegionKind.EXCLUSION else "0"}
        place = str(len(regions) + 1)
        own = {"HasEndcaps": "0"} if is_halo else {"Id": place, "DisplayId": place, "Analyze": "1"}
        region = ET.SubElement(regions, "Region", {"Type": kind if is_halo else codes[kind]} | own | negative)
        ring = ET.SubElement(region, "Vertices")
        for x, y in points:
            vertex = {"X": shortest(float(x)), "Y": shortest(float(y))}
            ET.SubElement(ring, "V" if is_halo else "Vertex", vertex if is_halo else vertex | {"Z": "0"})
    _write_tree(root, path)


def _shapes(
    study: Study, options: WriteOptions, *, has_points: bool = True
) -> Iterator[tuple[str, list[int], str, list[list[float]]]]:
    """Yield class, colour, kind and vertices of each cell and region; the vertices are not closed."""
    for feature in document_of(study, options)["features"]:
        classification = feature["properties"].get("classification", {"name": "", "color": [134, 142, 150]})
        name = "".join(letter if letter.isprintable() else "_" for letter in classification["name"])
        geometry = feature["geometry"]
        if geometry["type"] != "Point":
            ring = geometry["coordinates"][0][:-1]
            xs, ys = {x for x, _ in ring}, {y for _, y in ring}
            kind = "Rectangle" if len(ring) == 4 and len(xs) == len(ys) == 2 else "Polygon"
            yield name, classification["color"], kind, ring
        elif has_points:
            yield name, classification["color"], "Dot", [geometry["coordinates"]]
        else:
            x, y = geometry["coordinates"]
            reach = SPOT_RADIUS_PX0
            yield name, classification["color"], "Ellipse", [[x - reach, y - reach], [x + reach, y + reach]]


def _write_tree(root: ET.Element, path: Path) -> None:
    ET.indent(root)
    try:
        content = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    except UnicodeEncodeError:
        raise FormatError("text that is not Unicode cannot be written as XML", where=path) from None
    with atomic_write(path) as stream:
        stream.write(content + b"\n")


def _is_halo(content: Content) -> bool:
    return b"<V " in content.head or b"HasEndcaps" in content.head


def _format(
    name: str,
    title: str,
    suffix: str,
    recognises: Callable[[Content], bool],
    features_of: FeaturesOf,
    write: Callable[[Study, Path, WriteOptions], None],
) -> Format:
    return Format(
        name=name,
        title=title,
        suffix=suffix,
        recognises=recognises,
        read=partial(_read, features_of),
        write=write,
        holds=frozenset({Aspect.LOOK_ALIKES, Aspect.OTHERS, Aspect.SHAPES, Aspect.REGIONS}),
        one_slide=True,
    )


OUTLINES = (
    _format(
        "asap",
        "ASAP XML: annotations in groups",
        ".xml",
        lambda content: content.xml_root == "ASAP_Annotations",
        _asap_features,
        _write_asap,
    ),
    _format(
        "imagescope",
        "Aperio ImageScope XML: regions in layers",
        ".xml",
        lambda content: content.xml_root == "Annotations" and not _is_halo(content),
        _layer_features,
        partial(_write_layers, False),
    ),
    _format(
        "halo",
        "HALO .annotations: regions in layers",
        ".annotations",
        lambda content: content.xml_root == "Annotations" and _is_halo(content),
        _layer_features,
        partial(_write_layers, True),
    ),
)
"""The formats."""
