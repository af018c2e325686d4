"""What programs write as JSON: nuclei, boxes, points and features, told apart by the members of the file."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange.coco.box_layout import box_layout
from mitoscope.exchange.foreign.findings import FindingList, ForeignFindings, Unit, finite
from mitoscope.exchange.foreign.json_items import BEGIN, Item, read_items
from mitoscope.exchange.format import BoxLayout, Content
from mitoscope.exchange.geojson.features import HOT_SPOT, OFFSET, SCORE_NAMES
from mitoscope.exchange.table import CORNERS
from mitoscope.labels import CANDIDATE
from mitoscope.region import kind_of_name

SCORES: Final = (*SCORE_NAMES, "prob", "type_prob", "conf", "classification_probability")
"""Names under which programs state a score."""
_FEW: Final = 3
_LARGER: Final = 5
"""How much larger boxes of one layout are for it to be doubted."""
_EVIDENCE_MOST: Final = 10_000
"""Boxes by which their layout is told."""
CLASSES: Final = ("type", "class", "label", "classification", "category", "name")
"""Names under which programs state a class."""


class Layout(ABC):
    """How one program writes its findings as JSON.

    Parameters
    ----------
    found : FindingList
        Takes them.
    boxes : BoxLayout, optional
        How boxes are stated, where the user says so.
    """

    program: ClassVar[str]
    members: ClassVar[frozenset[str]] = frozenset()
    """Long members of the file's object, by which such a file is known."""

    def __init__(self, found: FindingList, boxes: BoxLayout | None) -> None:
        self.found, self.boxes = found, boxes

    @classmethod
    def claims(cls, item: Item) -> bool:
        """Return whether an item of a file says that it is one of these."""
        member, key, value = item
        return member in cls.members if key is BEGIN else cls._is_row(member, value)

    def take(self, item: Item) -> None:
        """Take an item of the file."""
        self._take(item)

    def finish(self) -> ForeignFindings:
        """Return what was found."""
        return self._finish()

    @classmethod
    def _is_row(cls, member: str, value: Any) -> bool:
        """Return whether a value of a file without such members is a row of these."""
        return member == "" and cls._is_known(value)

    @classmethod
    def _is_known(cls, value: Any) -> bool:
        """Return whether an item of a list is one of these; of most programs lists hold none."""
        return not isinstance(value, dict | list | str | int | float | None)

    @abstractmethod
    def _take(self, item: Item) -> None: ...

    def _finish(self) -> ForeignFindings:
        return self.found.finish(self.program)

    def mapping(self, value: Any, where: str) -> dict[str, Any]:
        """Return an object, or raise FormatError."""
        if not isinstance(value, dict):
            raise self.bad("an object expected", where)
        return value

    def numbers(self, value: Any, count: int, where: str) -> list[float]:
        """Return so many finite numbers, or raise FormatError."""
        if not isinstance(value, list) or len(value) < count:
            raise self.bad(f"{count} numbers expected", where)
        return [finite(number, self.found.path, where) for number in value[:count]]

    def bad(self, what: str, where: str) -> FormatError:
        """Return the error that something of the file is not as this program writes it."""
        return FormatError(
            what,
            where=f"{self.found.path}: {where}",
            mend=f"it was taken for a file of {self.program}; write it as CSV x,y,score,label if it is not",
        )


class HoverNet(Layout):
    """Nuclei by number, with their magnification: HoVer-Net."""

    program = "HoVer-Net"
    members = frozenset({"nuc"})

    def _take(self, item: Item) -> None:
        member, key, value = item
        if member == "mag" and value is not None:
            self.found.magnification = finite(value, self.found.path, "mag")
        elif member == "nuc" and key is not BEGIN:
            where = f"nuc[{key!r}]"
            nucleus = self.mapping(value, where)
            x, y = self.numbers(nucleus.get("centroid"), 2, where)
            score, label = nucleus.get("type_prob", nucleus.get("prob")), nucleus.get("type")
            self.found.add(x, y, score=score, label=label, where=where)


class ToolboxNuclei(Layout):
    """Nuclei by their id, without anything around: TIAToolbox up to 1.6, saved from its .dat as JSON."""

    program = "TIAToolbox"

    @classmethod
    def _is_row(cls, member: str, value: Any) -> bool:
        return member != "" and isinstance(value, dict) and "centroid" in value

    def _take(self, item: Item) -> None:
        member, _, value = item
        nucleus = self.mapping(value, member)
        x, y = self.numbers(nucleus.get("centroid"), 2, member)
        self.found.add(x, y, score=nucleus.get("prob"), label=nucleus.get("type"), where=member)


class HoverNext(Layout):
    """Class and place of each nucleus by its number, row first: ``class_inst.json`` of HoVer-NeXt."""

    program = "HoVer-NeXt"

    @classmethod
    def _is_row(cls, member: str, value: Any) -> bool:
        return member.isdigit() and isinstance(value, list) and len(value) == 2

    def _take(self, item: Item) -> None:
        member, _, value = item
        if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], int)):
            raise self.bad("a class and a place expected", member)
        y, x = self.numbers(value[1], 2, member)
        self.found.add(x, y, label=value[0], where=member)


class CellVit(Layout):
    """Cells with the table of their types: ``cells.json`` and ``cell_detection.json`` of CellViT."""

    program = "CellViT"
    members = frozenset({"cells", "processed_patches"})

    def __init__(self, found: FindingList, boxes: BoxLayout | None) -> None:
        super().__init__(found, boxes)
        self.names: dict[str, str] = {}

    def _take(self, item: Item) -> None:
        member, key, value = item
        if member == "type_map" and isinstance(value, dict):
            # Number by name, or name by number: both are in use.
            pairs = [(str(a), str(b)) for a, b in value.items()]
            self.names = {a: b for a, b in pairs if a.isdigit()} or {b: a for a, b in pairs}
        elif member == "cells" and key is not BEGIN:
            where = f"cells[{key}]"
            cell = self.mapping(value, where)
            x, y = self.numbers(cell.get("centroid"), 2, where)
            self.found.add(x, y, score=cell.get("type_prob"), label=cell.get("type"), where=where)

    def _finish(self) -> ForeignFindings:
        return self.found.finish(self.program, names=self.names)


class MMDetection(Layout):
    """Boxes, scores and class numbers of one picture side by side: ``preds/*.json`` of MMDetection."""

    program = "MMDetection"
    members = frozenset({"bboxes", "scores", "labels", "predictions"})

    def __init__(self, found: FindingList, boxes: BoxLayout | None) -> None:
        super().__init__(found, boxes)
        self.columns: dict[str, list[Any]] = {}

    def _take(self, item: Item) -> None:
        member, key, value = item
        if member == "predictions" and key is not BEGIN:
            if key != 0:
                raise self.bad("findings of several pictures, none of which is named", "predictions")
            self.columns = {name: list(column) for name, column in self.mapping(value, member).items()}
        elif member in self.members and key is not BEGIN:
            self.columns.setdefault(member, []).append(value)

    def _finish(self) -> ForeignFindings:
        boxes, scores, labels = (self.columns.get(name, []) for name in ("bboxes", "scores", "labels"))
        if not len(boxes) == len(scores) == len(labels):
            raise self.bad(f"{len(boxes)} boxes, {len(scores)} scores, {len(labels)} labels", "bboxes")
        for place, (box, score, label) in enumerate(zip(boxes, scores, labels, strict=True)):
            left, top, right, bottom = self.numbers(box, 4, f"bboxes[{place}]")
            if self.boxes is BoxLayout.XYWH:
                right, bottom = left + right, top + bottom
            x, y = (left + right) / 2, (top + bottom) / 2
            self.found.add(x, y, score=score, label=label, where=f"bboxes[{place}]")
        return self.found.finish(self.program)


class Ultralytics(Layout):
    """Boxes with the names of their classes: ``Results.to_json`` of Ultralytics' YOLO."""

    program = "YOLO"

    @classmethod
    def _is_known(cls, value: Any) -> bool:
        return isinstance(value, dict) and value.keys() >= {"box", "confidence"}

    def _take(self, item: Item) -> None:
        _, key, value = item
        if key is BEGIN:
            return
        where = f"[{key}]"
        row = self.mapping(value, where)
        box = self.mapping(row.get("box"), where)
        left, top, right, bottom = self.numbers([box.get(side) for side in CORNERS], 4, where)
        label = row.get("name", row.get("class"))
        x, y = (left + right) / 2, (top + bottom) / 2
        self.found.add(x, y, score=row.get("confidence"), label=label, where=where)


class Coco(Layout):
    """Boxes of images and classes by number: results of COCO tools, or a whole COCO file."""

    program = "COCO"
    members = frozenset({"images", "annotations", "categories"})

    def __init__(self, found: FindingList, boxes: BoxLayout | None) -> None:
        super().__init__(found, boxes)
        self.names: dict[str, str] = {}
        self.images: dict[str, str] = {}
        self.corners: list[list[float]] = []
        self.rows: list[tuple[object, str, str]] = []
        self.evidence: list[dict[str, Any]] = []
        self.is_list = False
        self.description = ""

    @classmethod
    def _is_known(cls, value: Any) -> bool:
        return isinstance(value, dict) and value.keys() >= {"image_id", "bbox"}

    def _take(self, item: Item) -> None:
        member, key, value = item
        if key is BEGIN:
            self.is_list |= member == ""
        elif member in ("", "annotations"):
            self._box(self.mapping(value, f"{member}[{key}]"), f"{member}[{key}]")
        elif member == "images":
            image = self.mapping(value, f"images[{key}]")
            number, name = str(image.get("id")), str(image.get("file_name", ""))
            self.images[number] = name
            self.found.know_image(number)
            width, height = image.get("width"), image.get("height")
            if isinstance(width, int) and isinstance(height, int):
                self.found.sizes[number] = (float(width), float(height))
        elif member == "categories":
            category = self.mapping(value, f"categories[{key}]")
            self.names[str(category.get("id"))] = str(category.get("name"))
        elif member == "info" and isinstance(value, dict):
            self.description = str(value.get("description", ""))

    def _box(self, row: Mapping[str, Any], where: str) -> None:
        self.corners.append(self.numbers(row.get("bbox"), 4, where))
        if len(self.evidence) < _EVIDENCE_MOST:
            self.evidence.append({name: row[name] for name in row.keys() - {"segmentation"}})
            self.evidence[-1] |= dict.fromkeys(row.keys() & {"segmentation"})
        score = row.get("score")
        self.rows.append((score, str(row.get("category_id", "")), str(row.get("image_id"))))

    def _finish(self) -> ForeignFindings:
        boxes = np.array(self.corners, np.float64).reshape(-1, 4)
        if self._layout(boxes) is BoxLayout.XYWH:
            boxes[:, 2:] += boxes[:, :2]
        elif (reversed_ := (boxes[:, 2:] < boxes[:, :2]).any(axis=1)).any():
            raise FormatError(
                f"{reversed_.sum():,} of {len(boxes):,} boxes have their second corner before the first",
                where=self.found.path,
                mend="corner and size are read with --boxes xywh",
            )
        centres = boxes[:, :2] / 2 + boxes[:, 2:] / 2
        for place, ((x, y), (score, category, image)) in enumerate(
            zip(centres.tolist(), self.rows, strict=True)
        ):
            self.found.add(x, y, score=score, label=category, image=image, where=f"[{place}]")
        program = "COCO results" if self.is_list else self.program
        images = self.images if self.images else dict.fromkeys({image for *_, image in self.rows}, "")
        if not self.images and len(images) > 1:
            raise FormatError(
                f"results of {len(images)} images, which it has by number alone",
                where=self.found.path,
                mend="write a file for each slide, or a COCO file with images, annotations and categories",
            )
        return self.found.finish(program, names=self.names, images=images)

    def _layout(self, boxes: NDArray[np.float64]) -> BoxLayout:
        if self.boxes is not None:
            return self.boxes
        if self.is_list:  # results of COCO tools have corner and size
            _refuse_corners(boxes, self.found.path)
            return BoxLayout.XYWH
        unknown = (np.inf, np.inf)
        rows = self.rows[: len(self.evidence)]
        sizes = np.array([self.found.sizes.get(image, unknown) for *_, image in rows]).reshape(-1, 2)
        where = str(self.found.path)
        return box_layout(self.evidence, boxes[: len(rows)], sizes, description=self.description, where=where)


def _refuse_corners(boxes: NDArray[np.float64], path: Path) -> None:
    """Refuse a list whose boxes grow with their place as corner and size, and do not as two corners."""
    if len(boxes) < _FEW:
        return
    sizes, spans = boxes[:, 2:], boxes[:, 2:] - boxes[:, :2]
    if (spans > 0).all() and np.median(sizes) > _LARGER * np.median(spans):
        raise FormatError(
            f"boxes of {np.median(sizes):.0f} px as corner and size, of {np.median(spans):.0f} px as two "
            "corners",
            where=path,
            mend="say which with --boxes xyxy or --boxes xywh",
        )


class Points(Layout):
    """Points in mm with names and probabilities: Grand Challenge, as MIDOG's containers write them."""

    program = "Grand Challenge"
    members = frozenset({"points"})

    def _take(self, item: Item) -> None:
        member, key, value = item
        self.found.unit = Unit.MM
        if member == "points" and key is not BEGIN:
            where = f"points[{key}]"
            point = self.mapping(value, where)
            x, y = self.numbers(point.get("point"), 2, where)
            self.found.add(x, y, score=point.get("probability"), label=point.get("name"), where=where)


class Features(Layout):
    """Objects with a geometry, class and measurements: GeoJSON of QuPath and of all who write for it."""

    program = "GeoJSON"
    members = frozenset({"features"})

    def __init__(self, found: FindingList, boxes: BoxLayout | None) -> None:
        super().__init__(found, boxes)
        self.left_out: dict[str, int] = {}
        self.offset = [0.0, 0.0]

    @classmethod
    def _is_known(cls, value: Any) -> bool:
        return isinstance(value, dict) and "geometry" in value

    def _take(self, item: Item) -> None:
        member, key, value = item
        if member == OFFSET:
            self.offset = self.numbers(value, 2, OFFSET)
        if member not in ("", "features") or key is BEGIN:
            return
        where = f"{member}[{key}]"
        feature = self.mapping(value, where)
        properties = self.mapping(feature.get("properties") or {}, where)
        name = _class_of(properties)
        if (reason := _no_finding(feature, properties, name)) is not None:
            self.left_out[reason] = self.left_out.get(reason, 0) + 1
            return
        score = _score_of(properties)
        for x, y in self._centres(self.mapping(feature["geometry"], where), where):
            self.found.add(x + self.offset[0], y + self.offset[1], score=score, label=name, where=where)

    def _centres(self, geometry: Mapping[str, Any], where: str) -> list[tuple[float, float]]:
        """Return the centre of each part: of an outline that of its bounds, as everywhere in mitoscope."""
        kind, parts = geometry.get("type"), geometry.get("coordinates")
        if kind == "Point":
            x, y = self.numbers(parts, 2, where)
            return [(x, y)]
        if not isinstance(parts, list):
            raise self.bad("a list of coordinates expected", where)
        if kind == "MultiPoint":
            return [(x, y) for x, y in (self.numbers(part, 2, where) for part in parts)]
        rings = {"LineString": [parts], "Polygon": parts[:1]}.get(str(kind))
        if kind == "MultiPolygon":
            rings = [part[0] for part in parts if isinstance(part, list) and part]
        if not rings:
            raise self.bad(f"a geometry {kind!r} expected to be points or outlines", where)
        return [self._middle(ring, where) for ring in rings]

    def _middle(self, ring: Any, where: str) -> tuple[float, float]:
        if not isinstance(ring, list) or not ring:
            raise self.bad("an outline without points", where)
        points = np.array([self.numbers(point, 2, where) for point in ring])
        low, high = points.min(axis=0), points.max(axis=0)
        x, y = (low / 2 + high / 2).tolist()
        return x, y

    def _finish(self) -> ForeignFindings:
        self.found.notes += [f"no findings: {reason} ({count:,})" for reason, count in self.left_out.items()]
        return self.found.finish(self.program)


def _class_of(properties: Mapping[str, Any]) -> str:
    found = properties.get("classification")
    if isinstance(found, dict):
        names = found.get("names")
        found = ": ".join(map(str, names)) if isinstance(names, list) else found.get("name")
    if found is None:
        found = next((properties[key] for key in ("type", "class", "label") if key in properties), "")
    return str(found or "").strip()


def _score_of(properties: Mapping[str, Any]) -> object:
    stated = properties.get("measurements") or {}
    if isinstance(stated, list):  # QuPath up to 0.3
        stated = {entry.get("name"): entry.get("value") for entry in stated if isinstance(entry, dict)}
    for place in (stated, properties):
        for key, value in place.items():
            if str(key).casefold() in SCORES and value is not None:
                return value
    return None


def _no_finding(feature: Mapping[str, Any], properties: Mapping[str, Any], name: str) -> str | None:
    """Return what a feature is that no detector found, None where it is a finding."""
    geometry = feature.get("geometry")
    if geometry is None:
        return "objects without a geometry"
    if name.casefold().startswith(HOT_SPOT.casefold()):
        return "hot spots"
    kind = str(properties.get("objectType", properties.get("object_type", "detection")))
    is_outline = isinstance(geometry, dict) and "Polygon" in str(geometry.get("type"))
    if is_outline and name and name != CANDIDATE.name and kind_of_name(name) is not None:
        return "outlines of regions"
    if is_outline and kind == "annotation" and not name:
        return "annotations without a class"
    return None


LAYOUTS: Final[Sequence[type[Layout]]] = (
    HoverNet,
    CellVit,
    MMDetection,
    Points,
    Features,
    Ultralytics,
    Coco,
    ToolboxNuclei,
    HoverNext,
)
_MEMBERS: Final = frozenset().union(*(layout.members for layout in LAYOUTS))
_UNCLAIMED_MOST = 1000


def read_json_findings(path: Path, *, boxes: BoxLayout | None = None) -> ForeignFindings:
    """Read the findings of a JSON file of any of these programs.

    Raises
    ------
    FormatError
        If it is not JSON, or none of these.
    """
    found, layout, waiting = FindingList(path), None, list[Item]()
    with closing(read_items(path, _MEMBERS, is_lines=_is_lines(path))) as items:
        for item in items:
            if layout is not None:
                layout.take(item)
                continue
            waiting.append(item)
            kind = next((layout for layout in LAYOUTS if layout.claims(item)), None)
            if kind is not None:
                layout = kind(found, boxes)
                for each in waiting:
                    layout.take(each)
            elif len(waiting) > _UNCLAIMED_MOST:
                break
    if layout is not None:
        return layout.finish()
    if all(value is None and member == "" for member, _, value in waiting):
        return found.finish("an empty list")
    raise FormatError(
        "this JSON is of no known program", where=path, mend="write the findings as CSV: x,y,score,label"
    )


def _is_lines(path: Path) -> bool:
    """Return whether each line of a file is a JSON object: NDJSON, as TIAToolbox and jq write it."""
    lines = Content(path).text_head.splitlines()[:2]
    try:
        first = json.loads(lines[0])
    except (ValueError, IndexError, RecursionError):
        return False
    more = len(lines) > 1 and lines[1].lstrip().startswith("{")
    return isinstance(first, dict) and (more or "geometry" in first)
