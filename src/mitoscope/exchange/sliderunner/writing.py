"""Writing a study as a SlideRunner database of the current version."""

from __future__ import annotations

import math
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.exchange.classes import ClassTable, classes_to_write, numbers_by_label, stated_classes
from mitoscope.exchange.format import WriteOptions
from mitoscope.exchange.regions import is_cell_class, kind_of_outline
from mitoscope.exchange.sliderunner.reading import CELL, REGIONS, outline_key
from mitoscope.exchange.sliderunner.schema import (
    OUTCOMES,
    USER_VERSION,
    AnnotationType,
    create_tables,
    create_triggers,
    register_functions,
)
from mitoscope.fsio import atomic_write
from mitoscope.labels import Label, LabelSet
from mitoscope.region import kind_of_name
from mitoscope.store import Attributes, RaterKind, Region, RegionKind, Shape, Study

REGION_CLASS = {
    RegionKind.TUMOUR: "Tumorzone",
    RegionKind.EXCLUSION: "Non-tumor",
    RegionKind.INTEREST: "Region of interest",
}
"""The class under which a region is written; ``Tumorzone`` is that of CCMCT."""

REGION_COLOUR = "#ffd43b"
_TYPES = {
    Shape.SPOT: AnnotationType.SPOT,
    Shape.BOX: AnnotationType.AREA,
    Shape.CIRCLE: AnnotationType.CIRCLE,
    Shape.POLYGON: AnnotationType.POLYGON,
}
_NAMESPACE = uuid.UUID("c6fba5b1-4ec4-5d25-9e36-6d69746f7363")


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write a SlideRunner database that SlideRunner opens as its own.

    Labels keep their order; ``agreedClass`` is the outcome of the labels, and noted as such where no
    consensus stated it, so that it is not read back as somebody's label. Cells without a guid get one that
    is the same every time.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with closing(sqlite3.connect(":memory:")) as db:
        create_tables(db)
        _Writer(db, study, options).write()
        register_functions(db)
        create_triggers(db)
        db.execute(f"PRAGMA user_version = {USER_VERSION}")
        db.commit()
        content = db.serialize()
    with atomic_write(path) as stream:
        stream.write(content)


class _Writer:
    def __init__(self, db: sqlite3.Connection, study: Study, options: WriteOptions) -> None:
        self.db, self.study, self.options = db, _with_region_classes(study), options
        self.has_tumour = _has_tumour(self.study)
        self.classes: ClassTable = classes_to_write(self.study, "sliderunner.classes")
        self.number_of = numbers_by_label(self.classes)
        self.label_uid = 0

    def write(self) -> None:
        self._classes()
        self._persons()
        self._slides()
        self._cells()
        self._labels()
        self._riding()

    def _insert(self, table: str, **columns: Any) -> int:
        names, marks = ", ".join(f"`{name}`" for name in columns), ", ".join("?" * len(columns))
        sql = f"INSERT INTO `{table}` ({names}) VALUES ({marks})"  # noqa: S608 constant names
        return int(self.db.execute(sql, tuple(columns.values())).lastrowid or 0)

    def _classes(self) -> None:
        fixed = {
            number
            for slide in self.study.slides
            for number in slide.attributes.get("sliderunner.fixed_classes", [])
        }
        for number, entry in self.classes.entries.items():
            colour = entry.colour or entry.label.colour
            clickable = 0 if number in fixed else 1
            self._insert("Classes", uid=number, name=entry.name, color=colour, clickable=clickable)

    def _persons(self) -> None:
        self.person_of: dict[int, int] = {}
        for index, rater in enumerate(self.study.raters):
            if rater.kind is RaterKind.CONSENSUS:
                continue
            wanted = _free_uid(rater.attributes, set(self.person_of.values()))
            name = rater.attributes.get("sliderunner.name", rater.name)
            exact = rater.attributes.get("sliderunner.isExactUser", 0)
            self.person_of[index] = self._insert("Persons", uid=wanted, name=name, isExactUser=exact)
        self.person_named = {self.study.raters[index].name: uid for index, uid in self.person_of.items()}

    def _slides(self) -> None:
        self.slide_of: list[int] = []
        for slide in self.study.slides:
            given = {
                column: slide.attributes.get(f"sliderunner.{column}")
                for column in ("directory", "uuid", "exactImageID")
            }
            self.slide_of.append(
                self._insert(
                    "Slides",
                    uid=_free_uid(slide.attributes, set(self.slide_of)),
                    filename=slide.attributes.get("sliderunner.filename", slide.name),
                    width=None if slide.size is None else slide.size.width,
                    height=None if slide.size is None else slide.size.height,
                    EXACTUSER=slide.attributes.get("sliderunner.EXACTUSER", 0),
                    **given,
                )
            )

    def _cells(self) -> None:
        cells = self.study.cells
        uids = _uids(cells.external_id.tolist())
        numbers = self._agreed_classes()
        events = self.study.events
        stated = {int(cell) for row, cell in enumerate(events.cell.tolist()) if self._is_outcome(row)}
        last = self._last_times()
        self.cell_uid: list[int] = []
        for row in range(len(cells)):
            attributes = cells.attributes.get(row, {})
            uid = self._insert(
                "Annotations",
                uid=uids[row] if uids else None,
                slide=self.slide_of[cells.slide[row]],
                guid=cells.guid[row] or _guid(self.study, row),
                lastModified=attributes.get("sliderunner.lastModified", last[row]),
                deleted=int(cells.deleted[row]),
                type=attributes.get("sliderunner.type", _TYPES[Shape(int(cells.shape[row]))]),
                agreedClass=numbers[row],
                description=attributes.get("sliderunner.description", self._note(row, numbers[row])),
                clickable=attributes.get("sliderunner.clickable", 1),
            )
            self.cell_uid.append(uid)
            if row not in stated:
                self._insert(OUTCOMES, annoId=uid, agreedClass=numbers[row])
            self._coordinates(uid, int(cells.slide[row]), self._points(row), z=int(cells.z[row]))

    def _note(self, row: int, number: int) -> str | None:
        """Return what keeps a polygon without a class from being read as an exclusion."""
        is_bare = number == 0 and self.study.cells.shape[row] == Shape.POLYGON
        return CELL if is_bare and self.has_tumour else None

    def _agreed_classes(self) -> list[int]:
        agreed, _ = stated_classes(self.study, self.options.policy)
        numbers = [self._number(label, {}) for label in agreed.tolist()]
        events = self.study.events
        last = {int(cell): row for row, cell in enumerate(events.cell.tolist())}
        for row, attributes in events.attributes.items():
            # Two classes of a file may stand for one label.
            cell, label = int(events.cell[row]), int(events.label[row])
            if "sliderunner.class" in attributes and self._is_outcome(row) and label == agreed[cell]:
                numbers[cell] = self._number(label, attributes)
        for cell, row in last.items():
            # "No agreed class" that a file states over labels which agree stands until somebody speaks again.
            if self._is_outcome(row) and events.label[row] < 0:
                numbers[cell] = 0
        return numbers

    def _is_outcome(self, row: int) -> bool:
        return int(self.study.events.rater[row]) not in self.person_of

    def _last_times(self) -> list[float]:
        events, last = self.study.events, np.zeros(len(self.study.cells))
        rows = np.flatnonzero(np.isfinite(events.time_s))
        np.maximum.at(last, events.cell[rows], events.time_s[rows])
        return last.tolist()

    def _points(self, row: int) -> list[tuple[float, float]]:
        cells = self.study.cells
        x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
        if cells.shape[row] == Shape.SPOT:
            return [(x_min, y_min)]
        if cells.shape[row] != Shape.POLYGON:
            return [(x_min, y_min), (x_max, y_max)]
        is_open = bool(cells.attributes.get(row, {}).get("sliderunner.open"))
        return _outline(cells.vertices_px0.get(row, np.empty((0, 2))), is_open=is_open)

    def _coordinates(self, uid: int, slide: int, points: Sequence[Sequence[float]], *, z: int) -> None:
        sql = (
            "INSERT INTO Annotations_coordinates "
            "(coordinateX, coordinateY, coordinateZ, slide, annoId, orderIdx) VALUES (?, ?, ?, ?, ?, ?)"
        )
        rows = (
            (_whole(x), _whole(y), z, self.slide_of[slide], uid, place)
            for place, (x, y, *_) in enumerate(points, start=1)
        )
        self.db.executemany(sql, rows)

    def _labels(self) -> None:
        events = self.study.events
        for row in range(len(events)):
            person = self.person_of.get(int(events.rater[row]))
            if person is None:
                continue
            attributes = events.attributes.get(row, {})
            number = self._number(int(events.label[row]), attributes)
            exact_id = attributes.get("sliderunner.exact_id")
            times = attributes.get("sliderunner.log", [float(events.time_s[row])])
            uid = self.cell_uid[events.cell[row]]
            wanted = attributes.get("sliderunner.uid", 0)
            self._label(uid, person, number, exact_id, times, wanted=wanted)

    def _label(
        self,
        annotation: int,
        person: Any,
        number: Any,
        exact_id: Any,
        times: Sequence[float],
        *,
        wanted: Any = 0,
    ) -> None:
        self.label_uid = wanted if isinstance(wanted, int) and wanted > self.label_uid else self.label_uid + 1
        columns = {"class": number, "annoId": annotation, "exact_id": exact_id}
        self._insert("Annotations_label", uid=self.label_uid, person=person, **columns)
        for time_s in times:
            if time_s is not None and math.isfinite(time_s):
                self._insert("Log", dateTime=time_s, labelId=self.label_uid)

    def _number(self, label: int, attributes: Attributes) -> int:
        if label < 0:
            return 0
        stated = attributes.get("sliderunner.class")
        wanted: Label = self.study.labels.labels[label]
        if isinstance(stated, int) and self.classes.label(stated) is not None:
            entry = self.classes.entries[stated]
            if entry.label.name == wanted.name:
                return stated
        return self.number_of[wanted.name]

    def _riding(self) -> None:
        """Write regions, and what rode on the slides because it is no cell."""
        for index, slide in enumerate(self.study.slides):
            for region, raw in _regions(self.study, index):
                name = _region_class(region, has_tumour=self.has_tumour)
                points = _outline(region.vertices_px0)
                if raw.get("type") == AnnotationType.AREA:
                    points = [points[0], points[2]]
                self._raw(index, {"type": AnnotationType.POLYGON} | raw | {"agreedClass": name}, points)
            for raw in slide.attributes.get("sliderunner.others", []):
                self._raw(index, raw, raw.get("coordinates", []))

    def _raw(self, slide: int, raw: Mapping[str, Any], points: Sequence[Sequence[Any]]) -> None:
        taken = self.db.execute("SELECT 1 FROM Annotations WHERE uid = ?", (raw.get("uid"),)).fetchone()
        uid = self._insert(
            "Annotations",
            uid=None if taken else raw.get("uid"),
            slide=self.slide_of[slide],
            guid=raw.get("guid") or str(uuid.uuid5(_NAMESPACE, f"{slide} {points}")),
            lastModified=raw.get("lastModified") or 0.0,
            deleted=raw.get("deleted") or 0,
            type=raw.get("type"),
            agreedClass=self._class_named(raw.get("agreedClass")),
            description=raw.get("description"),
            clickable=raw.get("clickable", 1),
        )
        z = points[0][2] if points and len(points[0]) > 2 else 0
        self._coordinates(uid, slide, points, z=z)
        for person, name, exact_id, times in raw.get("labels", []):
            person = self.person_named.get(person, person)
            self._label(uid, person, self._class_named(name), exact_id, times)

    def _class_named(self, name: Any) -> Any:
        if not name:
            return 0
        return next((entry.number for entry in self.classes.entries.values() if entry.name == name), name)


def _regions(study: Study, slide: int) -> list[tuple[Region, dict[str, Any]]]:
    """Return the regions of a slide, each with what else the file that it came from says of it."""
    stated = study.slides[slide].attributes.get(REGIONS, [])
    rows: dict[str, list[dict[str, Any]]] = {}
    for raw in stated:
        rows.setdefault(str(raw.get("outline")), []).append(
            {key: value for key, value in raw.items() if key not in ("outline", "agreedClass", "deleted")}
        )
    found = []
    for region in (region for region in study.regions if region.slide == slide):
        known = rows.get(outline_key(region.vertices_px0))
        found.append((region, known.pop(0) if known else {}))
    return found


def _with_region_classes(study: Study) -> Study:
    """Add the classes of regions to the labels, for the class table."""
    has_tumour = _has_tumour(study)
    names = dict.fromkeys(_region_class(region, has_tumour=has_tumour) for region in study.regions)
    carried = {row[1] for slide in study.slides for row in slide.attributes.get("sliderunner.classes", [])}
    new = [
        Label(name, REGION_COLOUR)
        for name in names
        if name and name not in carried and study.labels.find(name) is None
    ]
    return replace(study, labels=LabelSet((*study.labels.labels, *new)))


def _has_tumour(study: Study) -> bool:
    carried = {row[1] for slide in study.slides for row in slide.attributes.get("sliderunner.classes", [])}
    named = any(kind_of_name(str(name)) is RegionKind.TUMOUR for name in carried)
    return named or any(region.kind is RegionKind.TUMOUR for region in study.regions)


def _region_class(region: Region, *, has_tumour: bool) -> str:
    """Return the class of a region, so that it is read as what it is."""
    says = kind_of_outline(region.name, region.vertices_px0) if region.name else None
    if says is None and region.kind is RegionKind.EXCLUSION and has_tumour:
        # In a file with a tumour class all other polygons are exclusions.
        is_cell = is_cell_class(region.name, region.vertices_px0)
        return REGION_CLASS[region.kind] if is_cell else region.name
    if region.name and kind_of_outline(region.name, region.vertices_px0) is region.kind:
        return region.name
    return REGION_CLASS[region.kind]


def _outline(vertices: Any, *, is_open: bool = False) -> list[tuple[float, float]]:
    points = [(x, y) for x, y in np.asarray(vertices).tolist()]
    return points if is_open or not points else [*points, points[0]]


def _uids(external_ids: list[str | None]) -> list[int]:
    """Return the ids of the source as uids if all are positive integers and no two are equal, else none."""
    if not all(
        external_id is not None
        and external_id.isascii()
        and external_id.isdigit()
        and 0 < int(external_id) < 2**62
        for external_id in external_ids
    ):
        return []
    uids = [int(external_id) for external_id in external_ids if external_id is not None]
    return uids if len(set(uids)) == len(uids) else []


def _free_uid(attributes: Attributes, taken: set[int]) -> int:
    wanted = attributes.get("sliderunner.uid")
    if isinstance(wanted, int) and 0 < wanted < 2**62 and wanted not in taken:
        return wanted
    return max(taken, default=0) + 1


def _guid(study: Study, row: int) -> str:
    cells = study.cells
    place = (study.slides[cells.slide[row]].name, row, int(cells.shape[row]), cells.bounds_px0[row].tolist())
    return str(uuid.uuid5(_NAMESPACE, repr(place)))


def _whole(value: float | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)
