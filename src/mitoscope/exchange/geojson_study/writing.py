"""Writing QuPath GeoJSON of a slide's annotations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.exchange import extension
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.geojson_study.reading import OFFSET, Reader, region_kind
from mitoscope.exchange.json_text import dump_json
from mitoscope.exchange.outcome import outcome
from mitoscope.fsio import atomic_write
from mitoscope.labels import Label
from mitoscope.store.kinds import RaterKind, RegionKind, Shape
from mitoscope.store.records import Region, Study

CIRCLE_VERTICES = 64
"""Of the polygon in which a circle is written."""
_REGION_CLASS = {RegionKind.TUMOUR: "Tumor", RegionKind.EXCLUSION: "Ignore*"}


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
    document = _document(study, options)
    plain = Reader(document, path, ReadOptions()).study()
    if plain != study:
        document = extension.attach(document, study)
    with atomic_write(path) as stream:
        stream.write(dump_json(document))


def _document(study: Study, options: WriteOptions) -> dict[str, Any]:
    offset = np.array([options.bounds.x, options.bounds.y] if options.bounds is not None else [0, 0])
    labels, scores = outcome(study)
    by_others = np.zeros(len(study.cells), dtype=np.bool_)
    models = [place for place, one in enumerate(study.raters) if one.kind is RaterKind.MODEL]
    by_others[study.events.cell[~np.isin(study.events.rater, models)]] = True
    spoken = np.zeros(len(study.cells), dtype=np.bool_)
    spoken[study.events.cell] = True
    features = [
        _cell_feature(
            study, row, int(labels[row]), float(scores[row]), offset, bool(spoken[row] & ~by_others[row])
        )
        for row in range(len(study.cells))
        if not study.cells.deleted[row]
    ]
    features += [_region_feature(region, offset) for region in study.regions]
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    return document | ({OFFSET: offset.tolist()} if offset.any() else {})


def _cell_feature(
    study: Study, row: int, label: int, score: float, offset: NDArray[Any], is_detection: bool
) -> dict[str, Any]:
    attributes = study.cells.attributes.get(row, {})
    kind = "detection" if is_detection else "annotation"
    properties: dict[str, Any] = {"objectType": attributes.get("geojson.objectType", kind)}
    if label >= 0:
        properties["classification"] = _classification(study.labels.labels[label])
    measurements = dict(attributes.get("geojson.measurements", {}))
    if not math.isnan(score):
        measurements["score"] = score
    if measurements:
        properties["measurements"] = measurements
    own = {
        "geojson.measurements",
        "geojson.objectType",
        "geojson.holes",
        "geojson.nucleusGeometry",
        "geojson.part",
    }
    properties |= {
        key.removeprefix("geojson."): value
        for key, value in attributes.items()
        if key.startswith("geojson.") and key not in own
    }
    feature: dict[str, Any] = {"type": "Feature"}
    number = study.cells.external_id[row] or study.cells.guid[row]
    if number is not None:
        feature["id"] = number
    feature |= {"geometry": _geometry(study, row, offset), "properties": properties}
    if "geojson.nucleusGeometry" in attributes:
        feature["nucleusGeometry"] = attributes["geojson.nucleusGeometry"]
    return feature


def _classification(label: Label) -> dict[str, Any]:
    digits = label.colour.removeprefix("#")
    colour = list(bytes.fromhex(digits)) if len(digits) == 6 else [0, 0, 0]
    return {"name": label.name, "color": colour}


def _geometry(study: Study, row: int, offset: NDArray[Any]) -> dict[str, Any]:
    cells = study.cells
    z = int(cells.z[row])
    plane = {"plane": {"c": -1, "z": z, "t": 0}} if z else {}
    if cells.shape[row] == Shape.SPOT:
        return {"type": "Point", "coordinates": _list(cells.bounds_px0[row, :2] - offset)} | plane
    rings = [_outline(study, row) - offset]
    rings += [np.array(hole) - offset for hole in cells.attributes.get(row, {}).get("geojson.holes", [])]
    return {"type": "Polygon", "coordinates": [_list(np.vstack([ring, ring[:1]])) for ring in rings]} | plane


def _outline(study: Study, row: int) -> NDArray[np.float64]:
    x_min, y_min, x_max, y_max = study.cells.bounds_px0[row].tolist()
    if study.cells.shape[row] == Shape.POLYGON:
        return np.asarray(study.cells.vertices_px0[row], dtype=np.float64)
    if study.cells.shape[row] == Shape.BOX:
        return np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
    angle = np.arange(CIRCLE_VERTICES) * (2 * np.pi / CIRCLE_VERTICES)
    x = (x_min + x_max) / 2 + (x_max - x_min) / 2 * np.cos(angle)
    y = (y_min + y_max) / 2 + (y_max - y_min) / 2 * np.sin(angle)
    return np.column_stack([x, y])


def _region_feature(region: Region, offset: NDArray[Any]) -> dict[str, Any]:
    name = region.name if region_kind(region.name) is region.kind else _REGION_CLASS[region.kind]
    ring = region.vertices_px0 - offset
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [_list(np.vstack([ring, ring[:1]]))]},
        "properties": {"objectType": "annotation", "classification": {"name": name, "color": [255, 212, 59]}},
    }


def _list(values: NDArray[np.float64]) -> list[Any]:
    if values.ndim > 1:
        return [_list(one) for one in values]
    return [int(one) if one.is_integer() and abs(one) < 2**53 else one for one in values.tolist()]
