"""QuPath GeoJSON: the cells and regions of a slide, the outline of a tumour, and what a run found."""

from __future__ import annotations

from mitoscope.exchange.format import EVERYTHING, Content, Format
from mitoscope.exchange.geojson.features import HOT_SPOT
from mitoscope.exchange.geojson.reading import NO_GEOMETRY, NOT_A_CELL, Reader, read, read_tumour
from mitoscope.exchange.geojson.writing import CIRCLE_VERTICES, document_of, ellipse, write, write_findings

__all__ = [
    "CIRCLE_VERTICES",
    "FORMAT",
    "HOT_SPOT",
    "NOT_A_CELL",
    "NO_GEOMETRY",
    "Reader",
    "document_of",
    "ellipse",
    "read",
    "read_tumour",
    "write",
    "write_findings",
]


def _recognises(content: Content) -> bool:
    value = content.json
    if isinstance(value, list):
        return bool(value) and all(
            isinstance(feature, dict) and feature.get("type") == "Feature" for feature in value
        )
    return isinstance(value, dict) and value.get("type") in ("FeatureCollection", "Feature")


FORMAT = Format(
    name="geojson",
    title="QuPath GeoJSON",
    suffix=".geojson",
    recognises=_recognises,
    read=read,
    write=write,
    holds=EVERYTHING,
    one_slide=True,
)
