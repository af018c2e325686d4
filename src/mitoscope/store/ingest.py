"""Taking a study into a store: all of it or nothing.

What a study brings is found out first (`plan_import`), from a copy of the store, and then taken: a small one
as a whole, a large one piece by piece, see `mitoscope.store.staged`.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConflictError, StoreError
from mitoscope.geometry import Mpp
from mitoscope.store import present
from mitoscope.store.actions import CellEvent, last_event, record
from mitoscope.store.chain import NULL, extend_with
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.dump import slide_columns
from mitoscope.store.encoding import (
    BOUNDS,
    attributes_text,
    insert,
    insert_columns,
    null_where_nan,
    vertices_blob,
)
from mitoscope.store.known_cells import Taken, beside_known, on_known_slides, take_known
from mitoscope.store.public_ids import draw_public_ids
from mitoscope.store.quarantine import sift
from mitoscope.store.records import SlideRecord, Study
from mitoscope.store.searches import write_search
from mitoscope.store.versions import add_versions
from mitoscope.store.vocabulary import intern_labels, intern_raters, intern_rounds

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a study was read from; a file of the same hash is taken once only.

    Parameters
    ----------
    name : str
        The file's name, which stands in the quarantine.
    format : str
        The format's name in ``exchange``.
    sha256 : str, optional
        Of the file.
    """

    name: str
    format: str = ""
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import brought; ``quarantined`` counts by reason, ``known`` cells that the store had.

    ``joined`` counts cells that were joined with those of the store by their place.
    ``beside_known`` counts new cells so near to one that the store had that both are likely to be one cell,
    by the distance in words.
    """

    slides: int
    cells: int
    labels: int
    regions: int
    versions: int
    quarantined: Mapping[str, int]
    known: int = 0
    joined: int = 0
    beside_known: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ImportPlan:
    """What an import brings, found out before it is taken.

    Parameters
    ----------
    study : Study
        What the store does not have yet.
    source : Source
        The file.
    taken : Taken
        What of it the store has.
    beside : mapping of str to int
        How many new cells lie beside one of the store, by the distance in words.
    seq, sources : int
        The last event and the last file of the store that it was found out from.
    """

    study: Study
    source: Source
    taken: Taken
    beside: Mapping[str, int]
    seq: int
    sources: int


def plan_import(
    connection: sqlite3.Connection,
    study: Study,
    source: Source,
    *,
    trust_scale: bool = False,
    join_within_um: float | None = None,
) -> ImportPlan:
    """Find out what a study brings; this writes nothing.

    Slides, raters, rounds and labels that the store knows by name are the same, see `on_known_slides`; what
    they state more than the store is added. Cells of a known id are the same; see `take_known`.

    Raises
    ------
    StoreError
        If the file was imported before.
    """
    _refuse_again(connection, source)
    fitted = fit_study(connection, study, source=source.name, trust_scale=trust_scale)
    rest, taken = take_known(connection, fitted, source=source.name, within_um=join_within_um)
    beside = beside_known(connection, rest)
    return ImportPlan(rest, source, taken, beside, last_event(connection), _next_id(connection, "source") - 1)


def begin_import(connection: sqlite3.Connection, plan: ImportPlan) -> tuple[StoreIds, ImportReport]:
    """Write all that an import brings beside cells, labels and versions; return the ids for those.

    Raises
    ------
    ConflictError
        If another file was imported since the import was planned.
    StoreError
        If a slide, rater or round of a known name states something else.
    """
    if _next_id(connection, "source") - 1 != plan.sources:
        mend = "import the file again"
        raise ConflictError("another file was imported meanwhile", where=plan.source.name, mend=mend)
    study = plan.study
    ids = StoreIds(
        slide=np.array([add_slide(connection, slide) for slide in study.slides], dtype=np.int64),
        rater=intern_raters(connection, study.raters),
        round=intern_rounds(connection, study.rounds),
        label=intern_labels(connection, study.labels),
    )
    slide_of = {slide.name: int(id_) for slide, id_ in zip(study.slides, ids.slide, strict=True)}
    rater_of = {rater.name: int(id_) for rater, id_ in zip(study.raters, ids.rater, strict=True)}
    for search in study.searches:
        if search.rater in rater_of:  # not where the findings are put down to somebody else
            write_search(connection, slide_of[search.slide], rater_of[search.rater], search.searched)
    report = _finish(connection, study, plan.source, slide_ids=ids.slide)
    return ids, replace(
        report,
        known=plan.taken.known,
        joined=plan.taken.joined,
        labels=report.labels + len(plan.taken.news),
        beside_known=plan.beside,
    )


def write_import(connection: sqlite3.Connection, plan: ImportPlan) -> ImportReport:
    """Write all of an import in the caller's transaction."""
    ids, report = begin_import(connection, plan)
    cell_ids = write_rows(connection, plan.study.cells, plan.study.events, ids)
    write_news(connection, plan.taken.news, ids, since=plan.seq)
    versions = plan.study.versions
    add_versions(connection, versions, cell_ids=cell_ids, label_ids=ids.label, slide_ids=ids.slide)
    return report


def write_rows(connection: sqlite3.Connection, cells: Cells, events: LabelEvents, ids: StoreIds) -> Ids:
    """Write new cells with all their events and return their ids."""
    cell_ids = add_cells(connection, cells, ids.slide[cells.slide])
    add_label_events(connection, cells, events, ids, cell_ids=cell_ids)
    add_deletions(connection, cell_ids)
    return cell_ids


_SPOKE_SQL = """
SELECT c.is_deleted OR EXISTS (
    SELECT 1 FROM label_now AS n WHERE (n.cell_id, n.rater_id) = (c.id, ?2) AND n.last_seq > ?3)
FROM cell AS c WHERE c.id = ?1
"""


def write_news(connection: sqlite3.Connection, news: LabelEvents, ids: StoreIds, *, since: int) -> None:
    """Write what is new of cells that the store has.

    Left out is what a rater said of a cell that was deleted, or said again, after the event `since`.
    """
    score, seconds = null_where_nan(news.score), null_where_nan(news.seconds)
    for row, cell in enumerate(news.cell.tolist()):
        rater, code = int(ids.rater[news.rater[row]]), int(news.label[row])
        (is_late,) = connection.execute(_SPOKE_SQL, (cell, rater, since)).fetchone()
        if not is_late:
            label = None if code < 0 else int(ids.label[code])
            round_ = int(ids.round[news.round[row]])
            given = CellEvent("label", cell, rater, round_, label, score[row], seconds[row])
            record(connection, given)


def fit_study(
    connection: sqlite3.Connection, study: Study, *, source: str, trust_scale: bool = False
) -> Study:
    """Return a study as it would be taken: on the slides of the store, what cannot be taken in quarantine."""
    return sift(on_known_slides(connection, study), source=source, trust_scale=trust_scale)


def _refuse_again(connection: sqlite3.Connection, source: Source) -> None:
    if source.sha256 is None:
        return
    before = connection.execute("SELECT name FROM source WHERE sha256 = ?", (source.sha256,)).fetchone()
    if before is not None:
        raise StoreError(
            f"imported already (as {before[0]})", where=source.name, mend="import each file once"
        )


def add_slide(connection: sqlite3.Connection, slide: SlideRecord) -> int:
    """Return the id of a slide, adding it, or what it states more than the store does."""
    known = connection.execute("SELECT id FROM slide WHERE name = ?", (slide.name,)).fetchone()
    columns = slide_columns(slide) | {"name": slide.name, "attributes": attributes_text(slide.attributes)}
    if known is None:
        return insert(connection, "slide", **columns)
    return _complete(connection, known[0], columns)


def state_resolution(connection: sqlite3.Connection, slide_id: int, mpp: Mpp) -> None:
    """Set the resolution of a slide; versions that were frozen with another one are refused from then on."""
    connection.execute("UPDATE slide SET mpp_x = ?, mpp_y = ? WHERE id = ?", (mpp.x, mpp.y, slide_id))


def _complete(connection: sqlite3.Connection, slide_id: int, columns: dict[str, Any]) -> int:
    """Add what a known slide did not state before."""
    names = ", ".join(columns)
    row = connection.execute(f"SELECT {names} FROM slide WHERE id = ?", (slide_id,)).fetchone()  # noqa: S608
    for (name, new), old in zip(columns.items(), row, strict=True):
        if name == "attributes" or new is None or new == old:
            continue
        if old is not None:
            raise StoreError(
                f"{name} is {new!r} in the file and {old!r} in the store",
                where=f"slide {columns['name']!r}",
                mend="rename the slide or correct the file",
            )
        connection.execute(f"UPDATE slide SET {name} = ? WHERE id = ?", (new, slide_id))  # noqa: S608
    return slide_id


def _finish(connection: sqlite3.Connection, study: Study, source: Source, *, slide_ids: Ids) -> ImportReport:
    for region in study.regions:
        outline = {"kind": str(region.kind), "name": region.name}
        slide_id, blob = int(slide_ids[region.slide]), vertices_blob(region.vertices_px0)
        insert(connection, "region", slide_id=slide_id, **outline, vertices_px0=blob)
    for refused in study.quarantine:
        what = {"place": refused.where, "reason": refused.why, "content": refused.what}
        insert(connection, "quarantine", **what, slide_name=refused.slide)
    insert(
        connection,
        "source",
        **asdict(source),
        imported_s=time.time(),
        cells=len(study.cells),
        labels=len(study.events),
        quarantined=len(study.quarantine),
    )
    return ImportReport(
        slides=len(study.slides),
        cells=len(study.cells),
        labels=len(study.events),
        regions=len(study.regions),
        versions=len(study.versions),
        quarantined=Counter(refused.why for refused in study.quarantine),
    )


_CREATE_SQL = """
INSERT INTO event (seq, kind, cell_id, time_s, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0,
                   vertices_px0)
SELECT ? + id, 'create', id, ?, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0, vertices_px0
FROM cell WHERE id >= ? ORDER BY id
"""


_DELETE_SQL = """
INSERT INTO event (seq, kind, cell_id, time_s)
SELECT ? - 1 + row_number() OVER (ORDER BY id), 'delete', id, ?
FROM cell WHERE id >= ? AND is_deleted = 1
"""


def _next_id(connection: sqlite3.Connection, table: str, column: str = "id") -> int:
    return int(connection.execute(f"SELECT ifnull(max({column}), 0) + 1 FROM {table}").fetchone()[0])  # noqa: S608


def add_cells(connection: sqlite3.Connection, cells: Cells, slide_id: Ids) -> Ids:
    """Write cells, on slides of these ids, with their creation events and return their ids."""
    n = len(cells)
    ids = np.arange(n, dtype=np.int64) + _next_id(connection, "cell")
    if n == 0:
        return ids
    shuffle = present.shuffles(ids, present.study_seed(connection))
    bounds = cells.bounds_px0.T
    vertices = [vertices_blob(cells.vertices_px0.get(row)) for row in range(n)]
    insert_columns(
        connection,
        "cell",
        id=ids.tolist(),
        slide_id=slide_id.tolist(),
        shape=cells.shape.tolist(),
        **dict(zip(BOUNDS, bounds.tolist(), strict=True)),
        z=cells.z.tolist(),
        is_deleted=cells.deleted.astype(np.int64).tolist(),  # SQLite takes a bool by a detour
        shuffle=shuffle.tolist(),
        public_id=draw_public_ids(connection, n),
        guid=cells.guid.tolist(),
        external_id=cells.external_id.tolist(),
        vertices_px0=vertices,
        attributes=[attributes_text(cells.attributes.get(row)) for row in range(n)],
    )
    first, seq, now = int(ids[0]), _next_id(connection, "event", "seq"), time.time()
    named = {"guid": cells.guid.tolist(), "external_id": cells.external_id.tolist()}
    extend_with(connection, "cell", first, n, z=cells.z, **named)
    connection.execute(_CREATE_SQL, (seq - first, now, first))
    extend_with(
        connection,
        "event",
        seq,
        n,
        kind="create",
        cell_id=ids,
        slide_id=slide_id,
        time_s=now,
        shape=cells.shape,
        **dict(zip(BOUNDS, bounds, strict=True)),
        vertices_px0=vertices,
    )
    connection.execute(f"{present.INDEX_SQL} id >= ? AND is_deleted = 0", (first,))
    live = ~cells.deleted
    present.add_cells(connection, slide_id[live], shuffle[live])
    return ids


@dataclass(frozen=True, slots=True)
class StoreIds:
    """The store's ids by the study's indexes."""

    slide: Ids
    rater: Ids
    round: Ids
    label: Ids


def add_label_events(
    connection: sqlite3.Connection, cells: Cells, events: LabelEvents, ids: StoreIds, *, cell_ids: Ids
) -> None:
    """Write the label events of cells that are new, in order, and what follows from them."""
    n = len(events)
    if n == 0:
        return
    begin = _next_id(connection, "event", "seq")
    seq = np.arange(n) + begin
    cell, rater, round_ = cell_ids[events.cell], ids.rater[events.rater], ids.round[events.round]
    label = [None if code < 0 else int(ids.label[code]) for code in events.label.tolist()]
    score = null_where_nan(events.score)
    attributes = [attributes_text(events.attributes.get(row)) for row in range(n)]
    insert_columns(
        connection,
        "event",
        seq=seq.tolist(),
        kind=["label"] * n,
        cell_id=cell.tolist(),
        rater_id=rater.tolist(),
        round_id=round_.tolist(),
        label_id=label,
        time_s=null_where_nan(events.time_s),
        score=score,
        seconds=null_where_nan(events.seconds),
        attributes=attributes,
    )
    extend_with(
        connection,
        "event",
        begin,
        n,
        kind="label",
        cell_id=cell,
        rater_id=rater,
        round_id=round_,
        label_id=[NULL if id_ is None else id_ for id_ in label],
        time_s=events.time_s,
        score=events.score,
        seconds=events.seconds,
        attributes=attributes,
    )
    first, last = _first_and_last(cell, rater, round_)
    insert_columns(
        connection,
        "label_now",
        cell_id=cell[last].tolist(),
        rater_id=rater[last].tolist(),
        round_id=round_[last].tolist(),
        label_id=[label[row] for row in last.tolist()],
        score=[score[row] for row in last.tolist()],
        first_seq=seq[first].tolist(),
        last_seq=seq[last].tolist(),
    )
    _count_labels(connection, cells, events, ids, rows=last, cell_ids=cell_ids)


def _first_and_last(cell: Ids, rater: Ids, round_: Ids) -> tuple[Ids, Ids]:
    """Return the first and the last row of each (cell, rater, round), in the order of these keys."""
    order = np.lexsort((round_, rater, cell))
    keys = np.column_stack([cell, rater, round_])[order]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    return order[starts], order[np.r_[starts[1:], len(order)] - 1]


def _count_labels(
    connection: sqlite3.Connection,
    cells: Cells,
    events: LabelEvents,
    ids: StoreIds,
    *,
    rows: Ids,
    cell_ids: Ids,
) -> None:
    listed = [id_ for (id_,) in connection.execute("SELECT id FROM round WHERE is_listed = 1")]
    counted = (events.label[rows] >= 0) & ~cells.deleted[events.cell[rows]]
    # New cells are on no list yet: labels of a listed round count when their cells are listed.
    rows = rows[counted & ~np.isin(ids.round[events.round[rows]], listed)]
    cell = events.cell[rows]
    present.add_labels(
        connection,
        ids.round[events.round[rows]],
        ids.rater[events.rater[rows]],
        ids.slide[cells.slide[cell]],
        present.shuffles(cell_ids[cell], present.study_seed(connection)),
    )


def add_deletions(connection: sqlite3.Connection, cell_ids: Ids) -> None:
    """Write a deletion event for each new cell that its source marks as deleted."""
    if len(cell_ids):
        seq = _next_id(connection, "event", "seq")
        connection.execute(_DELETE_SQL, (seq, time.time(), int(cell_ids[0])))
