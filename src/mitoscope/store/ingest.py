"""Taking a study into a store: all of it in one transaction, or nothing."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import StoreError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.store.encoding import attributes_text, vertices_blob
from mitoscope.store.ingest_rows import EventIds, add_cells, add_deletions, add_label_events
from mitoscope.store.known_cells import take_known
from mitoscope.store.quarantine import sift
from mitoscope.store.records import SlideRecord, Study
from mitoscope.store.versions import add_version
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
    """What an import brought; ``quarantined`` counts by reason, ``known`` cells that the store had."""

    slides: int
    cells: int
    labels: int
    regions: int
    versions: int
    quarantined: Mapping[str, int]
    known: int = 0


def ingest(
    connection: sqlite3.Connection, study: Study, source: Source, *, trust_scale: bool = False
) -> ImportReport:
    """Write a study inside of the caller's transaction.

    Slides, raters, rounds and labels that the store knows by name are the same; what they state more than
    the store is added. Cells of a known id are the same; see `take_known`.

    Raises
    ------
    StoreError
        If the file was imported before, or a slide, rater or round of a known name states something else.
    """
    _refuse_again(connection, source)
    sifted = sift(study, source=source.name, trust_scale=trust_scale)
    study, known, added = take_known(connection, sifted, source=source.name)
    slide_ids = np.array([add_slide(connection, slide) for slide in study.slides], dtype=np.int64)
    label_ids = intern_labels(connection, study.labels)
    rater_ids = intern_raters(connection, study.raters)
    round_ids = intern_rounds(connection, study.rounds)
    cell_ids = add_cells(connection, study.cells, slide_ids)
    ids = EventIds(cell_ids, rater_ids, round_ids, label_ids)
    add_label_events(connection, study, ids, slide_ids=slide_ids)
    add_deletions(connection, cell_ids)
    for version in study.versions:
        add_version(connection, version, cell_ids=cell_ids, label_ids=label_ids, slide_ids=slide_ids)
    report = _finish(connection, study, source, slide_ids=slide_ids)
    return replace(report, known=known, labels=report.labels + added)


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
    columns = slide_columns(slide)
    if known is None:
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO slide ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 constant names
        return int(connection.execute(sql, tuple(columns.values())).lastrowid or 0)
    return _complete(connection, int(known[0]), columns)


def slide_columns(slide: SlideRecord) -> dict[str, Any]:
    """Return the columns of a slide's row."""
    size: SizePx | None = slide.size
    mpp: Mpp | None = slide.mpp
    return {
        "name": slide.name,
        "sha256": slide.sha256,
        "width_px0": None if size is None else size.width,
        "height_px0": None if size is None else size.height,
        "mpp_x": None if mpp is None else mpp.x,
        "mpp_y": None if mpp is None else mpp.y,
        "case_name": slide.case,
        **{one.name: getattr(slide.domain, one.name) for one in fields(slide.domain)},
        "attributes": attributes_text(slide.attributes),
    }


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
                mend="give the slide another name or mend the file",
            )
        connection.execute(f"UPDATE slide SET {name} = ? WHERE id = ?", (new, slide_id))  # noqa: S608
    return slide_id


_REGION_SQL = "INSERT INTO region (slide_id, kind, name, vertices_px0) VALUES (?, ?, ?, ?)"
_QUARANTINE_SQL = "INSERT INTO quarantine (place, reason, content, slide_name) VALUES (?, ?, ?, ?)"
_SOURCE_SQL = """
INSERT INTO source (name, format, sha256, imported_s, cells, labels, quarantined) VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def _finish(connection: sqlite3.Connection, study: Study, source: Source, *, slide_ids: Ids) -> ImportReport:
    regions = [
        (int(slide_ids[one.slide]), str(one.kind), one.name, vertices_blob(one.vertices_px0))
        for one in study.regions
    ]
    connection.executemany(_REGION_SQL, regions)
    connection.executemany(
        _QUARANTINE_SQL, [(one.where, one.why, one.what, one.slide) for one in study.quarantine]
    )
    counts = (len(study.cells), len(study.events), len(study.quarantine))
    connection.execute(_SOURCE_SQL, (source.name, source.format, source.sha256, time.time(), *counts))
    return ImportReport(
        slides=len(study.slides),
        cells=len(study.cells),
        labels=len(study.events),
        regions=len(study.regions),
        versions=len(study.versions),
        quarantined=Counter(one.why for one in study.quarantine),
    )
