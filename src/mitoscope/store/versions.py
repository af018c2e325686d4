"""Frozen versions of a study's ground truth (MEL, HEAEL, ODAEL, CODAEL): what is trained on and judged by.

A version holds cells with class and agreement, sizes and shapes; slides with case, resolution, size, hash and
side of the split; regions and examined areas: all as they were when it was frozen, under one hash. Nothing
that happens to the study afterwards changes it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.errors import (
    LeakError,
    MitoscopeError,
    NoAgreedClassError,
    StoreDamagedError,
    StoreError,
    VersionError,
)
from mitoscope.labels import IGNORED, LabelMapping
from mitoscope.store import chain
from mitoscope.store.dump import read_quarantine, read_slides, slide_columns
from mitoscope.store.encoding import exists, insert, insert_columns, null_where_nan
from mitoscope.store.examined import examined_areas, read_outlines
from mitoscope.store.ground_truth import ground_truth_of
from mitoscope.store.manifest import FORMAT, FrozenSlide, Manifest, Query, parse_version
from mitoscope.store.opinions import agreed
from mitoscope.store.quarantine import outline_notes
from mitoscope.store.records import DatasetVersion, Study
from mitoscope.store.snapshot import Copy, drafting
from mitoscope.store.version_content import VersionContent, refuse_leaks
from mitoscope.store.vocabulary import id_of, read_labels
from mitoscope.truth import (
    GroundTruth,
    Policy,
)

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Frozen:
    """A version as it was frozen.

    Parameters
    ----------
    name : str
        Variant and number: ``MEL 2``.
    truth : GroundTruth
        What is trained on, judged by and counted.
    study : Study
        Its cells with their shapes, each with one label of a rater named as the version: for writers of a
        format.
    manifest : Manifest
        What it was frozen from; of a version that was imported with a study, what it holds.
    """

    name: str
    truth: GroundTruth
    study: Study
    manifest: Manifest

    @property
    def label_of(self) -> dict[int, str]:
        """Class by the id of the cell, ascending."""
        pairs = (
            pair
            for slide in self.truth.slides
            for pair in zip(slide.cells.cell_id.tolist(), slide.cells.label.tolist(), strict=True)
        )
        return dict(sorted(pairs))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frozen):
            return NotImplemented
        mine = (self.name, self.manifest, self.truth.sha256, self.study)
        return mine == (other.name, other.manifest, other.truth.sha256, other.study)

    __hash__ = None  # type: ignore[assignment]


def add_versions(
    connection: sqlite3.Connection,
    versions: Iterable[DatasetVersion],
    *,
    cell_ids: Ids,
    label_ids: Ids,
    slide_ids: Ids,
) -> None:
    """Freeze the versions of a study that is being imported; they have no manifest.

    Their agreement is that of the study, where the class is the same: files state none.

    Raises
    ------
    VersionError
        If a variant has a version of that number.
    LeakError
        If a case or the same pixels would stand on both sides of the split.
    """
    known: tuple[Ids, NDArray[np.float64]] | None = None
    for version in versions:
        cells, labels = cell_ids[version.cell], label_ids[version.label]
        if known is None:
            view = agreed(connection, Policy.SETTLED)
            size = max(int(cell_ids.max(initial=0)), int(view.cell_id.max(initial=0))) + 1
            known = np.zeros(size, np.int64), np.full(size, np.nan)
            known[0][view.cell_id], known[1][view.cell_id] = view.label_id, view.agreement
        agreement = np.where(known[0][cells] == labels, known[1][cells], np.nan)
        _insert(
            connection,
            version.variant,
            version.number,
            columns=(cells, labels, agreement),
            slides=slide_ids.tolist(),
            split={int(slide_ids[slide]): side for slide, side in version.split.items()},
            note=version.note,
        )


def check_versions(connection: sqlite3.Connection, path: Path) -> int:
    """Return how many versions are what their hash says; for another one raise `StoreDamagedError`."""
    sql = (
        "SELECT v.id, v.variant || '@' || v.number FROM version AS v "
        "JOIN version_manifest AS m ON m.version_id = v.id ORDER BY v.id"
    )
    versions = connection.execute(sql).fetchall()
    for id_, name in versions:
        try:
            _frozen(connection, id_)
        except (VersionError, LeakError):
            pass  # slides that changed since are no damage
        except MitoscopeError as error:
            mend = "restore it from a copy made by 'mitoscope store backup'"
            raise StoreDamagedError(f"version {name}: {error.what}", where=path, mend=mend) from None
    return len(versions)


_TABLES = (
    "version",
    "version_cell",
    "version_split",
    "version_label",
    "version_slide",
    "version_region",
    "version_manifest",
)
_Rows = tuple[list[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, eq=False)
class DraftVersion:
    """A version that was frozen in a copy of the study, and its rows by table, which the study lacks yet.

    There are none where nothing has changed since the variant's newest version.
    """

    frozen: Frozen
    rows: Mapping[str, _Rows]


def draft_version(copy: Copy, variant: str, query: Query, **more: Any) -> DraftVersion:
    """Freeze a version in a copy, which is as before afterwards; see `freeze`."""
    with drafting(copy):
        (before,) = copy.execute("SELECT ifnull(max(id), 0) FROM version").fetchone()
        frozen = freeze(copy, variant, query, **more)
        (version_id,) = copy.execute("SELECT ifnull(max(id), 0) FROM version").fetchone()
        return DraftVersion(frozen, {} if version_id == before else _rows_of(copy, version_id))


def _rows_of(connection: sqlite3.Connection, version_id: int) -> dict[str, _Rows]:
    rows: dict[str, _Rows] = {}
    for table in _TABLES:
        key = "id" if table == "version" else "version_id"
        found = connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (version_id,))  # noqa: S608
        rows[table] = [column for column, *_ in found.description], found.fetchall()
    return rows


def write_version(connection: sqlite3.Connection, draft: DraftVersion) -> bool:
    """Write a version as it was drafted; return whether that can be done.

    It cannot where another version was frozen or imported meanwhile. What was labelled meanwhile does not
    matter: a version states the last event that it holds.
    """
    if not draft.rows:
        return True
    columns, ((*values,),) = draft.rows["version"]
    drafted = dict(zip(columns, values, strict=True))
    number = next_number(connection, drafted["variant"])
    (last,) = connection.execute("SELECT ifnull(max(id), 0) FROM version").fetchone()
    if (number, last + 1) != (drafted["number"], drafted["id"]):
        return False
    for table, (names, rows) in draft.rows.items():
        first = 1 if table == "version_region" else 0  # numbered by the study
        marks = ", ".join("?" * (len(names) - first))
        sql = f"INSERT INTO {table} ({', '.join(names[first:])}) VALUES ({marks})"  # noqa: S608
        connection.executemany(sql, [row[first:] for row in rows] if first else rows)
    return True


def freeze(
    connection: sqlite3.Connection,
    variant: str,
    query: Query,
    *,
    split: Mapping[str, str] | None = None,
    licences: Mapping[str, str] | str | None = None,
    note: str = "",
) -> Frozen:
    """Freeze the next version of a data set; see `Store.freeze`.

    Where nothing has changed since the variant's newest version, that one is returned: a loop that is
    repeated does not pile up versions.

    Raises
    ------
    VersionError
        If the variant's name reads as that of one version, such as ``MEL@2``.
    StoreError
        If the query names what is not there or leaves no cell, or the split names another slide.
    NoAgreedClassError
        If no cell has a class under the policy.
    TruthError
        If a region cannot be used.
    """
    if "@" in variant or parse_version(variant) != (variant, None) or not variant:
        mend = "leave out @ and numbers after a blank: versions are named VARIANT@NUMBER"
        raise VersionError(f"{variant!r} cannot be the name of a variant", mend=mend)
    slides = select_slides(connection, query)
    cells, labels, agreement = _select(connection, query, slides, variant)
    names = {id_: slide.name for id_, slide in read_slides(connection).items() if id_ in slides}
    sides, licence_of = dict(split or {}), {} if isinstance(licences, str) else dict(licences or {})
    for what, named in (("split", sides), ("licences", licence_of)):
        odd = sorted(set(named) - set(names.values()))
        if odd:
            raise StoreError(f"the query chooses no slide {odd[0]!r}", where=what)
    if isinstance(licences, str):
        licence_of = dict.fromkeys(names.values(), licences)
    newest = _newest(connection, variant)
    number = next_number(connection, variant)
    chain.extend(connection)
    connection.execute("SAVEPOINT freezing")
    version_id = _insert(
        connection,
        variant,
        number,
        columns=(cells, labels, agreement),
        slides=sorted(slides),
        split={id_: sides[name] for id_, name in names.items() if name in sides},
        note=note,
    )
    content = VersionContent.read(connection, version_id)
    truth = content.truth(query.policy)
    draft = _manifest(connection, content, truth, query, licence_of, note)
    if newest is not None and _same(newest, draft):
        connection.execute("ROLLBACK TO freezing")
        connection.execute("RELEASE freezing")
        return _frozen(connection, version_id_of(connection, variant, newest.number))
    insert(connection, "version_manifest", version_id=version_id, content=draft.to_json())
    connection.execute("RELEASE freezing")
    return Frozen(content.name, truth, content.study, draft)


def read_frozen(
    connection: sqlite3.Connection,
    variant: str,
    number: int | None = None,
    *,
    mapping: LabelMapping | None = None,
    source: str = "",
) -> Frozen:
    """Return a version as it was frozen, by default the variant's newest; see `Store.version`.

    Its source is the name of the study and the version; a mapping says what class names stand for.

    Raises
    ------
    VersionError
        If there is none, or a slide of it has another hash, size or resolution by now.
    LeakError
        If a case or the same pixels stand on both sides of its split.
    StoreDamagedError
        If its content is not what its hash says.
    """
    version_id = version_id_of(connection, variant, number)
    found = _frozen(connection, version_id)
    named = f"{source}@{found.name.replace(' ', '@')}" if source else found.name
    refused = outline_notes(read_quarantine(connection, {slide.name for slide in found.truth.slides}))
    notes = (*found.truth.notes, *refused)
    truth = replace(found.truth, source=named, notes=notes, licences=found.manifest.licences)
    if mapping is not None:
        mapped = ground_truth_of(
            found.study, policy=Policy.RECORDED, mapping=mapping, cell_id=_cell_ids(found.study)
        )
        cells = {slide.name: slide.cells for slide in mapped.slides}
        truth = replace(
            truth,
            slides=tuple(replace(slide, cells=cells[slide.name]) for slide in truth.slides),
            classes=mapped.classes,
            label_names=mapped.label_names,
            notes=(*truth.notes, *mapped.notes),
        )
    return replace(found, truth=truth)


def _cell_ids(study: Study) -> Ids:
    return np.array([int(text) for text in study.cells.external_id], dtype=np.int64)


def next_number(connection: sqlite3.Connection, variant: str) -> int:
    """Return the number of a variant's next version."""
    sql = "SELECT ifnull(max(number), 0) + 1 FROM version WHERE variant = ?"
    return int(connection.execute(sql, (variant,)).fetchone()[0])


def version_id_of(connection: sqlite3.Connection, variant: str, number: int | None = None) -> int:
    """Return the id of a version, by default of the variant's newest, or raise `VersionError`."""
    row = connection.execute(
        "SELECT id FROM version WHERE variant = ? AND (?2 IS NULL OR number = ?2) ORDER BY number DESC",
        (variant, number),
    ).fetchone()
    if row is None:
        known = connection.execute("SELECT variant || '@' || number FROM version ORDER BY id").fetchall()
        what = f"no version {variant!r}" if number is None else f"no version {number} of {variant!r}"
        raise VersionError(what, mend=f"versions are {', '.join(name for (name,) in known) or 'none yet'}")
    return int(row[0])


def select_slides(connection: sqlite3.Connection, query: Query) -> set[int]:
    """Return the ids of the slides that a query chooses; raise `StoreError` for what is not there."""
    known = read_slides(connection)
    chosen = {id_of(connection, "slide", name) for name in query.slides} or set(known)
    types = {slide.domain.tumour_type for slide in known.values()}
    for odd in sorted(set(query.tumour_types) - types):
        there = ", ".join(sorted(kind for kind in types if kind)) or "none"
        raise StoreError(f"no slide of the tumour type {odd!r}", mend=f"known are {there}")
    if query.tumour_types:
        chosen = {slide for slide in chosen if known[slide].domain.tumour_type in query.tumour_types}
    return chosen


def _select(
    connection: sqlite3.Connection, query: Query, slides: set[int], variant: str
) -> tuple[Ids, Ids, NDArray[np.float64]]:
    wanted = [id_of(connection, "label", name) for name in query.labels] or list(read_labels(connection))
    left_out = _listed(connection, query.without)
    view = agreed(connection, query.policy, threshold=query.threshold)
    if not (view.label_id > 0).any():
        raise NoAgreedClassError(
            f"no cell has an agreed class under {str(query.policy)!r}",
            where=variant,
            mend="label first; where experts gave the labels of a table with scores, import it with --rater"
            if query.policy is Policy.SETTLED
            else "try --policy settled",
        )
    label_id = view.label_id.copy()
    for name, target in query.label_names.items():
        new_id = 0 if target == IGNORED else id_of(connection, "label", target)
        label_id[view.label_id == id_of(connection, "label", name)] = new_id
    kept = (
        np.isin(label_id, wanted)
        & np.isin(view.slide_id, sorted(slides))
        & ~np.isin(view.cell_id, sorted(left_out))
    )
    if not kept.any():
        mend = "check its slides, classes and the rounds left out"
        raise StoreError("no cell is left after the filters", where=variant, mend=mend)
    return view.cell_id[kept], label_id[kept], view.agreement[kept]


def _listed(connection: sqlite3.Connection, names: Iterable[str]) -> set[int]:
    found: set[int] = set()
    for name in names:
        review = connection.execute("SELECT id FROM review WHERE name = ?", (name,)).fetchone()
        if review is None:
            sql, key = "SELECT cell_id FROM round_cell WHERE round_id = ?", id_of(connection, "round", name)
        else:
            sql, key = (
                "SELECT l.cell_id FROM round_cell AS l JOIN review_round AS r ON r.round_id = l.round_id "
                "WHERE r.review_id = ?",
                int(review[0]),
            )
        found |= {cell for (cell,) in connection.execute(sql, (key,))}
    return found


def _insert(
    connection: sqlite3.Connection,
    variant: str,
    number: int,
    *,
    columns: tuple[Ids, Ids, NDArray[np.float64]],
    slides: Collection[int],
    split: Mapping[int, str],
    note: str,
) -> int:
    if exists(connection, "version", variant=variant, number=number):
        mend = "freeze it under the next number"
        raise VersionError("exists already", where=f"version {number} of {variant!r}", mend=mend)
    records = read_slides(connection)
    (seq,) = connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()
    named = {"variant": variant, "number": number}
    id_ = insert(connection, "version", **named, note=note, frozen_s=time.time(), seq=seq)
    cells, labels, agreement = columns
    insert_columns(
        connection,
        "version_cell",
        version_id=[id_] * len(cells),
        cell_id=cells.tolist(),
        label_id=labels.tolist(),
        agreement=null_where_nan(agreement),
    )
    for slide, side in split.items():
        insert(connection, "version_split", version_id=id_, slide_id=slide, split=side)
    connection.execute(
        "INSERT INTO version_label (version_id, label_id, name) SELECT ?, id, name FROM label", (id_,)
    )
    examined = examined_areas(connection)
    chosen = {slide: records[slide] for slide in (*slides, *(set(split) - set(slides)))}
    for slide, record in chosen.items():
        area = examined.get(slide)
        shape = None if area is None or area.region is None else shapely.to_wkb(area.region.shape)
        looked_at = {"examined": None if area is None else area.source, "examined_px0": shape}
        row = {"version_id": id_, "slide_id": slide, **slide_columns(record), **looked_at}
        insert(connection, "version_slide", **row)
    connection.executemany(
        "INSERT INTO version_region (version_id, slide_id, kind, name, vertices_px0) VALUES (?, ?, ?, ?, ?)",
        [(id_, *row) for row in read_outlines(connection) if row[0] in chosen],
    )
    refuse_leaks({slide: chosen[slide] for slide in split}, split)
    return id_


def _newest(connection: sqlite3.Connection, variant: str) -> Manifest | None:
    if next_number(connection, variant) == 1:
        return None
    return _read_manifest(connection, version_id_of(connection, variant))


def _read_manifest(connection: sqlite3.Connection, version_id: int) -> Manifest | None:
    sql = "SELECT content FROM version_manifest WHERE version_id = ?"
    row = connection.execute(sql, (version_id,)).fetchone()
    return None if row is None else Manifest.from_json(row[0], where="manifest of a version")


def read_manifests(connection: sqlite3.Connection) -> list[Manifest]:
    """Return what each version frozen here is, in the order in which they were frozen.

    Versions that came in with a file have no manifest.
    """
    rows = connection.execute("SELECT content FROM version_manifest ORDER BY version_id")
    return [Manifest.from_json(content, where="manifest of a version") for (content,) in rows]


def _same(newest: Manifest, draft: Manifest) -> bool:
    """Whether a draft says nothing new; a licence or note that it leaves out stays as it was."""
    mine = (newest.query, newest.sha256, newest.shapes_sha256)
    licences = {slide.name: slide.licence for slide in newest.slides}
    return (
        mine == (draft.query, draft.sha256, draft.shapes_sha256)
        and all(slide.licence in (None, licences[slide.name]) for slide in draft.slides)
        and draft.note in ("", newest.note)
    )


def _frozen(connection: sqlite3.Connection, version_id: int) -> Frozen:
    """Read a version, and refuse what is not what it was."""
    manifest = _read_manifest(connection, version_id)
    content = VersionContent.read(connection, version_id, manifest)
    truth = content.truth(None if manifest is None else manifest.query.policy)
    if manifest is None:
        manifest = _manifest(connection, content, truth, Query(policy=Policy.RECORDED), {}, "")
    if manifest.format == FORMAT:
        is_whole = truth.sha256 == manifest.sha256 and content.shapes_sha256() == manifest.shapes_sha256
    else:
        is_whole = content.cells_sha256() == manifest.sha256
    if not is_whole:
        what = "its content is not what was frozen"
        raise StoreDamagedError(what, where=manifest.name, mend="restore the store from a backup")
    content.refuse_changed(read_slides(connection))
    return Frozen(content.name, truth, content.study, manifest)


def _manifest(
    connection: sqlite3.Connection,
    content: VersionContent,
    truth: GroundTruth,
    query: Query,
    licence_of: Mapping[str, str],
    note: str,
) -> Manifest:
    from importlib import metadata  # loads the parser of mail: not for who only reads

    variant, number = parse_version(content.name)
    study, uuid = connection.execute("SELECT name, uuid FROM study").fetchone()
    (seq,) = connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()
    slides = []
    for slide in truth.slides:
        names, counts = np.unique(slide.cells.label, return_counts=True)
        slides.append(
            FrozenSlide(
                name=slide.name,
                case=slide.case,
                sha256=slide.sha256,
                split=slide.side,
                licence=licence_of.get(slide.name),
                cells=dict(zip(names.tolist(), counts.tolist(), strict=True)),
                mpp=None if slide.mpp is None else (slide.mpp.x, slide.mpp.y),
                size_px0=None if slide.size is None else (slide.size.width, slide.size.height),
                examined=None if slide.stated_examined is None else slide.stated_examined.source,
            )
        )
    total = dict(sorted(truth.counts().items()))
    return Manifest(
        study=study,
        uuid=uuid,
        variant=variant,
        number=number or 1,
        query=query,
        seq=seq,
        labels=tuple(total),
        cells=total,
        slides=tuple(slides),
        licences=tuple(sorted({slide.licence for slide in slides if slide.licence})),
        sha256=truth.sha256,
        shapes_sha256=content.shapes_sha256(),
        frozen=datetime.now(UTC).isoformat(timespec="seconds"),
        note=note,
        software=f"mitoscope {metadata.version('mitoscope')}",
        chain=chain.head(connection),
    )
