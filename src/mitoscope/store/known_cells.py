"""Cells that come back: a file that another program rewrote names the cells of the study by their ids.

QuPath keeps the id of an object, where it is a UUID, and rewrites everything else: order, rounding, the way
measurements are listed. Such a cell is the one that the study has, not a second one.
"""

from __future__ import annotations

import re
import sqlite3
import uuid
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import RegionError, ScaleError, StoreError
from mitoscope.geometry import Mpp, SizePx, near_pairs
from mitoscope.image_names import stem
from mitoscope.region import outline
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.encoding import vertices_from, well_formed
from mitoscope.store.opinions import agreed
from mitoscope.store.quarantine import GUID_TWICE, REASONS, move_out
from mitoscope.store.records import Rater, Region, SlideRecord, Study
from mitoscope.store.vocabulary import find_label
from mitoscope.truth import Policy, RaterKind

ROUNDED_PX0: Final = 0.51
"""Two outlines are one where no edge moved by more: programs round to whole or hundredths of pixels."""
NEAR_UM: Final = 7.5
"""As near as a detection lies to the figure that it is taken for, see `mitoscope.evaluate`."""
NEAR_PX0: Final = 25.0
"""The same where no resolution is known."""
_PLACES_SQL: Final = """
SELECT c.id, (c.x_min_px0 + c.x_max_px0) / 2, (c.y_min_px0 + c.y_max_px0) / 2, s.mpp_x, s.mpp_y
FROM slide AS s JOIN cell AS c ON c.slide_id = s.id
WHERE s.name = ? AND c.is_deleted = 0
"""
_BY_PEOPLE: Final = """
AND (NOT EXISTS (SELECT 1 FROM label_now AS n WHERE n.cell_id = c.id)
     OR EXISTS (SELECT 1 FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id
                WHERE n.cell_id = c.id AND r.kind <> 'model'))
"""
_NAMELESS: Final = re.compile(r"expert \d+")
"""As the readers of formats without names call their raters."""
_NAMESPACE: Final = uuid.UUID("2f6d7f4e-8a59-5f0c-9d0b-6d69746f7363")


@dataclass(frozen=True, slots=True)
class Taken:
    """Of the cells of a file that the store had: how many were known by ids and how many joined by place.

    ``news`` are the labels that are new of them; its cells are those of the store, all else as in the study.
    """

    known: int = 0
    joined: int = 0
    news: LabelEvents = field(default_factory=LabelEvents.empty)


def guid_of(study_uuid: str, cell_id: int) -> str:
    """Return the id under which a cell leaves the study where its source gave it none."""
    return str(uuid.uuid5(_NAMESPACE, f"{study_uuid} {cell_id}"))


def with_guids(
    connection: sqlite3.Connection, cells: Cells, cell_ids: NDArray[np.int64], *, keeps_numbers: bool = False
) -> Cells:
    """Return the cells of a study, each with an id by which it is known when it comes back.

    Where the file keeps the numbers of its source, and every cell has one of its own, these are the ids.
    """
    numbers = cells.external_id.tolist()
    if keeps_numbers and len(set(numbers)) == len(numbers) and all(map(_is_number, numbers)):
        return cells
    (study_uuid,) = connection.execute("SELECT uuid FROM study").fetchone()
    pairs = zip(cells.guid.tolist(), cell_ids.tolist(), strict=True)
    guids = [guid or guid_of(study_uuid, cell_id) for guid, cell_id in pairs]
    return replace(cells, guid=np.array([*guids, None], dtype=np.object_)[:-1])


def _is_number(external_id: str | None) -> bool:
    return external_id is not None and external_id.isascii() and external_id.isdecimal()


def on_known_slides(connection: sqlite3.Connection, study: Study) -> Study:
    """Return the study with slides that are named like their file under their name in the store.

    ``s1.geojson`` states no slide but by its own name: it is of ``s1.tiff`` where the store has exactly one
    slide that is ``s1`` but for its suffix. A slide of which the file states no size has that of the store,
    by which its cells are sifted.
    """
    rows = connection.execute("SELECT name, width_px0, height_px0 FROM slide")
    stored = {name: None if width is None else SizePx(width, height) for name, width, height in rows}
    stated = {slide.name for slide in study.slides}
    of_stem: dict[str, list[str]] = {}
    for name in stored:
        of_stem.setdefault(stem(name), []).append(name)
    new_name: dict[str, str] = {}
    for slide in study.slides:
        same = [name for name in of_stem.get(slide.name, ()) if name != slide.name]
        if slide.name not in stored and len(same) == 1 and same[0] not in stated:
            new_name[slide.name] = same[0]
    named = [replace(slide, name=new_name.get(slide.name, slide.name)) for slide in study.slides]
    return replace(
        study,
        slides=tuple(
            replace(slide, size=stored[slide.name]) if slide.size is None and slide.name in stored else slide
            for slide in named
        ),
        quarantine=tuple(
            replace(entry, slide=new_name.get(entry.slide or "", entry.slide)) for entry in study.quarantine
        ),
        searches=tuple(
            replace(search, slide=new_name.get(search.slide, search.slide)) for search in study.searches
        ),
    )


def take_known(
    connection: sqlite3.Connection, study: Study, *, source: str, within_um: float | None = None
) -> tuple[Study, Taken]:
    """Find what a study says anew of cells that the store has; return the rest of it, and that.

    Their places stay as they are. A label is added where its rater said something else before, and earlier;
    one in nobody's name where the class is another one. Cells that are not known by an id are joined with
    those of the store within a distance in µm, where one is given, see `Store.import_study`.

    Raises
    ------
    ScaleError
        If cells are to be joined on a slide without a resolution.
    StoreError
        If cells are to be joined, and the file does not name its rater.
    """
    cell_of_row = _known_by_guid(connection, study) | _known_by_number(connection, study)
    joined = {} if within_um is None else _near(connection, study, within_um, known=cell_of_row)
    study = replace(study, regions=_new_regions(connection, study))
    if not cell_of_row and not joined:
        return study, Taken()
    taken = Taken(len(cell_of_row), len(joined), _news(connection, study, cell_of_row, joined))
    cell_of_row |= joined
    codes = np.zeros(len(study.cells), dtype=np.uint8)
    codes[list(cell_of_row)] = REASONS.index(GUID_TWICE)
    rest = move_out(replace(study, versions=()), codes, source=source)
    return replace(rest, quarantine=study.quarantine), taken


def _near(
    connection: sqlite3.Connection, study: Study, within_um: float, *, known: dict[int, int]
) -> dict[int, int]:
    """Return row → cell id of further cells that lie within a distance, nearest first and one to one."""
    found: dict[int, int] = {}
    there, gone = set(known), set(known.values())
    for place, slide in enumerate(study.slides):
        on_slide = np.flatnonzero((study.cells.slide == place) & ~study.cells.deleted)
        rows = np.array([row for row in on_slide.tolist() if row not in there], dtype=np.int64)
        ids, centres, mpp = _stored_places(connection, slide, _PLACES_SQL)
        if not len(ids) or not len(rows):
            continue
        if mpp is None:
            mend = "state its resolution with --mpp, or leave out --join-within"
            raise ScaleError("cells cannot be joined by a distance in µm", where=slide.name, mend=mend)
        scale = (mpp.x, mpp.y)
        pairs = near_pairs(study.cells.centres_px0[rows] * scale, centres * scale, radius=within_um)
        for pair in np.lexsort(pairs).tolist():
            row, cell = int(rows[pairs[0][pair]]), int(ids[pairs[1][pair]])
            if row not in found and cell not in gone:
                found[row] = cell
                gone.add(cell)
    return found


def _stored_places(
    connection: sqlite3.Connection, slide: SlideRecord, sql: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], Mpp | None]:
    """Return ids and centres in level-0 px of live cells of a slide, and its resolution."""
    rows = connection.execute(sql, (slide.name,)).fetchall()
    states = rows[0][3:] if rows else (None,)
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    centres = np.array([row[1:3] for row in rows], dtype=np.float64).reshape(-1, 2)
    return ids, centres, slide.mpp or (None if None in states else Mpp(*states))


def _known_by_number(connection: sqlite3.Connection, study: Study) -> dict[int, int]:
    """Return the cells without a guid that have the number and the place of one that the store has."""
    cells = study.cells
    rows = [row for row in np.flatnonzero(~cells.has_guid).tolist() if cells.external_id[row] is not None]
    if not rows:
        return {}
    stored = connection.execute(
        "SELECT s.name, c.external_id, c.id, (c.x_min_px0 + c.x_max_px0) / 2, "
        "(c.y_min_px0 + c.y_max_px0) / 2"
        " FROM cell AS c JOIN slide AS s ON s.id = c.slide_id WHERE c.external_id IS NOT NULL"
    )
    place_of = {(slide, number): (id_, x, y) for slide, number, id_, x, y in stored}
    centres, found = cells.centres_px0, {}
    for row in rows:
        known = place_of.get((study.slides[int(cells.slide[row])].name, cells.external_id[row]))
        if known is not None and np.abs(centres[row] - known[1:]).max() <= ROUNDED_PX0:
            found[row] = known[0]
    return found


def _known_by_guid(connection: sqlite3.Connection, study: Study) -> dict[int, int]:
    rows = np.flatnonzero(study.cells.has_guid).tolist()
    if not rows:
        return {}
    (study_uuid,) = connection.execute("SELECT uuid FROM study").fetchone()
    stored = connection.execute("SELECT guid, id FROM cell")
    cell_of = {guid or guid_of(study_uuid, id_): id_ for guid, id_ in stored}
    return {row: cell_of[study.cells.guid[row]] for row in rows if study.cells.guid[row] in cell_of}


def _news(
    connection: sqlite3.Connection, study: Study, known: dict[int, int], joined: dict[int, int]
) -> LabelEvents:
    events, cell_of_row = study.events, known | joined
    last = {(int(events.cell[row]), int(events.rater[row])): row for row in range(len(events))}
    news = {pair: row for pair, row in last.items() if pair[0] in cell_of_row}
    if not news:
        return LabelEvents.empty()
    words = _Words(connection)
    for name in {study.raters[place].name for row, place in news if row in joined}:
        if name in words.raters and _NAMELESS.fullmatch(name):
            mend = "name the rater with --rater, or leave out --join-within"
            raise StoreError(f"cells cannot be joined for the existing rater {name!r}", mend=mend)
    known_labels = [find_label(connection, label.name) for label in study.labels.labels]
    # A class that the study is yet to get has no id; none has its number.
    labels = [-1 - at if id_ is None else id_ for at, id_ in enumerate(known_labels)] + [None]
    added = []
    for (cell_row, rater_row), row in news.items():
        cell, rater = cell_of_row[cell_row], study.raters[rater_row]
        label, time_s = labels[int(events.label[row])], float(events.time_s[row])
        if words.are_new(cell, rater, label, time_s, is_named=cell_row in joined):
            added.append(row)
    rows = np.array(added, dtype=np.int64)
    cells = np.array([cell_of_row[int(row)] for row in events.cell[rows]], dtype=np.int64)
    return replace(events.take(rows), cell=cells)


class _Words:
    """What has been said of the cells of a store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        view = agreed(connection, Policy.SETTLED)
        self.classes = dict(zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True))
        self.raters = {name for (name,) in connection.execute("SELECT name FROM rater")}
        self.own: dict[tuple[int, str], tuple[int | None, float | None]] = {}
        self.by_models: dict[int, set[int | None]] = {}
        sql = """
        SELECT n.cell_id, r.name, n.label_id, e.time_s, r.kind FROM label_now AS n
        JOIN rater AS r ON r.id = n.rater_id JOIN event AS e ON e.seq = n.last_seq ORDER BY n.last_seq
        """
        for cell, rater, label, time_s, kind in connection.execute(sql):
            self.own[cell, rater] = label, time_s
            if kind == RaterKind.MODEL:
                self.by_models.setdefault(cell, set()).add(label)

    def are_new(self, cell: int, rater: Rater, label: int | None, time_s: float, *, is_named: bool) -> bool:
        """Return whether a label in a file is one that the store does not have."""
        if cell not in self.classes:
            return False  # deleted since
        own, spoken_s = self.own.get((cell, rater.name), (None, None))
        if label == own:
            return False
        if rater.kind is RaterKind.CONSENSUS:
            return bool(label != self.classes[cell])
        if rater.kind is RaterKind.MODEL:
            return bool(label != self.classes[cell]) and label not in self.by_models.get(cell, set())
        if not is_named and rater.name not in self.raters and _NAMELESS.fullmatch(rater.name):
            return False  # the same experts, of whom the format lost the names
        return bool(np.isnan(time_s) or spoken_s is None or time_s > spoken_s)


@well_formed()
def beside_known(connection: sqlite3.Connection, study: Study) -> dict[str, int]:
    """Return how many new cells lie so near to one of the store that both are likely to be one, by distance.

    Cells that only models have labelled are left aside: they are counted by nobody. The distance is in words;
    ``25 px`` is for slides without a resolution. To be asked before the study is added to the store.
    """
    cells = study.cells
    found: dict[str, int] = {}
    by_people = _labelled_by_people(study)
    for place, slide in enumerate(study.slides):
        rows = np.flatnonzero((cells.slide == place) & by_people & ~cells.deleted)
        _, known, mpp = _stored_places(connection, slide, _PLACES_SQL + _BY_PEOPLE)
        if not len(rows) or not len(known):
            continue
        scale = (1.0, 1.0) if mpp is None else (mpp.x, mpp.y)
        name, radius = ("25 px", NEAR_PX0) if mpp is None else ("7.5 µm", NEAR_UM)
        points, _, _ = near_pairs(cells.centres_px0[rows] * scale, known * scale, radius=radius)
        near = len(np.unique(points))
        if near:
            found[name] = found.get(name, 0) + near
    return found


def _labelled_by_people(study: Study) -> NDArray[np.bool_]:
    """Return which cells somebody other than a model has labelled, or nobody, shape (cells,)."""
    by_model = np.array([*(rater.kind is RaterKind.MODEL for rater in study.raters), False], np.bool_)
    people, models = (np.zeros(len(study.cells), np.bool_) for _ in range(2))
    is_model = by_model[study.events.rater]
    models[study.events.cell[is_model]] = True
    people[study.events.cell[~is_model]] = True
    return people | ~models


def _new_regions(connection: sqlite3.Connection, study: Study) -> tuple[Region, ...]:
    if not study.regions:
        return ()
    sql = "SELECT s.name, r.kind, r.vertices_px0 FROM region AS r JOIN slide AS s ON s.id = r.slide_id"
    known: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for slide, kind, blob in connection.execute(sql):
        known.setdefault((slide, kind), []).append(vertices_from(blob))
    return tuple(
        region
        for region in study.regions
        if not any(
            _is_same(region.vertices_px0, ring)
            for ring in known.get((study.slides[region.slide].name, str(region.kind)), [])
        )
    )


def _is_same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Return whether two outlines are one that was rounded, begun at another corner or turned around."""
    extents = [np.concatenate([ring.min(axis=0), ring.max(axis=0)]) for ring in (one, other)]
    if np.abs(extents[0] - extents[1]).max() > ROUNDED_PX0:
        return False
    try:
        shapes = outline(one), outline(other)
    except RegionError:
        return bool(np.array_equal(one, other))
    return bool(shapes[0].symmetric_difference(shapes[1]).area <= ROUNDED_PX0 * shapes[0].length)
