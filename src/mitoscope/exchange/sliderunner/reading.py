"""Reading a SlideRunner database into a study."""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange.classes import CONSENSUS, ClassTable
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.regions import add_region, is_cell_class
from mitoscope.exchange.sliderunner.schema import OUTCOMES, AnnotationType, Row, open_database, rows
from mitoscope.geometry import SizePx
from mitoscope.labels import FIELD_LABELS, name_key
from mitoscope.region import kind_of_name
from mitoscope.store import (
    QuarantineEntry,
    Rater,
    RaterKind,
    RegionKind,
    Shape,
    SlideRecord,
    Study,
    StudyBuilder,
)

REGIONS = "sliderunner.regions"
"""Attribute of a slide: what its regions say beside outline and class, in the file they came from."""
_MOST = 2**31
CELL = "cell"
"""Description of a polygon that is a cell though no class says so; it is mitoscope's own."""
_SLIDE_TEXTS = ("directory", "uuid", "exactImageID")


@dataclass(slots=True)
class _Label:
    uid: int
    person: Any
    number: Any
    exact_id: Any
    times: list[float]


def read(path: Path, options: ReadOptions) -> Study:
    """Read a SlideRunner database (versions 0 to 3); the file is not changed.

    Spots, areas, circles and polygons become cells with all their labels in the order of their uid; each
    label's time is that of the table ``Log``. ``agreedClass`` is the label of a consensus rater, but for one
    that mitoscope had worked out from the labels when it wrote the file. Polygons and rectangles of a class
    that says tumour, exclusion or region of interest (10 HPF) become regions, and in a file with a tumour
    class all other polygons that are no cells are exclusions (CCMCT, FACTS B3). Image annotations, which have
    no place, and everything else that a study has no column for ride on slides, cells and labels as
    attributes ``sliderunner.*``. Labels of persons or classes that are not in the file, and annotations
    without coordinates or slide, are quarantined.

    Raises
    ------
    FormatError
        If it is damaged or not a SlideRunner database.
    """
    with open_database(path) as db:
        return _Reader(db, path, options).study()


class _Reader:
    def __init__(self, db: sqlite3.Connection, path: Path, options: ReadOptions) -> None:
        self.db, self.path, self.options = db, path, options
        self.build, self.by_rule = StudyBuilder(), Counter[str]()
        (self.version,) = db.execute("PRAGMA user_version").fetchone()
        self.agreements: list[tuple[int, int]] = []
        self.labels_of_cells: list[tuple[_Label, int, str]] = []

    def study(self) -> Study:
        self._classes()
        self._persons()
        self._slides()
        self._load()
        for row in rows(self.db, "Annotations"):
            with self.build.aside(row):
                self._annotation(row)
        self._events()
        notes = tuple(
            f"{count} polygons of {name!r} are taken as exclusions, as in CCMCT; "
            f'--label "{name}=…" says what else they are'
            for name, count in self.by_rule.items()
        )
        return replace(self.build.build(), notes=notes)

    def _classes(self) -> None:
        found = list(rows(self.db, "Classes"))
        self.classes = ClassTable((row["uid"], _text(row["name"]), _text(row["color"])) for row in found)
        self.fixed = [row["uid"] for row in found if row["clickable"] == 0]
        for entry in self.classes.entries.values():
            if _kind(entry.name) is None:
                self.build.label(entry.label)
        self.kinds = [_kind(entry.name) for entry in self.classes.entries.values()]
        self.has_tumour = RegionKind.TUMOUR in self.kinds

    def _persons(self) -> None:
        self.persons: dict[int, int] = {}
        self.person_names: dict[int, str] = {}
        taken, expected = set[str](), 1
        for row in rows(self.db, "Persons"):
            name = _one_of_its_kind(_text(row["name"]) or "person", row["uid"], taken)
            attributes = {} if row["uid"] == expected else {"sliderunner.uid": row["uid"]}
            if name != row["name"]:
                attributes["sliderunner.name"] = row["name"]
            if row["isExactUser"]:
                attributes["sliderunner.isExactUser"] = row["isExactUser"]
            self.person_names[row["uid"]] = name
            kind = RaterKind.MODEL if name in self.options.models else RaterKind.EXPERT
            self.persons[row["uid"]] = self.build.rater(Rater(name, kind, attributes))
            expected = row["uid"] + 1
        self.consensus = Rater(_one_of_its_kind(CONSENSUS.name, "agreedClass", taken), RaterKind.CONSENSUS)

    def _slides(self) -> None:
        self.slides: dict[int, int] = {}
        self.records: dict[int, SlideRecord] = {}
        taken, expected = set[str](), 1
        for row in rows(self.db, "Slides"):
            name = _one_of_its_kind(_text(row["filename"]) or "slide", row["uid"], taken)
            attributes = {} if row["uid"] == expected else {"sliderunner.uid": row["uid"]}
            if name != row["filename"]:
                attributes["sliderunner.filename"] = row["filename"]
            for column in (*_SLIDE_TEXTS, "EXACTUSER"):
                if row[column] not in (None, 0):
                    attributes[f"sliderunner.{column}"] = _text(row[column])
            attributes |= self._file_attributes()
            size = None
            with self.build.aside(row, slide=name):
                size = _size(row, f"{self.path.name}: slide {row['uid']}")
            self.records[row["uid"]] = SlideRecord(name, size=size, attributes=attributes)
            self.slides[row["uid"]] = self.build.slide(self.records[row["uid"]])
            expected = row["uid"] + 1

    def _file_attributes(self) -> dict[str, Any]:
        plain = [
            number == place and entry.name == entry.label.name and entry.colour in (None, entry.label.colour)
            for place, (number, entry) in enumerate(self.classes.entries.items(), start=1)
        ]
        # Classes of regions are none of cells, so that they do not come back from the labels.
        is_plain = all(plain) and not any(self.kinds)
        attributes: dict[str, Any] = {} if is_plain else {"sliderunner.classes": self.classes.to_json()}
        return attributes | ({"sliderunner.fixed_classes": self.fixed} if self.fixed else {})

    def _load(self) -> None:
        self.coordinates: dict[Any, list[tuple[float, float, int]]] = defaultdict(list)
        for row in rows(self.db, "Annotations_coordinates", "orderIdx"):
            place = (_float(row["coordinateX"]), _float(row["coordinateY"]), _int(row["coordinateZ"]))
            self.coordinates[row["annoId"]].append(place)
        times: dict[Any, list[float]] = defaultdict(list)
        for row in rows(self.db, "Log"):
            time_s = _float(row["dateTime"])
            times[row["labelId"]].append(time_s if math.isfinite(time_s) else math.nan)
        self.labels: dict[Any, list[_Label]] = defaultdict(list)
        for row in rows(self.db, "Annotations_label"):
            label = _Label(
                row["uid"], row["person"], row["class"], row["exact_id"], times.pop(row["uid"], [])
            )
            self.labels[row["annoId"]].append(label)
        outcomes = rows(self.db, OUTCOMES)
        self.outcomes = {row["annoId"]: row["agreedClass"] for row in outcomes}

    def _annotation(self, row: Row) -> None:
        where = f"{self.path.name}: annotation {row['uid']}"
        slide = self.slides.get(row["slide"])
        if slide is None:
            self._quarantine(where, "no such slide", {**row, "coordinates": self.coordinates[row["uid"]]})
            return
        places = self.coordinates.get(row["uid"], [])
        ring = _ring(row["type"], [place[:2] for place in places])
        kind = self._kind_of(row, ring)
        if kind is not None and not row["deleted"]:
            entry = self.classes.entries.get(row["agreedClass"])
            known = len(self.build.regions)
            record = self.records[row["slide"]]
            add_region(
                self.build,
                slide,
                ring,
                kind=kind,
                name=entry.name if entry else "",
                where=where,
                slide_name=record.name,
            )
            if len(self.build.regions) > known:
                self._ride(row["slide"], REGIONS, {"outline": outline_key(ring)} | self._raw(row))
        elif row["type"] == AnnotationType.IMAGE or kind is not None:
            self._ride(row["slide"], "sliderunner.others", self._raw(row) | {"coordinates": _json(places)})
        elif not places:
            self._quarantine(where, "no coordinates", row, slide=self.records[row["slide"]].name)
        else:
            self._cell(row, slide, places, where)

    def _kind_of(self, row: Row, ring: NDArray[np.float64]) -> RegionKind | None:
        """Return what an annotation delimits, None where it is a cell."""
        if row["type"] not in (AnnotationType.POLYGON, AnnotationType.AREA) or not len(ring):
            return None
        entry = self.classes.entries.get(row["agreedClass"])
        name = "" if entry is None else entry.name
        is_stated = name_key(name) in self.options.outlines
        if not is_stated and (is_cell_class(name, ring) or row["description"] == CELL):
            return None
        if not row["agreedClass"] and self._is_disputed_cell(row, ring):
            return None
        kind = self.options.kind_of_outline(name, ring)
        if kind is None and not is_stated and self.has_tumour and row["type"] == AnnotationType.POLYGON:
            if name:
                self.by_rule[name] += 1
            return RegionKind.EXCLUSION
        return kind

    def _is_disputed_cell(self, row: Row, ring: NDArray[np.float64]) -> bool:
        entries = [self.classes.entries.get(label.number) for label in self.labels.get(row["uid"], [])]
        return any(is_cell_class(entry.name, ring) for entry in entries if entry is not None)

    def _ride(self, uid: int, key: str, raw: dict[str, Any]) -> None:
        # A record's attributes take no part in its hash, so the slide stays the one that was registered.
        attributes = self.records[uid].attributes
        assert isinstance(attributes, dict)
        attributes.setdefault(key, []).append(raw)

    def _raw(self, row: Row) -> dict[str, Any]:
        names = ("uid", "guid", "lastModified", "deleted", "type", "agreedClass", "description", "clickable")
        labels = [
            [self._person_name(label.person), self._class_name(label.number), label.exact_id, label.times]
            for label in self.labels[row["uid"]]
        ]
        raw = {name: _json_value(row[name]) for name in names}
        return raw | {"agreedClass": self._class_name(row["agreedClass"]), "labels": _json_value(labels)}

    def _person_name(self, uid: Any) -> Any:
        return self.person_names.get(uid, uid)

    def _class_name(self, number: Any) -> Any:
        entry = self.classes.entries.get(number)
        return entry.name if entry is not None and entry.name else number

    def _cell(self, row: Row, slide: int, places: list[tuple[float, float, int]], where: str) -> None:
        points = [place[:2] for place in places]
        if abs(places[0][2]) >= _MOST:
            raise FormatError(f"a focal plane expected, got {places[0][2]}", where=where)
        columns: dict[str, Any] = {
            "z": places[0][2],
            "deleted": bool(row["deleted"]),
            "guid": _text(row["guid"]),
            "external_id": str(row["uid"]),
            "attributes": _cell_attributes(row, last_time(self.labels[row["uid"]])),
        }
        shape = _shape(row["type"], len(points))
        if shape is Shape.POLYGON:
            outline = _opened(points)
            if self.version > 0 and len(outline) == len(points):
                columns["attributes"]["sliderunner.open"] = True
            cell = self.build.polygon(slide, outline, **columns)
        else:
            corners = np.array(
                [points[0], points[min(1, len(points) - 1)] if shape != Shape.SPOT else points[0]]
            )
            bounds = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
            cell = self.build.cell(slide, bounds, shape=shape, **columns)
        self.labels_of_cells += [(label, cell, where) for label in self.labels[row["uid"]]]
        self._agreed(row, cell, where)

    def _agreed(self, row: Row, cell: int, where: str) -> None:
        agreed = row["agreedClass"] or 0
        if agreed and self.classes.label(agreed) is None:
            self._quarantine(where, "no such class", {"agreedClass": agreed})
        elif self.outcomes.get(row["uid"]) == agreed:
            return  # worked out by mitoscope, and not changed since
        elif agreed or len({label.number for label in self.labels[row["uid"]] if label.number}) == 1:
            # 0 over unanimous labels is a statement too: somebody set it.
            self.agreements.append((cell, agreed))

    def _events(self) -> None:
        expected = 1
        for label, cell, where in sorted(
            self.labels_of_cells, key=lambda labels_of_cell: labels_of_cell[0].uid
        ):
            attributes: dict[str, Any] = {} if label.uid == expected else {"sliderunner.uid": label.uid}
            expected = label.uid + 1
            if label.person not in self.persons:
                self._quarantine(where, "a label of a person who is not in the file", _label_text(label))
            elif label.number and self.classes.label(label.number) is None:
                self._quarantine(where, "a label of a class that is not in the file", _label_text(label))
            else:
                if label.exact_id is not None:
                    attributes["sliderunner.exact_id"] = _json_value(label.exact_id)
                if len(label.times) > 1:
                    attributes["sliderunner.log"] = label.times
                attributes |= self._class_attribute(label.number)
                index = self._label_index(label.number)
                time_s = label.times[-1] if label.times else math.nan
                rater = self.persons[label.person]
                self.build.event(cell, rater, index, time_s=time_s, attributes=attributes)
        for cell, number in self.agreements:
            rater = self.build.rater(self.consensus)
            self.build.event(cell, rater, self._label_index(number), attributes=self._class_attribute(number))

    def _label_index(self, number: int | None) -> int:
        label = self.classes.label(number) if number else None
        return -1 if label is None else self.build.label(label)

    def _class_attribute(self, number: int | None) -> dict[str, Any]:
        return {} if not number or self.classes.is_first(number) else {"sliderunner.class": number}

    def _quarantine(self, where: str, why: str, what: object, slide: str | None = None) -> None:
        self.build.quarantine.append(QuarantineEntry(where, why, str(what), slide))


def last_time(labels: list[_Label]) -> float:
    """Return when the last label was given, 0 where nobody knows."""
    times = [time for label in labels for time in label.times[-1:] if math.isfinite(time)]
    return max(times, default=0.0)


def _cell_attributes(row: Row, last_time_s: float) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if row["type"] not in (
        AnnotationType.SPOT,
        AnnotationType.AREA,
        AnnotationType.POLYGON,
        AnnotationType.CIRCLE,
    ):
        attributes["sliderunner.type"] = _json_value(row["type"])
    if row["description"] and row["description"] != CELL:
        attributes["sliderunner.description"] = _text(row["description"])
    if row["clickable"] == 0:
        attributes["sliderunner.clickable"] = 0
    modified = _float(row["lastModified"])
    if math.isfinite(modified) and modified != last_time_s:
        attributes["sliderunner.lastModified"] = modified
    return attributes


def _shape(kind: Any, n: int) -> Shape:
    if kind == AnnotationType.POLYGON:
        return Shape.POLYGON
    if kind == AnnotationType.CIRCLE:
        return Shape.CIRCLE
    if kind in (AnnotationType.SPOT, AnnotationType.SPECIAL_SPOT) or n == 1:
        return Shape.SPOT
    return Shape.BOX if kind == AnnotationType.AREA or n == 2 else Shape.POLYGON


def _kind(name: str) -> RegionKind | None:
    return None if FIELD_LABELS.find(name) is not None else kind_of_name(name)


def _ring(kind: Any, points: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the outline of an annotation, of a rectangle its four corners."""
    ring = np.array(_opened(points), dtype=np.float64).reshape(-1, 2)
    if kind == AnnotationType.AREA and len(ring) == 2:
        (x_min, y_min), (x_max, y_max) = ring.min(axis=0), ring.max(axis=0)
        return np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
    return ring


def outline_key(ring: NDArray[np.float64]) -> str:
    """Return by what a region is known again when the study is written."""
    return hashlib.sha256(np.ascontiguousarray(ring, dtype=np.float64).tobytes()).hexdigest()[:16]


def _opened(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return points[:-1] if len(points) > 3 and points[0] == points[-1] else points


def _one_of_its_kind(name: str, uid: object, taken: set[str]) -> str:
    while name in taken:
        name = f"{name} ({uid})"
    taken.add(name)
    return name


def _size(row: Row, where: str) -> SizePx | None:
    if not row["width"] or not row["height"]:
        return None
    width, height = _float(row["width"]), _float(row["height"])
    if not (0 < width < _MOST and 0 < height < _MOST):
        raise FormatError(f"the size of an image expected, got {row['width']} × {row['height']}", where=where)
    return SizePx(int(width), int(height))


def _label_text(label: _Label) -> str:
    return f"label {label.uid}: person {label.person}, class {label.number}, times {label.times}"


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _float(value: Any) -> float:
    try:
        return math.nan if value is None or isinstance(value, bytes) else float(value)
    except (ValueError, OverflowError):
        return math.nan


def _int(value: Any) -> int:
    number = _float(value)
    return int(number) if math.isfinite(number) else 0


def _json(places: list[tuple[float, float, int]]) -> list[Any]:
    return [[_json_value(x), _json_value(y), z] for x, y, z in places]


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_json_value(entry) for entry in value]
    return value.hex() if isinstance(value, bytes) else value
