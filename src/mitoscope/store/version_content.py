"""What the rows of a frozen version say: a study, its ground truth, and the hashes that prove it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.errors import VersionError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import Label, LabelSet
from mitoscope.region import Region as RegionShape
from mitoscope.region import RegionKind
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.dump import read_slides, slide_from
from mitoscope.store.encoding import vertices_from, well_formed
from mitoscope.store.examined import examined_areas, read_outlines
from mitoscope.store.ground_truth import ground_truth_of
from mitoscope.store.manifest import Manifest
from mitoscope.store.records import DatasetVersion, Rater, Region, Round, RoundKind, SlideRecord, Study
from mitoscope.store.vocabulary import read_labels
from mitoscope.truth import (
    ExaminedArea,
    GroundTruth,
    Policy,
    RaterKind,
    Side,
    SlideSplit,
    check_leaks,
)

Ids = NDArray[np.int64]

_CELLS_SQL = """
SELECT v.cell_id, c.slide_id, c.shape, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, c.z,
       c.vertices_px0, v.label_id, v.agreement
FROM version_cell AS v JOIN cell AS c ON c.id = v.cell_id WHERE v.version_id = ? ORDER BY v.cell_id
"""
_MOVED_SQL = """
SELECT e.cell_id, e.shape, e.x_min_px0, e.y_min_px0, e.x_max_px0, e.y_max_px0, e.vertices_px0
FROM event AS e WHERE e.kind IN ('create', 'move') AND e.seq <= :seq
  AND e.cell_id IN (SELECT m.cell_id FROM event AS m WHERE m.seq > :seq AND m.kind = 'move')
ORDER BY e.seq
"""
_SLIDES_SQL = """
SELECT v.slide_id, s.name, v.sha256, v.width_px0, v.height_px0, v.mpp_x, v.mpp_y, v.case_name,
       v.tumour_type, v.scanner, v.species, v.laboratory, v.examined, v.examined_px0
FROM version_slide AS v JOIN slide AS s ON s.id = v.slide_id WHERE v.version_id = ? ORDER BY v.slide_id
"""
_OF_BEFORE = "frozen without agreement, regions and scale: agreement is not stated, the others are as of now"


@dataclass(frozen=True, eq=False)
class VersionContent:
    """What the rows of a version say.

    Parameters
    ----------
    name : str
        Variant and number.
    study : Study
        Its slides, regions and cells, each with one label of a rater named as the version.
    cell_id : ndarray of int64, shape (n,)
        Ids of the cells in the store.
    split : mapping of str to str
        Slide name → side.
    examined : mapping of str to ExaminedArea
        Of slides of which it is known.
    slide_ids : tuple of int
        Ids of the slides in the store, in order.
    is_whole : bool
        Whether slides, regions and agreement were frozen too; versions of before hold cells alone.
    """

    name: str
    study: Study
    cell_id: Ids
    split: Mapping[str, Side]
    examined: Mapping[str, ExaminedArea]
    slide_ids: tuple[int, ...]
    is_whole: bool

    @classmethod
    @well_formed()
    def read(
        cls, connection: sqlite3.Connection, version_id: int, manifest: Manifest | None = None
    ) -> VersionContent:
        """Read the rows; the manifest helps with versions of before, which had no rows of slides."""
        variant, number, seq = connection.execute(
            "SELECT variant, number, seq FROM version WHERE id = ?", (version_id,)
        ).fetchone()
        split = dict(
            connection.execute(
                "SELECT slide_id, split FROM version_split WHERE version_id = ?", (version_id,)
            ).fetchall()
        )
        rows = connection.execute(_CELLS_SQL, (version_id,)).fetchall()
        slides = _Slides.frozen(connection, version_id)
        is_whole = slides is not None
        if slides is None:
            slides = _Slides.of_before(connection, manifest, {row[1] for row in rows} | set(split))
        if seq is None and manifest is not None:
            seq = manifest.seq
        name, labels = f"{variant} {number}", _labels_of(connection, version_id)
        place = {id_: row for row, id_ in enumerate(slides.records)}
        label = {id_: row for row, id_ in enumerate(labels)}
        shapes, bounds, vertices = _columns(rows, _moved(connection, seq))
        label_of = np.array([label[row[9]] for row in rows], dtype=np.int64)
        sides = {place[id_]: side for id_, side in split.items()}
        study = Study(
            slides=tuple(slides.records.values()),
            labels=LabelSet(tuple(labels.values())),
            raters=(Rater(name, RaterKind.CONSENSUS),),
            rounds=(Round(f"frozen: {name}", RoundKind.CONSENSUS),),
            cells=Cells.of(
                [place[row[1]] for row in rows],
                bounds,
                shape=shapes,
                z=[row[7] for row in rows],
                external_id=[str(row[0]) for row in rows],
                vertices_px0={row: vertices_from(blob) for row, blob in vertices.items()},
            ),
            events=LabelEvents.of(
                np.arange(len(rows)),
                np.zeros(len(rows), np.int64),
                label_of,
                score=[np.nan if row[10] is None else row[10] for row in rows],
            ),
            regions=tuple(
                Region(place[slide], vertices_from(blob), RegionKind(kind), title)
                for slide, kind, title, blob in slides.outlines
            ),
            versions=(DatasetVersion(variant, number, np.arange(len(rows)), label_of, sides),),
        )
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        named = {slides.records[id_].name: side for id_, side in split.items()}
        return cls(name, study, ids, named, slides.examined, tuple(slides.records), is_whole)

    def truth(self, policy: Policy | None) -> GroundTruth:
        """Return the ground truth, as made by a policy."""
        truth = ground_truth_of(self.study, policy=Policy.RECORDED, source=self.name, cell_id=self.cell_id)
        slides = tuple(
            replace(
                slide,
                side=self.split.get(slide.name),
                stated_examined=self.examined.get(slide.name, slide.stated_examined),
            )
            for slide in truth.slides
        )
        notes = truth.notes if self.is_whole else (*truth.notes, f"{self.name}: {_OF_BEFORE}")
        return replace(truth, slides=slides, policy=policy, notes=notes)

    def refuse_changed(self, now: Mapping[int, SlideRecord]) -> None:
        """Refuse slides that are not what they were, by what the store says of them now.

        Raises
        ------
        VersionError
            If a slide has another hash, size or resolution.
        LeakError
            If a case or the same pixels stand on both sides by now.
        """
        for id_, was in zip(self.slide_ids, self.study.slides, strict=True):
            is_ = now[id_]
            for what, before, after in (
                ("hash", was.sha256, is_.sha256),
                ("size", was.size, is_.size),
                ("resolution", was.mpp, is_.mpp),
            ):
                if before is not None and before != after:
                    raise VersionError(
                        f"the {what} of the slide {was.name!r} was {_said(before)} and is {_said(after)} now",
                        where=self.name,
                        mend="freeze a new version",
                    )
        names = {slide.name: id_ for id_, slide in zip(self.slide_ids, self.study.slides, strict=True)}
        ids = {names[name]: side for name, side in self.split.items()}
        refuse_leaks({id_: now[id_] for id_ in ids}, ids)

    def shapes_sha256(self) -> str:
        """Return the hash of what ground truth has no room for, the same in every store."""
        cells = self.study.cells
        order = np.lexsort((cells.shape, *cells.bounds_px0.T, cells.slide))
        digest = hashlib.sha256()
        for slide, rows in ((row, order[cells.slide[order] == row]) for row in range(len(self.slide_ids))):
            digest.update(self.study.slides[slide].name.encode())
            digest.update(cells.shape[rows].astype("u1").tobytes())
            digest.update(cells.z[rows].astype("<i8").tobytes())
            digest.update(cells.bounds_px0[rows].astype("<f8").tobytes())
            for row in rows.tolist() if cells.vertices_px0 else ():
                if row in cells.vertices_px0:
                    digest.update(cells.vertices_px0[row].astype("<f8").tobytes())
        return digest.hexdigest()

    def cells_sha256(self) -> str:
        """Return the hash of manifests of before: over a line of JSON a cell, and the split."""
        cells, slides, names = self.study.cells, self.study.slides, self.study.labels.names
        lines = []
        for row, label in enumerate(self.study.events.label.tolist()):
            vertices = cells.vertices_px0.get(row)
            place = slides[cells.slide[row]].name, names[label], int(cells.shape[row])
            shape = None if vertices is None else vertices.tolist()
            lines.append(json.dumps([*place, cells.bounds_px0[row].tolist(), int(cells.z[row]), shape]))
        sides = sorted((slide.name, self.split.get(slide.name)) for slide in slides)
        lines = sorted(lines) + [json.dumps(list(side)) for side in sides]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _said(value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, SizePx):
        return f"{value.width} × {value.height} px"
    if isinstance(value, Mpp):
        return f"{value.x:g} µm/px" if value.x == value.y else f"{value.x:g} × {value.y:g} µm/px"
    return f"{str(value)[:12]}…"


@dataclass(frozen=True, eq=False)
class _Slides:
    """The slides of a version: outlines as slide, kind, name and vertices; examined areas by name."""

    records: dict[int, SlideRecord]
    outlines: list[tuple[int, str, str, bytes]]
    examined: dict[str, ExaminedArea]

    @classmethod
    def frozen(cls, connection: sqlite3.Connection, version_id: int) -> _Slides | None:
        rows = connection.execute(_SLIDES_SQL, (version_id,)).fetchall()
        if not rows:
            return None
        outlines = connection.execute(
            "SELECT slide_id, kind, name, vertices_px0 FROM version_region WHERE version_id = ? ORDER BY id",
            (version_id,),
        ).fetchall()
        examined = {row[1]: area for row in rows if (area := _examined_of(row)) is not None}
        return cls({row[0]: slide_from(row[1], row[2:12]) for row in rows}, outlines, examined)

    @classmethod
    def of_before(cls, connection: sqlite3.Connection, manifest: Manifest | None, used: set[int]) -> _Slides:
        records = _slides_of_before(connection, manifest, used)
        areas = examined_areas(connection)
        return cls(
            records,
            [row for row in read_outlines(connection) if row[0] in records],
            {slide.name: areas[id_] for id_, slide in records.items() if id_ in areas},
        )


def _labels_of(connection: sqlite3.Connection, version_id: int) -> dict[int, Label]:
    """Return the classes by id, under the names that they had when the version was frozen."""
    rows = connection.execute("SELECT label_id, name FROM version_label WHERE version_id = ?", (version_id,))
    names = dict(rows.fetchall())
    labels = read_labels(connection)
    return {id_: replace(labels[id_], name=name) for id_, name in names.items()} or labels


def _examined_of(row: tuple[Any, ...]) -> ExaminedArea | None:
    source, shape = row[12:]
    if source is None:
        return None
    return ExaminedArea(None if shape is None else RegionShape(shapely.from_wkb(shape), "examined"), source)


def _slides_of_before(
    connection: sqlite3.Connection, manifest: Manifest | None, used: set[int]
) -> dict[int, SlideRecord]:
    """Return the slides of a version that was frozen without them; a hash in its manifest must still hold."""
    known = read_slides(connection)
    if manifest is None:
        return {id_: slide for id_, slide in known.items() if id_ in used}
    stated = {slide.name: slide for slide in manifest.slides}
    found = {id_: slide for id_, slide in known.items() if slide.name in stated}
    return {
        id_: replace(
            slide,
            sha256=stated[slide.name].sha256 or slide.sha256,
            case=stated[slide.name].case or slide.case,
        )
        for id_, slide in found.items()
    }


def _moved(connection: sqlite3.Connection, seq: int | None) -> dict[int, tuple[Any, ...]]:
    """Return the geometry after an event of the cells that were moved later."""
    if seq is None:
        return {}
    return {row[0]: row[1:] for row in connection.execute(_MOVED_SQL, {"seq": seq})}


def _columns(
    cells: list[tuple[Any, ...]], moved: Mapping[int, tuple[Any, ...]]
) -> tuple[list[int], NDArray[np.float64], dict[int, bytes]]:
    """Return shapes, bounds and the vertices of polygons by row."""
    places = [moved.get(row[0]) or (row[2], row[3], row[4], row[5], row[6], row[8]) for row in cells]
    bounds = np.array([place[1:5] for place in places], dtype=np.float64).reshape(-1, 4)
    vertices = {row: place[5] for row, place in enumerate(places) if place[5] is not None}
    return [place[0] for place in places], bounds, vertices


def refuse_leaks(slides: Mapping[int, SlideRecord], split: Mapping[int, str]) -> None:
    """Refuse a split, by slide id, with a case or the same pixels on both sides.

    Raises
    ------
    LeakError
        Naming two slides.
    """
    names = {id_: slide.name for id_, slide in slides.items()}
    check_leaks(
        SlideSplit({names[id_]: side for id_, side in split.items()}),  # type: ignore[misc]
        hash_of={slide.name: slide.sha256 for slide in slides.values()},
        case_of={slide.name: slide.case or slide.name for slide in slides.values()},
    )
