"""Parquet and GeoParquet: the features of GeoJSON as rows, of any number of slides (extra ``parquet``).

Written files are GeoParquet 1.1 without a coordinate reference system: ``geometry`` in level-0 pixels (WKB),
``image``, ``label``, ``score``, ``object_type``, ``id``. Of others, files with a geometry are read, and
tables with the columns ``x`` and ``y``, or ``x1``, ``y1``, ``x2``, ``y2``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import shapely

from mitoscope.errors import FormatError
from mitoscope.exchange.format import Aspect, Format, ReadOptions, WriteOptions
from mitoscope.exchange.geojson import Reader, document_of
from mitoscope.exchange.json_text import MAX_BYTES
from mitoscope.extras import how_to_install
from mitoscope.fsio import atomic_write, open_regular
from mitoscope.store import Study, StudyBuilder

MAGIC: Final = b"PAR1"
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "image": ("image", "slide", "file", "file_name", "filename"),
    "label": ("label", "class", "classification", "class_name"),
    "score": ("score", "probability", "confidence"),
    "object_type": ("object_type", "objecttype"),
    "id": ("id", "guid"),
}
"""What is read of a row → the names that its column may have."""
_PLACES = (("x", "y"), ("x1", "y1", "x2", "y2"))


def load_pyarrow() -> Any:
    """Return pyarrow, or raise FormatError saying how to install it."""
    try:
        import_module("pyarrow.parquet")
    except ImportError:
        raise FormatError("Parquet needs pyarrow", mend=how_to_install("parquet")) from None
    return import_module("pyarrow")


def read(path: Path, options: ReadOptions) -> Study:
    """Read the rows of a table as QuPath objects; see `geojson.read`.

    Raises
    ------
    FormatError
        If the extra ``parquet`` is missing, or it is not such a file.
    """
    pyarrow = load_pyarrow()
    try:
        with open_regular(path) as stream, pyarrow.parquet.ParquetFile(stream) as file:
            size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
            if size > MAX_BYTES:
                raise FormatError(f"larger than {MAX_BYTES >> 20} MiB", where=path, mend="split the file")
            geometry = _geometry_column(file.schema_arrow)
            columns = {name.casefold(): name for name in file.schema_arrow.names}
            found = {
                what: next((columns[name] for name in names if name in columns), "")
                for what, names in _NAMES.items()
            }
            place = next((names for names in _PLACES if set(names) <= columns.keys()), ())
            if not geometry and not place:
                mend = "a geometry or the columns x, y expected"
                raise FormatError("no column states the position of a cell", where=path, mend=mend)
            wanted = [geometry] if geometry else [columns[name] for name in place]
            rows = file.read([*wanted, *filter(None, found.values())]).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise FormatError(f"a damaged Parquet file ({str(error)[:80]})", where=path) from None
    build = StudyBuilder()
    images: dict[str, dict[str, dict[str, Any]]] = {}
    for number, row in enumerate(rows):
        lower = {name.casefold(): value for name, value in row.items()}
        geometry_of = row.get(geometry) if geometry else [lower[name] for name in place]
        with build.aside(row, where=f"{path}: rows[{number}]"):
            stated = {what: row.get(column) for what, column in found.items()}
            feature = _feature(geometry_of, stated, f"{path}: rows[{number}]")
            image = str(stated["image"] or options.slide_name(path))
            images.setdefault(image, {})[f"rows[{number}]"] = feature
    for image, features in images.items():
        document, of_image = {"features": list(features.values())}, replace(options, slide=image)
        Reader(document, path, of_image, places=list(features), build=build).add()
    return build.build()


def _geometry_column(schema: Any) -> str:
    """Return the name of the geometry, as the metadata say or by its name; empty where there is none."""
    try:
        stated = json.loads((schema.metadata or {})[b"geo"])["primary_column"]
    except (KeyError, TypeError, ValueError):
        stated = "geometry"
    return stated if stated in schema.names else ""


def _feature(geometry: Any, row: Mapping[str, Any], where: str) -> dict[str, Any]:
    label = row["label"]
    properties = {
        "objectType": row["object_type"] or "annotation",
        "classification": label if label is None or isinstance(label, Mapping) else {"name": label},
        "measurements": {} if row["score"] is None else {"score": row["score"]},
    }
    return {"id": row["id"], "geometry": _geometry(geometry, where), "properties": properties}


def _geometry(value: Any, where: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, list):
        if len(value) == 2:
            return {"type": "Point", "coordinates": value}
        x1, y1, x2, y2 = value
        return {"type": "Polygon", "coordinates": [[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]]}
    try:
        shape = shapely.from_wkb(value)
        found: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    except (shapely.errors.ShapelyError, TypeError, ValueError) as error:
        raise FormatError(f"a geometry in WKB expected ({str(error)[:60]})", where=where) from None
    return found


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write a row for each cell and region, as GeoParquet.

    Raises
    ------
    FormatError
        If the extra ``parquet`` is missing.
    OutputError
        If it cannot be written.
    """
    pyarrow = load_pyarrow()
    rows: list[dict[str, Any]] = []
    for slide in study.slides:
        for feature in document_of(study.part_on((slide.name,)), options)["features"]:
            properties = feature["properties"]
            shape = shapely.from_geojson(json.dumps(feature["geometry"]))
            rows.append(
                {
                    "image": slide.name,
                    "label": properties.get("classification", {}).get("name"),
                    "score": properties.get("measurements", {}).get("score"),
                    "object_type": properties["objectType"],
                    "id": feature["id"],
                    "geometry": shapely.to_wkb(shape),
                }
            )
    text, number = pyarrow.string(), pyarrow.float64()
    types = {"image": text, "label": text, "score": number, "object_type": text, "id": text}
    geo = {"encoding": "WKB", "geometry_types": ["Point", "Polygon"], "crs": None}
    metadata = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geo}}
    schema = pyarrow.schema(types | {"geometry": pyarrow.binary()}, {"geo": json.dumps(metadata)})
    stream = BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), stream)
    with atomic_write(path) as target:
        target.write(stream.getvalue())


FORMAT = Format(
    name="parquet",
    title="Parquet and GeoParquet (extra parquet)",
    suffix=".parquet",
    recognises=lambda content: content.head.startswith(MAGIC),
    read=read,
    write=write,
    holds=frozenset(
        {Aspect.LOOK_ALIKES, Aspect.OTHERS, Aspect.SCORES, Aspect.SHAPES, Aspect.GUIDS, Aspect.REGIONS}
    ),
)
