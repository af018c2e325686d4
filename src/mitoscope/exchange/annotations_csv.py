"""Plain CSV of annotations: one label a row, columns by name, as little or as much as there is.

``image,x,y,label`` with centres in level-0 pixels is enough, ``w`` and ``h`` make it a box, and ``score``
alone (``image,x,y,score`` or ``x,y,score``) makes it the output of a model. Written files add what else the
study says: ``rater``, ``round``, ``time_s``, ``seconds``, ``shape``, ``z``, ``deleted``, ``guid``, ``id``;
``cell`` is the same in all rows of one cell; without it, rows of several raters at one place, or under one
``guid`` or ``id``, are labels of one cell. ``vertices`` (``x y;x y;…``) are its outline or corners. The
share of the raters who gave a label may stand as ``agreement``, and what is known of the image in the
columns of :mod:`mitoscope.exchange.table`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.errors import FormatError, InputError
from mitoscope.exchange.classes import CONSENSUS, LabelFinder
from mitoscope.exchange.csv_text import dump_rows, inert, number, plain, shortest
from mitoscope.exchange.format import EVERYTHING, Aspect, Content, Format, ReadOptions, WriteOptions
from mitoscope.exchange.json_text import a_mapping, a_share, dump_json, parse_json
from mitoscope.exchange.table import (
    COLUMN_NAMES,
    IMAGE_COLUMNS,
    Column,
    Table,
    column_of,
    columns_of,
    finite_numbers,
    read_table,
    slide_of,
)
from mitoscope.fsio import atomic_write
from mitoscope.labels import MITOTIC_FIGURE, Label
from mitoscope.store import (
    UNSTATED_ROUND,
    Rater,
    RaterKind,
    Round,
    RoundKind,
    Shape,
    Study,
    StudyBuilder,
)

_OF_CELL = ("w", "h", "shape", "vertices", "z", "deleted", "guid", "id", "cell")
_OF_LABEL = ("rater", "rater_kind", "round", "round_kind", "time_s", "seconds")
COLUMNS = ("image", "x", "y", "label", "score", *_OF_CELL, *_OF_LABEL, "cell_attributes", "label_attributes")
_MODEL = Rater("model", RaterKind.MODEL)
_SAID = ("x", "y", "label", "vertices")
SAME_CELL_PX0 = 30.0
"""Rows of one ``id`` are one cell where their centres are no farther apart: raters number on their own."""


_Speech = tuple[str, str, str, bool, str, str]
"""Label, rater and its kind, whether there is a score, round and its kind."""
_Event = tuple[int, int, int, float, float, float, Mapping[str, Any]]
"""Rater, label, round, time, score, seconds and attributes."""


@dataclass(slots=True)
class _Cell:
    add: Callable[[], int]
    events: list[tuple[int, _Event | None]] = field(default_factory=list)


def read(path: Path, options: ReadOptions) -> Study:
    """Read annotations.

    A row's label is that of its ``rater``; without one, that of a model where there is a score, else of a
    consensus; ``options.rater`` names who that is. A row with a score and no label is a mitotic figure.

    Raises
    ------
    FormatError
        If the columns ``x`` and ``y`` are missing, or rows of no rater give one place two classes. Rows that
        cannot be read are quarantined.
    """
    return _Reader(path, options).study()


class _Columns:
    """What the rows of a table say, by column."""

    def __init__(self, table: Table, default_image: str) -> None:
        self.image = [text or default_image for text in column_of(table, "image", _text_of)]
        self.label, self.rater, self.guid, self.id = (
            column_of(table, name, _text_of) for name in ("label", "rater", "guid", "id")
        )
        self.cell = table.texts("cell")
        self.is_by_model = column_of(table, "score", _is_filled)
        self.is_deleted = column_of(table, "deleted", _says_deleted)
        kind, round_kind = (column_of(table, name, str.strip) for name in ("rater_kind", "round_kind"))
        round_ = column_of(table, "round", _text_of)
        self.speech = list(
            zip(self.label, self.rater, kind, self.is_by_model, round_, round_kind, strict=True)
        )
        self.says = [True] * len(self.image)
        if finite_numbers(table.texts("x")) is None:
            filled = (column_of(table, name, _is_filled) for name in _SAID)
            self.says = list(map(any, zip(*filled, strict=True)))
        places = (self._places(table, name) for name in _PLACE)
        self.place: list[tuple[Hashable, ...]] = list(zip(*places, strict=True))
        self.x, self.y, self.w, self.h = (Column(table, name, number) for name in "xywh")
        self.of_cell: list[Column[Any]] = [
            self.x,
            self.y,
            self.w,
            self.h,
            Column(table, "shape", _shape),
            Column(table, "vertices", _points),
            Column(table, "z", _integer),
            Column(table, "cell_attributes", _attributes),
        ]
        self.cells = list(zip(*(column.values for column in self.of_cell), strict=True))
        self.refused = {row for column in self.of_cell for row in column.refused}
        self.score, self.agreement = (Column(table, name, _share(name)) for name in ("score", "agreement"))
        self.time_s, self.seconds = (Column(table, name, _seconds(name)) for name in ("time_s", "seconds"))
        self.label_attributes = Column(table, "label_attributes", _attributes)

    @staticmethod
    def _places(table: Table, name: str) -> Sequence[Hashable]:
        quick = finite_numbers(table.texts(name)) if name in _COORDINATES else None
        return column_of(table, name, partial(_part_of_place, name)) if quick is None else quick

    def is_nameless(self, row: int) -> bool:
        """Whether a row gives a label in nobody's name."""
        return not self.rater[row] and bool(self.label[row] or self.is_by_model[row])


class _Reader:
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options = path, options
        self.build, self._finder = StudyBuilder(), LabelFinder()
        self._labels: dict[str, Label] = {}
        self._spoken: dict[_Speech, tuple[int, int, int]] = {}

    def study(self) -> Study:
        table = read_table(self.path, needed=("x", "y"), names=COLUMN_NAMES, build=self.build)
        of = self.of = _Columns(table, self.options.slide_name(self.path))
        slides = self._slides(table)
        said = [row for row, says in enumerate(of.says) if says]
        self.is_mixed = len({of.is_by_model[row] for row in said if of.is_nameless(row)}) > 1
        self._refuse_contradictions(table, said)
        keys, cells = _CellKeys(), dict[str, _Cell]()
        for place, row in enumerate(said):
            where, image = table.where(row), of.image[row]
            try:
                slide = slides[image]
                cell, event = self._cell(row, slide, where), self._event(row, where)
            except InputError as error:
                self.build.set_aside(error, table.row(row).cells, slide=image)
                continue
            key = of.cell[row] or self._key(keys, row, slide, f"row {place}")
            cells.setdefault(key, cell).events.append((place, event))
        events = []
        for cell in _in_order(cells):
            index = cell.add()
            events += [(place, index, event) for place, event in cell.events if event is not None]
        events.sort(key=itemgetter(0))
        for _, index, (rater, label, round_, time_s, score, seconds, attributes) in events:
            self.build.event(
                index,
                rater,
                label,
                round_=round_,
                time_s=time_s,
                score=score,
                seconds=seconds,
                attributes=attributes,
            )
        return self.build.build()

    def _slides(self, table: Table) -> dict[str, int]:
        """Return the slides by name; rows that say the same of theirs are looked at once."""
        stated = [name for names in IMAGE_COLUMNS.values() for name in names if name in table.columns]
        rows_of: dict[str, list[tuple[str, dict[str, str]]]] = {}
        known = set()
        says = zip(self.of.image, *map(table.texts, stated), strict=True)
        for place, one in enumerate(says):
            if one not in known:
                known.add(one)
                row = table.row(place)
                rows_of.setdefault(one[0], []).append((row.where, row.cells))
        return {image: self.build.slide(slide_of(image, rows, self.build)) for image, rows in rows_of.items()}

    def _refuse_contradictions(self, table: Table, said: list[int]) -> None:
        of = self.of
        refuse_contradictions(
            (table.where(row), (of.image[row], *of.place[row]), self._label(of.label[row]).name)
            for row in said
            if of.label[row]
            and not (of.cell[row] or of.rater[row] or of.is_by_model[row] or of.is_deleted[row])
        )

    def _cell(self, row: int, slide: int, where: str) -> _Cell:
        of = self.of
        x, y, w, h, stated, points, z, attributes = of.cells[row]
        if row in of.refused:
            x, y, w, h, stated, points, z, attributes = [column.at(row, where) for column in of.of_cell]
        shape, bounds = _geometry(x, y, w, h, stated, points, where)
        columns: dict[str, Any] = {
            "z": z,
            "deleted": of.is_deleted[row],
            "guid": of.guid[row] or None,
            "external_id": of.id[row] or None,
            "attributes": attributes,
        }
        if shape is Shape.POLYGON:
            return _Cell(partial(self.build.polygon, slide, points, **columns))
        return _Cell(partial(self.build.cell, slide, bounds, shape=shape, **columns))

    def _event(self, row: int, where: str) -> _Event | None:
        """Return the label of a row, None where the row gives none."""
        of = self.of
        score = (of.score if of.is_by_model[row] else of.agreement).at(row, where)
        speech = of.speech[row]
        if not (of.label[row] or of.rater[row]) and math.isnan(score):
            return None
        if speech not in self._spoken:
            self._spoken[speech] = self._who_says_what(speech, where)
        return (
            *self._spoken[speech],
            of.time_s.at(row, where),
            score,
            of.seconds.at(row, where),
            of.label_attributes.at(row, where),
        )

    def _who_says_what(self, speech: _Speech, where: str) -> tuple[int, int, int]:
        """Return the rater, the label (-1 for none) and the round."""
        label, name, kind, is_by_model, round_, round_kind = speech
        rater = self.build.rater(self._rater(name, kind, is_by_model, where))
        label = label or ("" if name else MITOTIC_FIGURE.name)
        label_id = self.build.label(self._label(label)) if label else -1
        return rater, label_id, self.build.round(_round(round_, round_kind, where))

    def _label(self, name: str) -> Label:
        if name not in self._labels:
            self._labels[name] = self._finder.find(name)
        return self._labels[name]

    def _rater(self, name: str, kind: str, is_by_model: bool, where: str) -> Rater:
        if kind and kind not in set(RaterKind):
            raise FormatError(f"a rater of {sorted(RaterKind)} expected, got {kind[:40]!r}", where=where)
        if name:
            default = RaterKind.MODEL if name in self.options.models else RaterKind.EXPERT
            return Rater(name, RaterKind(kind) if kind else default)
        return self.options.speaker(_MODEL if is_by_model else CONSENSUS, is_mixed=self.is_mixed)

    def _key(self, keys: _CellKeys, row: int, slide: int, new: str) -> str:
        of = self.of
        rater, place = of.rater[row], of.place[row]
        if not rater or of.is_deleted[row]:
            return new
        ids = [(slide, name, text) for name, text in (("guid", of.guid[row]), ("id", of.id[row])) if text]
        return keys.of(rater, (slide, *place), (of.x.values[row], of.y.values[row]), ids, new)


class _CellKeys:
    """Which rows of raters are of one cell, where no column says it."""

    def __init__(self) -> None:
        self._by_place: dict[Hashable, str] = {}
        self._by_id: dict[Hashable, tuple[str, tuple[float, float]]] = {}
        self._raters: dict[str, set[str]] = {}

    def of(
        self,
        rater: str,
        place: Hashable,
        centre: tuple[float, float],
        ids: Sequence[tuple[int, str, str]],
        new: str,
    ) -> str:
        """Return the key of the cell that a rater's row is of: ``new``, or that of an earlier row.

        Parameters
        ----------
        rater : str
            Who speaks.
        place : hashable
            The slide and where the cell lies.
        centre : tuple of float
            Its centre in level-0 pixels.
        ids : sequence of tuple of int, str and str
            Slide, ``guid`` or ``id``, and the text of each that the row has.
        new : str
            The key of a cell of its own.
        """
        key = self._by_place.get(place)
        for one in ids if key is None else ():
            known = self._by_id.get(one)
            if known is None or rater in self._raters[known[0]]:
                continue
            if one[1] == "guid" or math.dist(known[1], centre) <= SAME_CELL_PX0:
                key = known[0]
        key = key or new
        self._by_place.setdefault(place, key)
        for id_ in ids:
            self._by_id.setdefault(id_, (key, centre))
        self._raters.setdefault(key, set()).add(rater)
        return key


_PLACE = ("x", "y", "w", "h", "z", "shape", "vertices")
_COORDINATES = _PLACE[:5]


def place_of(row: Mapping[str, str]) -> tuple[Hashable, ...]:
    """Return where a row's cell lies, the same for ``5`` and ``5.0``."""
    return tuple([_part_of_place(name, row.get(name, "")) for name in _PLACE])


def _part_of_place(column: str, text: str) -> Hashable:
    text = text.strip()
    if column not in _COORDINATES:
        return text
    try:
        value = float(text)
    except ValueError:
        return text or (0.0 if column == "z" else "")
    return text if math.isnan(value) else value


def refuse_contradictions(rows: Iterable[tuple[str, tuple[Hashable, ...], str]]) -> None:
    """Refuse rows that give one place two classes, and do not say that two raters did.

    Parameters
    ----------
    rows : iterable of tuple of str, tuple and str
        Where the row stands, its image with `place_of`, and its class.

    Raises
    ------
    FormatError
        With the place, and both classes.
    """
    known: dict[tuple[Hashable, ...], str] = {}
    for where, place, label in rows:
        before = known.setdefault(place, label)
        if before != label:
            raise FormatError(
                f"the cell at {place[1]}, {place[2]} of {place[0]} is {before!r} and {label!r}",
                where=where,
                mend="remove one of the rows, or name who gave each label in a column rater",
            )


def _in_order(cells: dict[str, _Cell]) -> list[_Cell]:
    if all(key.isdecimal() for key in cells):
        return [cells[key] for key in sorted(cells, key=int)]
    return list(cells.values())


def _text_of(text: str) -> str:
    text = plain(text)
    return text if text.strip() else ""


def _says_deleted(text: str) -> bool:
    return text.strip().casefold() in ("1", "true", "yes")


def _is_filled(text: str) -> bool:
    return bool(text.strip())


def _shape(text: str, where: str) -> Shape | None:
    name = text.strip().upper()
    if name and name not in Shape.__members__:
        raise FormatError(
            f"a shape of {[shape.name.lower() for shape in Shape]} expected, got {name!r}", where=where
        )
    return Shape[name] if name else None


def _geometry(
    x: float, y: float, w: float, h: float, stated: Shape | None, points: Any, where: str
) -> tuple[Shape, tuple[float, ...]]:
    """Return the shape and the bounds of a cell, whose sides are NaN and outline None if not stated."""
    shape = stated or (Shape.SPOT if math.isnan(w) and math.isnan(h) else Shape.BOX)
    if shape is Shape.SPOT:
        return shape, (x, y, x, y)
    if points is not None:
        return shape, (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    if shape is Shape.POLYGON:
        raise FormatError("a polygon without vertices", where=where)
    # A box whose extent is below zero stays one, to be refused.
    return shape, (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def _points(text: str, where: str) -> Any:
    if not text.strip():
        return None
    pairs = [[number(part, where) for part in pair.split()] for pair in text.split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise FormatError("vertices of the form x y;x y;… expected", where=where)
    return np.array(pairs)


def _round(name: str, kind: str, where: str) -> Round:
    if kind and kind not in set(RoundKind):
        raise FormatError(f"a round of {sorted(RoundKind)} expected, got {kind[:40]!r}", where=where)
    return Round(name, RoundKind(kind or "unstated")) if name else UNSTATED_ROUND


def _share(column: str) -> Callable[[str, str], float]:
    return lambda text, where: a_share(number(text, where), f"{where}, column {column}")


def _seconds(column: str) -> Callable[[str, str], float]:
    def understand(text: str, where: str) -> float:
        value = number(text, where)
        if math.isinf(value):
            raise FormatError(f"a finite number expected, got {value}", where=f"{where}, column {column}")
        return value

    return understand


def _integer(text: str, where: str) -> int:
    value = number(text, where, blank=0.0)
    if not value.is_integer() or abs(value) >= 2**53:
        raise FormatError(f"an integer expected, got {text[:40]!r}", where=where)
    return int(value)


def _attributes(text: str, where: str) -> dict[str, Any]:
    return a_mapping(parse_json(text, where=where), where) if text.strip() else {}


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write one row a label in the order of the labels, then one a cell or a slide without any.

    Text that a spreadsheet would take for a formula is written inert, and read back as it was.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    del options
    of_image = [columns_of(slide) for slide in study.slides]
    cells = [_cell_row(study, row) | of_image[study.cells.slide[row]] for row in range(len(study.cells))]
    rows = [_event_row(study, row) | cells[study.events.cell[row]] for row in range(len(study.events))]
    spoken = set(study.events.cell.tolist())
    rows += [cell for place, cell in enumerate(cells) if place not in spoken]
    filled = set(study.cells.slide.tolist())
    rows += [
        {"image": inert(slide.name)} | of_image[place]
        for place, slide in enumerate(study.slides)
        if place not in filled
    ]
    used = [
        name
        for name in (*COLUMNS, *IMAGE_COLUMNS)
        if name in COLUMNS[:4] or any(row.get(name) for row in rows)
    ]
    with atomic_write(path) as stream:
        stream.write(dump_rows([used, *([row.get(name, "") for name in used] for row in rows)]))


def _cell_row(study: Study, row: int) -> dict[str, str]:
    cells = study.cells
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    shape = Shape(int(cells.shape[row]))
    found = {
        "image": inert(study.slides[cells.slide[row]].name),
        "x": shortest((x_min + x_max) / 2),
        "y": shortest((y_min + y_max) / 2),
        "z": str(cells.z[row]) if cells.z[row] else "",
        "deleted": "1" if cells.deleted[row] else "",
        "guid": inert(cells.guid[row] or ""),
        "id": inert(cells.external_id[row] or ""),
        "cell": str(row),
        "cell_attributes": _json(cells.attributes.get(row)),
    }
    return found | (_outline(study, row, shape) if shape is not Shape.SPOT else {})


def _outline(study: Study, row: int, shape: Shape) -> dict[str, str]:
    x_min, y_min, x_max, y_max = study.cells.bounds_px0[row].tolist()
    corners = [[x_min, y_min], [x_max, y_max]]
    points = study.cells.vertices_px0[row].tolist() if shape is Shape.POLYGON else corners
    return {
        "w": shortest(x_max - x_min),
        "h": shortest(y_max - y_min),
        "shape": shape.name.lower(),
        "vertices": ";".join(f"{shortest(x)} {shortest(y)}" for x, y in points),
    }


def _event_row(study: Study, row: int) -> dict[str, str]:
    events = study.events
    label, rater, round_ = (
        int(events.label[row]),
        study.raters[events.rater[row]],
        study.rounds[events.round[row]],
    )
    stated = (
        {} if round_ == UNSTATED_ROUND else {"round": inert(round_.name), "round_kind": round_.kind.value}
    )
    return stated | {
        "label": "" if label < 0 else inert(study.labels.labels[label].name),
        "score": shortest(float(events.score[row])),
        "rater": inert(rater.name),
        "rater_kind": rater.kind.value,
        "time_s": shortest(float(events.time_s[row])),
        "seconds": shortest(float(events.seconds[row])),
        "label_attributes": _json(events.attributes.get(row)),
    }


def _json(attributes: Any) -> str:
    return dump_json(dict(attributes)).decode().strip() if attributes else ""


def _recognises(content: Content) -> bool:
    names = {COLUMN_NAMES.get(name, name) for name in content.header}
    return {"x", "y"} <= names


FORMAT = Format(
    name="csv",
    title="CSV of annotations or detections: image,x,y,label[,w,h,score,rater,…]",
    suffix=".csv",
    recognises=_recognises,
    read=read,
    write=write,
    holds=EVERYTHING - {Aspect.REGIONS, Aspect.VERSIONS, Aspect.SLIDES, Aspect.QUARANTINE},
)
