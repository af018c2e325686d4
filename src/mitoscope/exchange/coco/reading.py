"""COCO JSON and its MIDOG extension: ``labels`` per expert and ``tumor_type``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange import extension
from mitoscope.exchange.box_layout import box_layout
from mitoscope.exchange.class_table import ClassTable, classes_to_write, numbers_by_label
from mitoscope.exchange.domains import add_domains
from mitoscope.exchange.domains import read as read_domains
from mitoscope.exchange.format import BoxLayout, Content, Format, ReadOptions, WriteOptions
from mitoscope.exchange.json_text import (
    a_list,
    a_mapping,
    a_number,
    a_text,
    an_integer,
    dump_json,
    read_json,
)
from mitoscope.exchange.losses import EVERYTHING
from mitoscope.exchange.outcome import CONSENSUS, outcome
from mitoscope.fsio import atomic_write
from mitoscope.geometry import SizePx
from mitoscope.store.builder import StudyBuilder
from mitoscope.store.kinds import RaterKind, Shape
from mitoscope.store.records import Domain, QuarantineEntry, Rater, SlideRecord, Study

SPOT_RADIUS_PX0 = 25.0
"""Half the side of the box in which a spot is written: the published boxes are 50 px (FACTS A2, B4)."""
_LAYOUT = "coco.boxes"
_IMAGE_KEYS = {"id", "file_name", "width", "height", "tumor_type"}
_ANNOTATION_KEYS = {"id", "image_id", "category_id", "bbox", "labels"}
_FILE_KEYS = {"images", "annotations", "categories", extension.MEMBER}


def read(path: Path, options: ReadOptions) -> Study:
    """Read a COCO file.

    Boxes become cells. ``labels`` are the labels of experts 1, 2, … in that order, ``category_id`` is the
    label of a consensus rater. Boxes of COCO are corner and size, those of MIDOG two corners: the file's
    own evidence decides (:mod:`~mitoscope.exchange.box_layout`) unless ``options.boxes`` does; the slides
    carry the layout as attribute ``coco.boxes``. Members without a column ride as attributes ``coco.*``.
    Annotations of images or labels of classes that are not in the file, and annotations whose id was used
    before, are quarantined.

    Raises
    ------
    FormatError
        If it is not such a file, or the layout of its boxes cannot be told.
    """
    document = a_mapping(read_json(path), str(path))
    study, entries = extension.detach(document, str(path))
    if study is None:
        study = _Reader(document, str(path), options).study()
    study = replace(study, quarantine=(*study.quarantine, *entries))
    if options.domains is None:
        return study
    return add_domains(study, read_domains(options.domains, options))


class _Reader:
    def __init__(self, document: dict[str, Any], where: str, options: ReadOptions) -> None:
        self.document, self.where, self.options = document, where, options
        self.build = StudyBuilder()
        self.seen: set[object] = set()

    def study(self) -> Study:
        annotations = [
            a_mapping(one, f"{self.where}: annotations[{place}]")
            for place, one in enumerate(
                a_list(self.document.get("annotations"), f"{self.where}: annotations")
            )
        ]
        self._categories()
        self._images()
        boxes = np.array([self._box(one, place) for place, one in enumerate(annotations)]).reshape(-1, 4)
        self.layout = self.options.boxes or self._layout(annotations, boxes)
        self._slides()
        self._raters(annotations)
        if self.layout is BoxLayout.XYWH:
            boxes[:, 2:] += boxes[:, :2]
        for place, (one, bounds) in enumerate(zip(annotations, boxes.tolist(), strict=True)):
            self._annotation(one, bounds, f"{self.where}: annotations[{place}]")
        return self.build.build()

    def _categories(self) -> None:
        classes: list[tuple[int, str, str | None]] = []
        self.more: dict[str, Any] = {}
        for place, one in enumerate(a_list(self.document.get("categories", []), f"{self.where}: categories")):
            where = f"{self.where}: categories[{place}]"
            category = a_mapping(one, where)
            number = an_integer(category.get("id"), where)
            if number in {known for known, _, _ in classes}:
                raise FormatError(f"two categories of id {number}", where=where, mend="ids must be unique")
            classes.append((number, a_text(category.get("name"), where), category.get("color")))
            rest = {key: value for key, value in category.items() if key not in ("id", "name", "color")}
            if rest:
                self.more[str(number)] = rest
        self.classes = ClassTable(classes)
        for entry in self.classes.entries.values():
            self.build.label(entry.label)

    def _images(self) -> None:
        self.images: dict[object, dict[str, Any]] = {}
        files: set[str] = set()
        for place, one in enumerate(a_list(self.document.get("images"), f"{self.where}: images")):
            where = f"{self.where}: images[{place}]"
            image = a_mapping(one, where)
            number = image.get("id")
            if isinstance(number, bool) or not isinstance(number, int | str):
                raise FormatError("an id expected", where=where)
            if number in self.images:
                raise FormatError(f"two images of id {number!r}", where=where, mend="ids must be unique")
            name = a_text(image.get("file_name"), f"{where}.file_name")
            if name in files:
                raise FormatError(
                    f"two images of the name {name!r}", where=where, mend="names must be unique"
                )
            files.add(name)
            self.images[number] = image

    def _raters(self, annotations: list[dict[str, Any]]) -> None:
        """Name the experts first, in their order."""
        lists = [one["labels"] for one in annotations if isinstance(one.get("labels"), list)]
        for place in range(1, max(map(len, lists), default=0) + 1):
            self.build.rater(Rater(f"expert {place}"))

    def _box(self, annotation: dict[str, Any], place: int) -> list[float]:
        where = f"{self.where}: annotations[{place}].bbox"
        numbers = [a_number(one, where) for one in a_list(annotation.get("bbox"), where)]
        if len(numbers) != 4:
            raise FormatError(f"4 numbers expected, got {len(numbers)}", where=where)
        return numbers

    def _layout(self, annotations: list[dict[str, Any]], boxes: Any) -> BoxLayout:
        sizes = np.full((len(annotations), 2), np.inf)
        for place, one in enumerate(annotations):
            size = _size(self.images.get(one.get("image_id"), {})) if _is_id(one.get("image_id")) else None
            if size is not None:
                sizes[place] = size.width, size.height
        info = self.document.get("info")
        description = str(info.get("description", "")) if isinstance(info, dict) else ""
        return box_layout(annotations, boxes, sizes, description=description, where=self.where)

    def _slides(self) -> None:
        common = self._file_attributes()
        self.slides: dict[object, int] = {}
        for place, (number, image) in enumerate(self.images.items(), start=1):
            attributes = dict(common) if number == place else {**common, "coco.id": number}
            attributes |= {f"coco.{key}": value for key, value in image.items() if key not in _IMAGE_KEYS}
            tumour = image.get("tumor_type")
            self.slides[number] = self.build.slide(
                SlideRecord(
                    image["file_name"],
                    size=_size(image),
                    domain=Domain(tumour_type=None if tumour is None else a_text(tumour, self.where)),
                    attributes=attributes,
                )
            )

    def _file_attributes(self) -> dict[str, Any]:
        common: dict[str, Any] = {_LAYOUT: self.layout.value} if self.layout is not BoxLayout.XYWH else {}
        rest = {key: value for key, value in self.document.items() if key not in _FILE_KEYS}
        if rest:
            common["coco.file"] = rest
        plain = [
            number == place and entry.name == entry.label.name and entry.colour is None
            for place, (number, entry) in enumerate(self.classes.entries.items(), start=1)
        ]
        if not all(plain):
            common["coco.classes"] = self.classes.to_json()
        if self.more:
            common["coco.categories"] = self.more
        return common

    def _annotation(self, annotation: dict[str, Any], bounds: list[float], where: str) -> None:
        number, slide = annotation.get("id"), None
        if _is_id(annotation.get("image_id")):
            slide = self.slides.get(annotation["image_id"])
        if slide is None:
            self._quarantine(where, "no such slide", annotation)
        elif number is not None and (not _is_id(number) or number in self.seen):
            self._quarantine(where, "the same id twice", annotation)
        else:
            self.seen.add(number)
            attributes = {
                f"coco.{key}": value for key, value in annotation.items() if key not in _ANNOTATION_KEYS
            }
            if isinstance(number, str):
                attributes["coco.id"] = number
            external = None if number is None else str(number)
            cell = self.build.cell(
                slide, bounds, shape=Shape.BOX, external_id=external, attributes=attributes
            )
            self._labels(annotation, cell, where)

    def _labels(self, annotation: dict[str, Any], cell: int, where: str) -> None:
        for place, number in enumerate(a_list(annotation.get("labels", []), f"{where}.labels"), start=1):
            self._event(cell, Rater(f"expert {place}"), number, f"{where}.labels")
        category = annotation.get("category_id")
        if category is not None:
            self._event(cell, CONSENSUS, category, f"{where}.category_id")

    def _event(self, cell: int, rater: Rater, value: Any, where: str) -> None:
        number = an_integer(value, where)
        label = self.classes.label(number)
        if label is None and number != 0:
            self._quarantine(where, "a label of a class that is not in the file", value)
            return
        attributes = {"coco.category_id": number} if label and not self.classes.is_first(number) else {}
        index = -1 if label is None else self.build.label(label)
        self.build.event(cell, self.build.rater(rater), index, attributes=attributes)

    def _quarantine(self, where: str, why: str, what: object) -> None:
        self.build.quarantine.append(QuarantineEntry(where, why, str(what)))


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _size(image: Mapping[str, Any]) -> SizePx | None:
    width, height = image.get("width"), image.get("height")
    if not isinstance(width, int) or not isinstance(height, int) or width < 1 or height < 1:
        return None
    return SizePx(width, height)


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write a COCO file, with ``labels`` and ``tumor_type`` as in MIDOG++ where there are any.

    Spots are written as boxes of 50 px, circles and polygons by their bounds. A study that says more than
    this rides along whole (:mod:`~mitoscope.exchange.extension`).

    Raises
    ------
    FormatError
        If a coordinate is not finite.
    OutputError
        If it cannot be written.
    """
    document = _document(study, options)
    plain = _Reader(document, str(path), ReadOptions(boxes=_layout_to_write(study, options))).study()
    if plain != study:
        document = extension.attach(document, study)
    with atomic_write(path) as stream:
        stream.write(dump_json(document))


def _layout_to_write(study: Study, options: WriteOptions) -> BoxLayout:
    carried = {slide.attributes.get(_LAYOUT) for slide in study.slides}
    return options.boxes or (BoxLayout.XYXY if carried == {BoxLayout.XYXY.value} else BoxLayout.XYWH)


def _document(study: Study, options: WriteOptions) -> dict[str, Any]:
    classes = classes_to_write(study, "coco.classes")
    files = [one.attributes["coco.file"] for one in study.slides if "coco.file" in one.attributes]
    common: dict[str, Any] = files[0] if files else {}
    images = [_image(slide, place) for place, slide in enumerate(study.slides, start=1)]
    return {
        **common,
        "images": images,
        "categories": _categories(study, classes),
        "annotations": _annotations(
            study, classes, _layout_to_write(study, options), [image["id"] for image in images]
        ),
    }


def _image(slide: SlideRecord, place: int) -> dict[str, Any]:
    image: dict[str, Any] = {"id": slide.attributes.get("coco.id", place), "file_name": slide.name}
    if slide.size is not None:
        image |= {"width": slide.size.width, "height": slide.size.height}
    if slide.domain.tumour_type is not None:
        image["tumor_type"] = slide.domain.tumour_type
    own = {_LAYOUT, "coco.file", "coco.classes", "coco.categories", "coco.id"}
    more = {key: value for key, value in slide.attributes.items() if key not in own}
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
    study: Study, classes: ClassTable, layout: BoxLayout, image_ids: list[Any]
) -> list[dict[str, Any]]:
    cells, numbers = study.cells, numbers_by_label(classes)
    names = [numbers[label.name] for label in study.labels.labels]
    labels: dict[int, list[int]] = {}
    stated: dict[int, int] = {}
    for row in range(len(study.events)):
        label = int(study.events.label[row])
        number = (
            0 if label < 0 else study.events.attributes.get(row, {}).get("coco.category_id", names[label])
        )
        if study.raters[study.events.rater[row]].kind is RaterKind.CONSENSUS:
            stated[int(study.events.cell[row])] = number
        else:
            labels.setdefault(int(study.events.cell[row]), []).append(number)
    agreed, _ = outcome(study)
    bounds = _bounds(study)
    found = []
    for row, (x_min, y_min, x_max, y_max) in enumerate(bounds.tolist()):
        box = [x_min, y_min, x_max, y_max]
        if layout is BoxLayout.XYWH:
            box = [x_min, y_min, x_max - x_min, y_max - y_min]
        annotation: dict[str, Any] = {"bbox": [_whole(one) for one in box]}
        if agreed[row] >= 0 or row in stated:
            annotation["category_id"] = stated.get(row, names[agreed[row]])
        annotation["image_id"] = image_ids[cells.slide[row]]
        if row in labels:
            annotation["labels"] = labels[row]
        attributes = cells.attributes.get(row, {})
        number = attributes.get("coco.id", _number(cells.external_id[row]))
        if number is not None:
            annotation["id"] = number
        more = {key[5:]: value for key, value in attributes.items() if key.startswith("coco.")}
        found.append(annotation | {key: value for key, value in more.items() if key != "id"})
    return _with_ids(found)


def _bounds(study: Study) -> Any:
    bounds = study.cells.bounds_px0.copy()
    spots = study.cells.shape == Shape.SPOT
    bounds[spots] += (-SPOT_RADIUS_PX0, -SPOT_RADIUS_PX0, SPOT_RADIUS_PX0, SPOT_RADIUS_PX0)
    return bounds


def _with_ids(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the annotations with ids that are all there and all different, as COCO tools expect."""
    taken = [one["id"] for one in annotations if "id" in one]
    if len(set(taken)) == len(annotations):
        return annotations
    return [{**one, "id": place} for place, one in enumerate(annotations, start=1)]


def _number(external_id: str | None) -> int | None:
    if external_id is None or not (external_id.isascii() and external_id.isdecimal()):
        return None
    number = int(external_id)
    return number if str(number) == external_id else None


def _whole(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _recognises(content: Content) -> bool:
    return {"images", "annotations"} <= content.keys


FORMAT = Format(
    name="coco",
    title="COCO JSON, with MIDOG's labels per expert",
    suffix=".json",
    recognises=_recognises,
    read=read,
    write=write,
    holds=EVERYTHING,
)
