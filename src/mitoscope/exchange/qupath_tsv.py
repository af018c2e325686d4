"""The measurement tables of QuPath: an object a row, with its centre in px or µm, class and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import number
from mitoscope.exchange.format import Content, Format, ReadOptions, needed_mpp
from mitoscope.exchange.geojson import Reader
from mitoscope.exchange.table import Row, read_table
from mitoscope.region import kind_of_name
from mitoscope.store import Study, StudyBuilder

_COLUMNS = {
    "image": ("image",),
    "class": ("classification", "class"),
    "type": ("object type",),
    "id": ("object id",),
    "score": ("score", "probability", "confidence", "detection probability", "classification probability"),
}
"""What is read of an object → the names of its column in the versions of QuPath."""


def read(path: Path, options: ReadOptions) -> Study:
    """Read the centre of each object as a cell.

    Objects of a class that says tumour, exclusion or region of interest are quarantined: of their outline the
    table says the centre alone.

    Raises
    ------
    FormatError
        If it is not such a table.
    ScaleError
        If the centres are in µm and ``options.mpp`` is not given.
    """
    build = StudyBuilder()
    table = read_table(path, needed=(), build=build)
    axes = [name for name in table.columns if name.startswith(("centroid x", "centroid y"))]
    if len(axes) != 2:
        what = "no columns Centroid X and Centroid Y"
        raise FormatError(what, where=path, mend="export them from QuPath with the measurements")
    px0_per_unit = (1.0, 1.0)
    if not all(name.endswith("px") for name in axes):
        mpp = needed_mpp(options.mpp, "centroids in µm", path)
        px0_per_unit = (1 / mpp.x, 1 / mpp.y)
    columns = {
        what: next((name for name in names if name in table.columns), "") for what, names in _COLUMNS.items()
    }
    images: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table.rows:
        image = row.text(columns["image"]) or options.slide_name(path)
        with build.aside(row.cells, slide=image):
            centre = [
                number(row.cells[name], row.where) * factor
                for name, factor in zip(sorted(axes), px0_per_unit, strict=True)
            ]
            place = "line " + row.where.rpartition(":")[2]
            images.setdefault(image, {})[place] = _feature(row, centre, columns)
    for image, features in images.items():
        document, of_image = {"features": list(features.values())}, replace(options, slide=image)
        Reader(document, path, of_image, places=list(features), build=build).add()
    return build.build()


def _feature(row: Row, centre: list[float], columns: Mapping[str, str]) -> dict[str, Any]:
    name = row.text(columns["class"])
    if kind_of_name(name) is not None:
        raise FormatError("of an outline its centre alone", where=row.where)
    score = number(row.cells.get(columns["score"], ""), row.where)
    kind = row.text(columns["type"]).casefold().removeprefix("path").removesuffix("object")
    properties = {
        "objectType": kind or "annotation",
        "measurements": {} if score != score else {"score": score},
        **({"classification": {"name": name}} if name else {}),
    }
    identity = row.text(columns["id"]) or None
    return {"id": identity, "geometry": {"type": "Point", "coordinates": centre}, "properties": properties}


def _recognises(content: Content) -> bool:
    return {"centroid x", "centroid y"} <= {name[:10] for name in content.header}


FORMAT = Format(
    name="qupath-tsv",
    title="QuPath measurement table: centres of objects, in px or µm",
    suffix=".tsv",
    recognises=_recognises,
    read=read,
)
