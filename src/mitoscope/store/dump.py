"""Reading a store back as a study: what every export starts from."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import LabelSet
from mitoscope.region import RegionKind
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.encoding import attributes_from, nan_where_null, vertices_from, well_formed
from mitoscope.store.known_cells import with_guids
from mitoscope.store.records import DatasetVersion, QuarantineEntry, Region, SlideRecord, Study
from mitoscope.store.searches import read_searches
from mitoscope.store.vocabulary import id_of, read_labels, read_raters, read_rounds
from mitoscope.truth import Domain

_SLIDE_COLUMNS = (
    *("sha256", "width_px0", "height_px0", "mpp_x", "mpp_y", "case_name"),
    *("tumour_type", "scanner", "species", "laboratory"),
)
_CELL_SQL = """
SELECT id, slide_id, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0, z, is_deleted, guid, external_id,
       vertices_px0, attributes
FROM cell WHERE slide_id IN (SELECT value FROM json_each(?)) ORDER BY id
"""
_EVENT_SQL = """
SELECT e.cell_id, e.rater_id, e.label_id, e.round_id, e.time_s, e.score, e.seconds, e.attributes
FROM event AS e JOIN cell AS c ON c.id = e.cell_id
WHERE e.kind = 'label' AND c.slide_id IN (SELECT value FROM json_each(?)) ORDER BY e.seq
"""


@well_formed()
def dump(
    connection: sqlite3.Connection,
    slides: Sequence[str] | None = None,
    *,
    with_versions: bool = True,
    with_ids: bool = False,
    keeps_numbers: bool = False,
) -> Study:
    """Return the study of a store, or the part of it on some slides; see `Store.export_study`.

    Labels, raters and rounds are always all; frozen versions come along unless they are not wanted.
    """
    known = read_slides(connection)
    wanted = known.keys() if slides is None else [id_of(connection, "slide", name) for name in slides]
    records = {id_: known[id_] for id_ in wanted}
    labels, raters, rounds = read_labels(connection), read_raters(connection), read_rounds(connection)
    slide_index, label_index = _index(records), _index(labels)
    chosen = ("[" + ", ".join(map(str, records)) + "]",)
    cell_ids, cells = _cells(connection.execute(_CELL_SQL, chosen).fetchall(), slide_index)
    if with_ids:
        cells = with_guids(connection, cells, cell_ids, keeps_numbers=keeps_numbers)
    events = _events(
        connection.execute(_EVENT_SQL, chosen).fetchall(),
        cell_index=_positions(cell_ids),
        indexes=(_index(raters), label_index, _index(rounds)),
    )
    return Study(
        slides=tuple(records.values()),
        labels=LabelSet(tuple(labels.values())),
        raters=tuple(raters.values()),
        rounds=tuple(rounds.values()),
        cells=cells,
        events=events,
        regions=tuple(_regions(connection, slide_index)),
        versions=tuple(_versions(connection, cell_ids, slide_index, label_index)) if with_versions else (),
        quarantine=tuple(read_quarantine(connection, None if slides is None else set(slides))),
        searches=tuple(read_searches(connection, [slide.name for slide in records.values()])),
    )


def _index(records: dict[int, Any]) -> dict[int, int]:
    return {id_: index for index, id_ in enumerate(records)}


def _positions(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return an array that maps an id to its row."""
    positions = np.full(int(ids.max(initial=0)) + 1, -1, dtype=np.int64)
    positions[ids] = np.arange(len(ids))
    return positions


@well_formed()
def read_slides(connection: sqlite3.Connection) -> dict[int, SlideRecord]:
    """Return the slides by id, in order."""
    sql = f"SELECT id, name, attributes, {', '.join(_SLIDE_COLUMNS)} FROM slide ORDER BY id"  # noqa: S608
    return {id_: slide_from(name, row, attributes) for id_, name, attributes, *row in connection.execute(sql)}


def slide_ids(connection: sqlite3.Connection) -> list[int]:
    """Return the ids of the slides, in order."""
    return [id_ for (id_,) in connection.execute("SELECT id FROM slide ORDER BY id")]


def slide_columns(slide: SlideRecord) -> dict[str, Any]:
    """Return what is known of a slide as the columns of its row, of the study or of a version."""
    size = (None, None) if slide.size is None else (slide.size.width, slide.size.height)
    mpp = (None, None) if slide.mpp is None else (slide.mpp.x, slide.mpp.y)
    values = (slide.sha256, *size, *mpp, slide.case, *astuple(slide.domain))
    return dict(zip(_SLIDE_COLUMNS, values, strict=True))


def slide_from(name: str, row: Sequence[Any], attributes: str | None = None) -> SlideRecord:
    """Return a slide from its columns, those of `slide_columns` in order."""
    sha256, width, height, mpp_x, mpp_y, case, *domain = row
    return SlideRecord(
        name=name,
        size=None if width is None or height is None else SizePx(width, height),
        mpp=None if mpp_x is None or mpp_y is None else Mpp(mpp_x, mpp_y),
        sha256=sha256,
        case=case,
        domain=Domain(*domain),
        attributes=attributes_from(attributes),
    )


def _cells(rows: list[tuple[Any, ...]], slide_index: dict[int, int]) -> tuple[NDArray[np.int64], Cells]:
    if not rows:
        return np.empty(0, dtype=np.int64), Cells.empty()
    ids, slide, shape, x_min, y_min, x_max, y_max, z, deleted, guid, external, vertices, attributes = zip(
        *rows, strict=True
    )
    cells = Cells.of(
        [slide_index[id_] for id_ in slide],
        np.column_stack([x_min, y_min, x_max, y_max]),
        shape=shape,
        z=z,
        deleted=deleted,
        guid=guid,
        external_id=external,
        vertices_px0={
            row: vertices_from(vertex) for row, vertex in enumerate(vertices) if vertex is not None
        },
        attributes={
            row: attributes_from(attribute)
            for row, attribute in enumerate(attributes)
            if attribute is not None
        },
    )
    return np.array(ids, dtype=np.int64), cells


def _events(
    rows: list[tuple[Any, ...]],
    *,
    cell_index: NDArray[np.int64],
    indexes: tuple[dict[int, int], dict[int, int], dict[int, int]],
) -> LabelEvents:
    if not rows:
        return LabelEvents.empty()
    cell, rater, label, round_, time_s, score, seconds, attributes = zip(*rows, strict=True)
    rater_index, label_index, round_index = indexes
    return LabelEvents.of(
        cell_index[np.array(cell)],
        [rater_index[id_] for id_ in rater],
        [-1 if id_ is None else label_index[id_] for id_ in label],
        round=[round_index[id_] for id_ in round_],
        time_s=nan_where_null(list(time_s)),
        score=nan_where_null(list(score)),
        seconds=nan_where_null(list(seconds)),
        attributes={
            row: attributes_from(attribute)
            for row, attribute in enumerate(attributes)
            if attribute is not None
        },
    )


def _regions(connection: sqlite3.Connection, slide_index: dict[int, int]) -> list[Region]:
    rows = connection.execute("SELECT slide_id, kind, name, vertices_px0 FROM region ORDER BY id")
    return [
        Region(slide_index[slide], vertices_from(vertices), RegionKind(kind), name)
        for slide, kind, name, vertices in rows
        if slide in slide_index
    ]


def _versions(
    connection: sqlite3.Connection,
    cell_ids: NDArray[np.int64],
    slide_index: dict[int, int],
    label_index: dict[int, int],
) -> list[DatasetVersion]:
    positions, versions = _positions(cell_ids), []
    for id_, variant, number, note in connection.execute(
        "SELECT id, variant, number, note FROM version ORDER BY id"
    ).fetchall():
        rows = connection.execute(
            "SELECT cell_id, label_id FROM version_cell WHERE version_id = ? ORDER BY cell_id", (id_,)
        ).fetchall()
        kept = [row for row in rows if row[0] < len(positions) and positions[row[0]] >= 0]
        split = connection.execute("SELECT slide_id, split FROM version_split WHERE version_id = ?", (id_,))
        versions.append(
            DatasetVersion(
                variant,
                number,
                positions[np.array([cell for cell, _ in kept], dtype=np.int64)],
                np.array([label_index[label] for _, label in kept], dtype=np.int64),
                {slide_index[slide]: side for slide, side in split if slide in slide_index},
                note,
            )
        )
    return versions


def read_quarantine(connection: sqlite3.Connection, slides: set[str] | None) -> list[QuarantineEntry]:
    """Return what could not be taken of some slides, by their names, or of all."""
    rows = connection.execute("SELECT place, reason, content, slide_name FROM quarantine ORDER BY id")
    entries = [QuarantineEntry(*row) for row in rows]
    return [entry for entry in entries if slides is None or entry.slide in slides]
