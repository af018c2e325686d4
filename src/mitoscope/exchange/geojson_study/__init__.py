"""QuPath GeoJSON of a slide's annotations: cells and regions, with class, measurements and full history."""

from __future__ import annotations

from mitoscope.exchange.format import Content, Format
from mitoscope.exchange.geojson_study.reading import NOT_A_CELL, read
from mitoscope.exchange.geojson_study.writing import CIRCLE_VERTICES, write
from mitoscope.exchange.losses import EVERYTHING

__all__ = ["CIRCLE_VERTICES", "FORMAT", "NOT_A_CELL", "read", "write"]


def _recognises(content: Content) -> bool:
    value = content.json
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) and one.get("type") == "Feature" for one in value)
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
