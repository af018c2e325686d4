"""Writing COCO JSON and its MIDOG extension."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange import extension
from mitoscope.exchange.classes import ClassTable, classes_to_write, numbers_by_label, stated_classes
from mitoscope.exchange.coco.reading import EXAMINED, LAYOUT, Reader
from mitoscope.exchange.format import BoxLayout, ReadOptions, WriteOptions
from mitoscope.exchange.json_text import dump_json
from mitoscope.fsio import atomic_write
from mitoscope.store import Policy, RaterKind, RegionKind, Shape, Study

SPOT_RADIUS_PX0 = 25.0
"""Half the side of the box in which a spot is written: the published boxes are 50 px (FACTS A2, B4)."""
_OWN_ATTRIBUTES = {LAYOUT, "coco.file", "coco.classes", "coco.categories", "coco.id"}


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write a COCO file, with ``labels`` and ``tumor_type`` as in MIDOG++ where there are any.

    Spots are written as boxes of 50 px, circles by their bounds, polygons with their outline. Boxes of COCO's
    layout have ``area`` and ``iscrowd``, which its tools expect. A study that says more than
    this rides along whole (:mod:`~mitoscope.exchange.extension`).

    Raises
    ------
    FormatError
        If a coordinate is not finite.
    OutputError
        If it cannot be written.
    """
    document = _document(study, options)
    if not _says_all(document, study):
        document = extension.attach(document, study)
    with atomic_write(path) as stream:
        stream.write(dump_json(document))


def _says_all(document: dict[str, Any], study: Study) -> bool:
    """Whether the document is read as the study without anything riding along or any option."""
    try:
        return Reader(document, "", ReadOptions()).study() == study
    except FormatError:
        return False


def _layout_to_write(study: Study, options: WriteOptions) -> BoxLayout:
    carried = {slide.attributes.get(LAYOUT) for slide in study.slides}
    return options.boxes or (BoxLayout.XYXY if carried == {BoxLayout.XYXY.value} else BoxLayout.XYWH)


def _document(study: Study, options: WriteOptions) -> dict[str, Any]:
    classes = classes_to_write(study, "coco.classes")
    files = [slide.attributes["coco.file"] for slide in study.slides if "coco.file" in slide.attributes]
    common: dict[str, Any] = files[0] if files else {}
    images = _with_ids([_image(study, place) for place in range(len(study.slides))])
    annotations = _annotations(study, classes, options, images)
    return {**common, "images": images, "categories": _categories(study, classes), "annotations": annotations}


def _image(study: Study, place: int) -> dict[str, Any]:
    slide = study.slides[place]
    image: dict[str, Any] = {"id": slide.attributes.get("coco.id", place + 1), "file_name": slide.name}
    if slide.size is not None:
        image |= {"width": slide.size.width, "height": slide.size.height}
    if slide.domain.tumour_type is not None:
        image["tumor_type"] = slide.domain.tumour_type
    examined = [
        [_whole(value) for value in region.vertices_px0.ravel().tolist()]
        for region in study.regions
        if region.slide == place and region.kind is RegionKind.INTEREST
    ]
    if examined:
        image[EXAMINED] = examined
    more = {key: value for key, value in slide.attributes.items() if key not in _OWN_ATTRIBUTES}
    return image | {key[5:]: value for key, value in more.items() if key.startswith("coco.")}


def _categories(study: Study, classes: ClassTable) -> list[dict[str, Any]]:
    more: dict[str, Any] = {}
    for slide in study.slides:
        more |= slide.attributes.get("coco.categories", {})
    return [
        {"id": number, "name": entry.name}
        | ({"color": entry.colour} if entry.colour is not None and _has_colours(study) else {})
        | more.get(str(number), {})
        for number, entry in classes.entries.items()
    ]


def _has_colours(study: Study) -> bool:
    tables = [slide.attributes.get("coco.classes", []) for slide in study.slides]
    return any(colour is not None for table in tables for _, _, colour in table)


def _annotations(
    study: Study, classes: ClassTable, options: WriteOptions, images: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    layout = _layout_to_write(study, options)
    labels, stated, agreement = _categories_said(study, classes, options.policy)
    found = []
    for row, bounds in enumerate(_bounds(study).tolist()):
        attributes = study.cells.attributes.get(row, {})
        annotation: dict[str, Any] = {"bbox": _box(bounds, layout)}
        if row in stated:
            annotation["category_id"] = stated[row]
        if row in agreement:
            annotation["agreement"] = agreement[row]
        annotation["image_id"] = images[study.cells.slide[row]]["id"]
        if row in labels:
            annotation["labels"] = labels[row]
        number = attributes.get("coco.id", _number(study.cells.external_id[row]))
        if number is not None:
            annotation["id"] = number  # by which it is known again; a file goes out as it came
        if study.cells.guid[row] is not None:
            annotation["guid"] = study.cells.guid[row]
        more = {
            key[5:]: value for key, value in attributes.items() if key.startswith("coco.") and key[5:] != "id"
        }
        standard = _expected_by_tools(study, row, annotation["bbox"]) if layout is BoxLayout.XYWH else {}
        found.append(annotation | standard | more)
    return _with_ids(found)


def _categories_said(
    study: Study, classes: ClassTable, policy: Policy
) -> tuple[dict[int, list[int]], dict[int, int], dict[int, float]]:
    """Return by cell the category ids of all raters but the consensus, the agreed class and its score."""
    numbers = numbers_by_label(classes)
    names = [numbers[label.name] for label in study.labels.labels]
    agreed, _ = stated_classes(study, policy)
    stated = {row: names[label] for row, label in enumerate(agreed.tolist()) if label >= 0}
    labels: dict[int, list[int]] = {}
    agreement: dict[int, float] = {}
    for row in range(len(study.events)):
        label, cell = int(study.events.label[row]), int(study.events.cell[row])
        attributes = study.events.attributes.get(row, {})
        number = 0 if label < 0 else attributes.get("coco.category_id", names[label])
        if study.raters[study.events.rater[row]].kind is RaterKind.CONSENSUS:
            # Zero stands for an outcome that was taken back.
            if agreed[cell] < 0 or label == agreed[cell]:
                stated[cell] = number
                if not math.isnan(study.events.score[row]):
                    agreement[cell] = float(study.events.score[row])
        else:
            labels.setdefault(cell, []).append(number)
    return labels, stated, agreement


def _box(bounds: list[float], layout: BoxLayout) -> list[float | int | None]:
    x_min, y_min, x_max, y_max = bounds
    third, fourth = (x_max - x_min, y_max - y_min) if layout is BoxLayout.XYWH else (x_max, y_max)
    return [_whole(value) for value in (x_min, y_min, third, fourth)]


def _expected_by_tools(study: Study, row: int, box: list[float | int | None]) -> dict[str, Any]:
    width, height = box[2:]
    found: dict[str, Any] = {"iscrowd": 0}
    if width is not None and height is not None:
        found["area"] = width * height
    vertices = study.cells.vertices_px0.get(row)
    if study.cells.shape[row] == Shape.POLYGON and vertices is not None:
        found["segmentation"] = [[_whole(value) for value in vertices.ravel().tolist()]]
    return found


def _bounds(study: Study) -> NDArray[np.float64]:
    bounds = study.cells.bounds_px0.copy()
    spots = study.cells.shape == Shape.SPOT
    bounds[spots] += (-SPOT_RADIUS_PX0, -SPOT_RADIUS_PX0, SPOT_RADIUS_PX0, SPOT_RADIUS_PX0)
    return bounds


def _with_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return images or annotations with ids that are all there and all different, as COCO tools expect."""
    taken = {row["id"] for row in rows if "id" in row}
    if len(taken) == len(rows):
        return rows
    return [{**row, "id": place} for place, row in enumerate(rows, start=1)]


def _number(external_id: str | None) -> int | None:
    if external_id is None or not (external_id.isascii() and external_id.isdecimal()):
        return None
    number = int(external_id)
    return number if str(number) == external_id else None


def _whole(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
