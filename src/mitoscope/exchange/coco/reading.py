"""Reading COCO JSON and its MIDOG extension: ``labels`` per expert and ``tumor_type``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange import extension, regions
from mitoscope.exchange.classes import CONSENSUS, ClassTable
from mitoscope.exchange.coco.box_layout import box_layout
from mitoscope.exchange.coco.results import is_results, read_results_of_slide
from mitoscope.exchange.domains import add_domains
from mitoscope.exchange.domains import read as read_domains
from mitoscope.exchange.format import BoxLayout, ReadOptions
from mitoscope.exchange.json_text import (
    a_list,
    a_mapping,
    a_number,
    a_share,
    a_text,
    an_integer,
    as_uuid,
    read_json,
)
from mitoscope.exchange.regions import add_region
from mitoscope.geometry import SizePx
from mitoscope.region import RegionKind
from mitoscope.store import QuarantineEntry, Rater, RaterKind, Shape, SlideRecord, Study, StudyBuilder
from mitoscope.truth import Domain

BOX_TOLERANCE_PX0 = 1.0
"""COCO tools round boxes: an outline is that of its box when their bounds are so close."""
MAX_SIDE_PX0 = 2**31 - 1
LAYOUT = "coco.boxes"
"""Attribute of a slide: the layout of the boxes of the file it came from."""
EXAMINED = "examined"
"""Member of an image: the polygons that were looked at, each ``[x1, y1, x2, y2, …]``."""
SCORE = "coco.score"
"""Attribute of a cell: the score of whatever detector found it; who gave the class is another matter."""
_IMAGE_KEYS = {"id", "file_name", "width", "height", "tumor_type", EXAMINED}
_ANNOTATION_KEYS = {"id", "image_id", "category_id", "bbox", "labels", "guid", "agreement"}
_SHARES = ("agreement", "score")
_FILE_KEYS = {"images", "annotations", "categories", extension.MEMBER}


def read(path: Path, options: ReadOptions) -> Study:
    """Read a COCO file.

    Boxes become cells. ``labels`` are the labels of experts 1, 2, … in that order, ``category_id`` is the
    label of a consensus rater, or of ``options.rater`` in a file without such lists, and ``agreement`` the
    share of the raters who gave it. A ``score`` stands for it where there is none, and is that of the label
    where ``options`` name its rater as a model. Boxes of COCO are
    corner and size, those of MIDOG two corners: the file's own evidence decides
    (:mod:`~mitoscope.exchange.coco.box_layout`) unless ``options.boxes`` does; slides carry two corners as
    attribute ``coco.boxes``. Members without a column ride as attributes ``coco.*``.
    Annotations of images or labels of classes that are not in the file, and annotations whose id was used
    before, are quarantined. A list of results is read where the options name its slide.

    Raises
    ------
    FormatError
        If it is not such a file, the layout of its boxes cannot be told, or a list of results is not of one
        named slide.
    """
    content = read_json(path)
    if is_results(content):
        return read_results_of_slide(content, path, options)
    document = a_mapping(content, str(path))
    study, notes = extension.detach(document, str(path))
    if study is None:
        study = Reader(document, str(path), options).study()
    study = replace(study, notes=notes)
    if options.domains is None:
        return study
    return add_domains(study, read_domains(options.domains, options))


class Reader:
    """Reads one document; also used to see what of a study a written document says by itself."""

    def __init__(self, document: dict[str, Any], where: str, options: ReadOptions) -> None:
        self.document, self.where, self.options = document, where, options
        self.build = StudyBuilder()
        self.seen: set[object] = set()

    def study(self) -> Study:
        """Return the study of the document."""
        self._categories()
        self._images()
        annotations = self._annotations()
        boxes = np.array([box for _, _, box in annotations]).reshape(-1, 4)
        self.layout = self.options.boxes or self._layout([one for _, one, _ in annotations], boxes)
        self._slides()
        self._raters([one for _, one, _ in annotations])
        if self.layout is BoxLayout.XYWH:
            boxes[:, 2:] += boxes[:, :2]
        for (where, one, _), bounds in zip(annotations, boxes.tolist(), strict=True):
            with self.build.aside(one):
                self._annotation(one, bounds, where)
        return self.build.build()

    def _items(self, member: str, default: Any = None) -> Iterator[tuple[str, Any]]:
        """Yield the place and the value of each item of a member of the file."""
        for place, one in enumerate(a_list(self.document.get(member, default), f"{self.where}: {member}")):
            yield f"{self.where}: {member}[{place}]", one

    def _annotations(self) -> list[tuple[str, dict[str, Any], list[float]]]:
        """Return the annotations that can be read, each with its place and its box."""
        found = []
        for where, one in self._items("annotations"):
            with self.build.aside(one):
                annotation = a_mapping(one, where)
                box = [
                    a_number(value, f"{where}.bbox")
                    for value in a_list(annotation.get("bbox"), f"{where}.bbox")
                ]
                if len(box) != 4:
                    raise FormatError("a box that is not four numbers", where=where)
                found.append((where, annotation, box))
        return found

    def _categories(self) -> None:
        classes: list[tuple[int, str, str | None]] = []
        self.more: dict[str, Any] = {}
        for where, one in self._items("categories", []):
            with self.build.aside(one):
                category = a_mapping(one, where)
                number, name = an_integer(category.get("id"), where), a_text(category.get("name"), where)
                colour = category.get("color")
                known = {"id", "name", "color"} if isinstance(colour, str) else {"id", "name"}
                rest = {key: value for key, value in category.items() if key not in known}
                if rest:
                    self.more[str(number)] = rest
                classes.append((number, name, colour if "color" in known else None))
        numbers = [number for number, _, _ in classes]
        self._refuse_twice("categories", "id", numbers)
        self.classes = ClassTable(classes)
        for entry in self.classes.entries.values():
            self.build.label(entry.label)

    def _images(self) -> None:
        self.images: dict[object, dict[str, Any]] = {}
        found = []
        for where, one in self._items("images"):
            with self.build.aside(one):
                image = a_mapping(one, where)
                if not _is_id(image.get("id")):
                    raise FormatError(f"an id expected, got {image.get('id')!r}", where=where)
                a_text(image.get("file_name"), f"{where}.file_name")
                found.append(image)
        self._refuse_twice("images", "id", [image["id"] for image in found])
        self._refuse_twice("images", "name", [image["file_name"] for image in found])
        self.images = {image["id"]: image for image in found}
        self.sizes: dict[object, SizePx | None] = dict.fromkeys(self.images)
        for number, image in self.images.items():
            with self.build.aside(image, slide=image["file_name"]):
                self.sizes[number] = _size(image, self.where)

    def _refuse_twice(self, what: str, of: str, values: Sequence[object]) -> None:
        twice = next((value for value, count in Counter(values).items() if count > 1), None)
        if twice is not None:
            where = f"{self.where}: {what}"
            raise FormatError(f"two {what} of the {of} {twice!r}", where=where, mend="make them unique")

    def _raters(self, annotations: list[dict[str, Any]]) -> None:
        """Name the experts first, in their order."""
        lists = [
            annotation["labels"] for annotation in annotations if isinstance(annotation.get("labels"), list)
        ]
        # Where every expert's label stands in the file, the category is not one person's.
        self.outcome_by = CONSENSUS if any(lists) else self.options.speaker(CONSENSUS)
        for place in range(1, max(map(len, lists), default=0) + 1):
            self.build.rater(Rater(f"expert {place}"))

    def _layout(self, annotations: list[dict[str, Any]], boxes: Any) -> BoxLayout:
        sizes = np.full((len(annotations), 2), np.inf)
        for place, annotation in enumerate(annotations):
            number = annotation.get("image_id")
            size = self.sizes.get(number) if _is_id(number) else None
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
            tumour = None
            with self.build.aside(image, slide=image["file_name"]):
                stated = image.get("tumor_type")
                tumour = None if stated is None else a_text(stated, f"{self.where}: tumor_type")
            self.slides[number] = self.build.slide(
                SlideRecord(
                    image["file_name"],
                    size=self.sizes[number],
                    domain=Domain(tumour_type=tumour),
                    attributes=attributes,
                )
            )
            with self.build.aside(image, slide=image["file_name"]):
                self._examined(image, self.slides[number])

    def _examined(self, image: dict[str, Any], slide: int) -> None:
        where, name = f"{self.where}: {EXAMINED}", image["file_name"]
        for area in a_list(image.get(EXAMINED, []), where):
            with self.build.aside(area, slide=name):
                numbers = [a_number(number, where) for number in a_list(area, where)]
                if len(numbers) % 2:
                    raise FormatError("pairs of x and y expected", where=where)
                ring = np.array(numbers, dtype=np.float64).reshape(-1, 2)
                add_region(
                    self.build,
                    slide,
                    ring,
                    kind=RegionKind.INTEREST,
                    name=regions.EXAMINED,
                    where=where,
                    slide_name=name,
                )

    def _file_attributes(self) -> dict[str, Any]:
        common: dict[str, Any] = {LAYOUT: self.layout.value} if self.layout is not BoxLayout.XYWH else {}
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
            external = None if number is None else str(number)
            shape, vertices, attributes = self._geometry(annotation, bounds)
            if isinstance(number, str):
                attributes["coco.id"] = number
            cell = self.build.cell(
                slide,
                bounds,
                shape=shape,
                vertices_px0=vertices,
                guid=as_uuid(annotation.get("guid")),
                external_id=external,
                attributes=attributes,
            )
            self._labels(annotation, cell, where)

    def _geometry(
        self, annotation: dict[str, Any], bounds: list[float]
    ) -> tuple[Shape, NDArray[np.float64] | None, dict[str, Any]]:
        """Return shape, vertices and what else the annotation says; what follows from these is left out."""
        more = {f"coco.{key}": value for key, value in annotation.items() if key not in _ANNOTATION_KEYS}
        if self.layout is BoxLayout.XYXY:
            return Shape.BOX, None, more
        width, height = annotation["bbox"][2:]
        if None not in (width, height) and annotation.get("area") == width * height:
            del more["coco.area"]
        if annotation.get("iscrowd") == 0:
            del more["coco.iscrowd"]
        vertices = outline_of(annotation.get("segmentation"), bounds)
        if vertices is None:
            return Shape.BOX, None, more
        del more["coco.segmentation"]
        return Shape.POLYGON, vertices, more

    def _labels(self, annotation: dict[str, Any], cell: int, where: str) -> None:
        for place, number in enumerate(a_list(annotation.get("labels", []), f"{where}.labels"), start=1):
            self._event(cell, Rater(f"expert {place}"), number, f"{where}.labels")
        category = annotation.get("category_id")
        if category is not None:
            score, share = (
                a_share(annotation.get(name), f"{where}.{name}") for name in ("score", "agreement")
            )
            stated = score if self.outcome_by.kind is RaterKind.MODEL or math.isnan(share) else share
            self._event(cell, self.outcome_by, category, f"{where}.category_id", score=stated)

    def _event(self, cell: int, rater: Rater, value: Any, where: str, *, score: float = math.nan) -> None:
        number = an_integer(value, where)
        label = self.classes.label(number)
        if label is None and number != 0:
            self._quarantine(where, "a label of a class that is not in the file", value)
            return
        attributes = {"coco.category_id": number} if label and not self.classes.is_first(number) else {}
        index = -1 if label is None else self.build.label(label)
        self.build.event(cell, self.build.rater(rater), index, score=score, attributes=attributes)

    def _quarantine(self, where: str, why: str, what: object) -> None:
        self.build.quarantine.append(QuarantineEntry(where, why, str(what)))


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _size(image: Mapping[str, Any], where: str) -> SizePx | None:
    width, height = image.get("width"), image.get("height")
    if not width or not height:
        return None
    where = f"{where}: image {image.get('file_name')!r}"
    width, height = an_integer(width, f"{where}.width"), an_integer(height, f"{where}.height")
    if not (0 < width <= MAX_SIDE_PX0 and 0 < height <= MAX_SIDE_PX0):
        raise FormatError(f"the size of an image expected, got {width} × {height} px", where=where)
    return SizePx(width, height)


def outline_of(segmentation: Any, bounds: list[float]) -> NDArray[np.float64] | None:
    """Return the vertices of a segmentation of one polygon whose bounds are those of the box, else None."""
    if not isinstance(segmentation, list) or len(segmentation) != 1 or not isinstance(segmentation[0], list):
        return None
    numbers = segmentation[0]
    is_outline = len(numbers) >= 6 and len(numbers) % 2 == 0
    if not is_outline or any(
        isinstance(number, bool) or not isinstance(number, int | float) for number in numbers
    ):
        return None
    vertices = np.array(numbers, dtype=np.float64).reshape(-1, 2)
    found = [*vertices.min(axis=0), *vertices.max(axis=0)]
    return vertices if np.allclose(found, bounds, rtol=0, atol=BOX_TOLERANCE_PX0) else None
