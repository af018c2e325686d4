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
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.classes import CONSENSUS, LabelFinder
from mitoscope.exchange.csv_text import dump_rows, inert, number, plain, shortest
from mitoscope.exchange.format import EVERYTHING, Aspect, Content, Format, ReadOptions, WriteOptions
from mitoscope.exchange.json_text import a_mapping, a_share, dump_json, parse_json
from mitoscope.exchange.table import IMAGE_COLUMNS, Row, columns_of, read_table, slide_of
from mitoscope.fsio import atomic_write
from mitoscope.labels import MITOTIC_FIGURE
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
SYNONYMS = {
    "slide": "image",
    "file": "image",
    "file_name": "image",
    "filename": "image",
    "x_px0": "x",
    "y_px0": "y",
    "class": "label",
    "probability": "score",
    "confidence": "score",
    "width": "w",
    "height": "h",
}
"""Other names of columns, as other tools write them."""
_MODEL = Rater("model", RaterKind.MODEL)
_SAID = ("x", "y", "label", "vertices")
SAME_CELL_PX0 = 30.0
"""Rows of one ``id`` are one cell where their centres are no farther apart: raters number on their own."""


@dataclass(slots=True)
class _Cell:
    add: Callable[[], int]
    events: list[tuple[int, Callable[[int], None] | None]] = field(default_factory=list)


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


class _Reader:
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options = path, options
        self.build, self.labels = StudyBuilder(), LabelFinder()

    def study(self) -> Study:
        table = read_table(self.path, needed=("x", "y"), names=SYNONYMS, build=self.build)
        rows_of: dict[str, list[tuple[str, dict[str, str]]]] = {}
        for row in table.rows:
            rows_of.setdefault(self._image(row.cells), []).append((row.where, row.cells))
        slides = {image: self.build.slide(slide_of(image, of, self.build)) for image, of in rows_of.items()}
        rows = [row for row in table.rows if any(row.cells.get(name, "").strip() for name in _SAID)]
        self.is_mixed = len({_is_by_model(row.cells) for row in rows if _is_nameless(row.cells)}) > 1
        self._refuse_contradictions(rows)
        keys, cells = _CellKeys(), dict[str, _Cell]()
        for place, row in enumerate(rows):
            with self.build.aside(row.cells, slide=self._image(row.cells)):
                slide = slides[self._image(row.cells)]
                cell, event = self._cell(row.cells, slide, row.where), self._event(row.cells, row.where)
                key = row.cells.get("cell") or keys.of(row.cells, slide, f"row {place}")
                cells.setdefault(key, cell).events.append((place, event))
        events = []
        for cell in _in_order(cells):
            index = cell.add()
            events += [(place, index, event) for place, event in cell.events if event is not None]
        for _, index, event in sorted(events, key=lambda one: one[0]):
            event(index)
        return self.build.build()

    def _refuse_contradictions(self, rows: list[Row]) -> None:
        refuse_contradictions(
            (one.where, (self._image(row), *place_of(row)), self.labels.find(label).name)
            for one in rows
            if (label := _text(row := one.cells, "label"))
            and not (row.get("cell") or _text(row, "rater") or _is_by_model(row) or _is_deleted(row))
        )

    def _image(self, row: dict[str, str]) -> str:
        return _text(row, "image") or self.options.slide_name(self.path)

    def _cell(self, row: dict[str, str], slide: int, where: str) -> _Cell:
        shape, points = _geometry(row, where)
        columns: dict[str, Any] = {
            "z": _integer(row.get("z", ""), where),
            "deleted": _is_deleted(row),
            "guid": _text(row, "guid") or None,
            "external_id": _text(row, "id") or None,
            "attributes": _attributes(row, "cell_attributes", where),
        }
        if shape is Shape.POLYGON:
            return _Cell(partial(self.build.polygon, slide, points, **columns))
        low, high = points[0], points[-1]  # a box whose extent is below zero stays one, to be refused
        if _text(row, "vertices"):
            low, high = points.min(axis=0), points.max(axis=0)
        bounds = (*low.tolist(), *high.tolist())
        return _Cell(partial(self.build.cell, slide, bounds, shape=shape, **columns))

    def _event(self, row: dict[str, str], where: str) -> Callable[[int], None] | None:
        """Return what adds the label of a row to a cell, None where the row gives none."""
        column = "score" if _is_by_model(row) else "agreement"
        score = a_share(number(row.get(column, ""), where), f"{where}, column {column}")
        label, named = _text(row, "label"), _text(row, "rater")
        if not label and not named:
            if math.isnan(score):
                return None
            label = MITOTIC_FIGURE.name
        return partial(
            self.build.event,
            rater=self.build.rater(self._rater(named, row, where)),
            label=self.build.label(self.labels.find(label)) if label else -1,
            round_=self.build.round(_round(row, where)),
            time_s=_seconds(row, "time_s", where),
            score=score,
            seconds=_seconds(row, "seconds", where),
            attributes=_attributes(row, "label_attributes", where),
        )

    def _rater(self, name: str, row: dict[str, str], where: str) -> Rater:
        kind = row.get("rater_kind", "").strip()
        if kind and kind not in set(RaterKind):
            raise FormatError(f"a rater of {sorted(RaterKind)} expected, got {kind[:40]!r}", where=where)
        if name:
            default = RaterKind.MODEL if name in self.options.models else RaterKind.EXPERT
            return Rater(name, RaterKind(kind) if kind else default)
        default_rater = _MODEL if _is_by_model(row) else CONSENSUS
        return self.options.speaker(default_rater, is_mixed=self.is_mixed)


class _CellKeys:
    """Which rows of raters are of one cell, where no column says it."""

    def __init__(self) -> None:
        self._by_place: dict[Hashable, str] = {}
        self._by_id: dict[Hashable, tuple[str, tuple[float, float]]] = {}
        self._raters: dict[str, set[str]] = {}

    def of(self, row: dict[str, str], slide: int, new: str) -> str:
        """Return the key of the cell that a row is of: ``new``, or that of an earlier row of the slide."""
        rater = _text(row, "rater")
        if not rater or _is_deleted(row):
            return new
        place = (slide, *place_of(row))
        centre = (_coordinate(row, "x"), _coordinate(row, "y"))
        ids = [(slide, name, text) for name in ("guid", "id") if (text := _text(row, name))]
        key = self._by_place.get(place)
        for one in ids if key is None else ():
            known = self._by_id.get(one)
            if known is None or rater in self._raters[known[0]]:
                continue
            if one[1] == "guid" or math.dist(known[1], centre) <= SAME_CELL_PX0:
                key = known[0]
        key = key or new
        self._by_place.setdefault(place, key)
        for one in ids:
            self._by_id.setdefault(one, (key, centre))
        self._raters.setdefault(key, set()).add(rater)
        return key


_PLACE = ("x", "y", "w", "h", "z", "shape", "vertices")


def place_of(row: Mapping[str, str]) -> tuple[Hashable, ...]:
    """Return where a row's cell lies, the same for ``5`` and ``5.0``."""
    return tuple(
        _coordinate(row, name) if name in _PLACE[:5] else row.get(name, "").strip() for name in _PLACE
    )


def _coordinate(row: Mapping[str, str], column: str) -> Any:
    text = row.get(column, "").strip()
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


def _is_nameless(row: dict[str, str]) -> bool:
    return not row.get("rater", "").strip() and any(row.get(name, "").strip() for name in ("label", "score"))


def _is_deleted(row: dict[str, str]) -> bool:
    return row.get("deleted", "").strip().casefold() in ("1", "true", "yes")


def _is_by_model(row: dict[str, str]) -> bool:
    return bool(row.get("score", "").strip())


def _in_order(cells: dict[str, _Cell]) -> list[_Cell]:
    if all(key.isdecimal() for key in cells):
        return [cells[key] for key in sorted(cells, key=int)]
    return list(cells.values())


def _text(row: dict[str, str], column: str) -> str:
    text = plain(row.get(column, ""))
    return text if text.strip() else ""


def _geometry(row: dict[str, str], where: str) -> tuple[Shape, Any]:
    x, y = number(row["x"], where), number(row["y"], where)
    w, h = number(row.get("w", ""), where), number(row.get("h", ""), where)
    name = row.get("shape", "").strip().upper() or ("SPOT" if math.isnan(w) and math.isnan(h) else "BOX")
    if name not in Shape.__members__:
        raise FormatError(
            f"a shape of {[one.name.lower() for one in Shape]} expected, got {name!r}", where=where
        )
    shape = Shape[name]
    points = _points(row.get("vertices", ""), where)
    if points is not None and shape is not Shape.SPOT:
        return shape, points
    if shape is Shape.POLYGON:
        raise FormatError("a polygon without vertices", where=where)
    if shape is Shape.SPOT:
        return shape, np.array([(x, y)])
    return shape, np.array([(x - w / 2, y - h / 2), (x + w / 2, y + h / 2)])


def _points(text: str, where: str) -> Any:
    if not text.strip():
        return None
    pairs = [[number(one, where) for one in pair.split()] for pair in text.split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise FormatError("vertices of the form x y;x y;… expected", where=where)
    return np.array(pairs)


def _round(row: dict[str, str], where: str) -> Round:
    name, kind = _text(row, "round"), row.get("round_kind", "").strip()
    if kind and kind not in set(RoundKind):
        raise FormatError(f"a round of {sorted(RoundKind)} expected, got {kind[:40]!r}", where=where)
    return Round(name, RoundKind(kind or "unstated")) if name else UNSTATED_ROUND


def _seconds(row: dict[str, str], column: str, where: str) -> float:
    value = number(row.get(column, ""), where)
    if math.isinf(value):
        raise FormatError(f"a finite number expected, got {value}", where=f"{where}, column {column}")
    return value


def _integer(text: str, where: str) -> int:
    value = number(text, where, blank=0.0)
    if not value.is_integer() or abs(value) >= 2**53:
        raise FormatError(f"an integer expected, got {text[:40]!r}", where=where)
    return int(value)


def _attributes(row: dict[str, str], column: str, where: str) -> dict[str, Any]:
    text = row.get(column, "")
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
    names = {SYNONYMS.get(name, name) for name in content.header}
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
