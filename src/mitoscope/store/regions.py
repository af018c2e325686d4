"""Regions drawn by hand, each change an event, and regions of interest of a stated area (MIDOG: 2 mm²)."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConflictError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.region import RegionKind, SlideRegions, outline
from mitoscope.store.encoding import exists, found, insert, put, vertices_blob, vertices_from, well_formed
from mitoscope.store.ground_truth import regions_of
from mitoscope.store.overview import tumour_area_mm2
from mitoscope.store.records import Region, SlideRecord


@dataclass(frozen=True, eq=False)
class DrawnRegion:
    """A region of a slide as it is now.

    Parameters
    ----------
    id, slide_id : int
        Ids.
    kind : RegionKind
        Tumour or exclusion.
    name : str
        What it shows.
    vertices_px0 : ndarray of float64, shape (k, 2)
        Not closed.
    seen : int
        Its last change; 0 for one that came from a file and was not changed since.
    rater_id : int, optional
        Who drew it; None for one that came from a file.
    """

    id: int
    slide_id: int
    kind: RegionKind
    name: str
    vertices_px0: NDArray[np.float64]
    seen: int = 0
    rater_id: int | None = None

    def area_mm2(self, mpp: Mpp, size: SizePx | None = None) -> float | None:
        """Return its own area on the slide; None where it crosses itself."""
        return tumour_area_mm2([Region(0, self.vertices_px0)], SlideRecord("", size, mpp))


_AGAIN = "read the regions again"
_REGION_SQL = """
SELECT r.id, r.slide_id, r.kind, r.name, r.vertices_px0,
       (SELECT ifnull(max(seq), 0) FROM region_event WHERE region_id = r.id),
       (SELECT rater_id FROM region_event WHERE region_id = r.id AND action = 'create')
FROM region AS r
"""


def _drawn(row: tuple[int, int, str, str, bytes, int, int | None]) -> DrawnRegion:
    id_, slide, kind, name, vertices, seen, rater = row
    return DrawnRegion(id_, slide, RegionKind(kind), name, vertices_from(vertices), seen, rater)


@well_formed()
def read_regions(connection: sqlite3.Connection, slide_id: int) -> list[DrawnRegion]:
    """Return the regions of a slide."""
    rows = connection.execute(f"{_REGION_SQL} WHERE r.slide_id = ? ORDER BY r.id", (slide_id,))
    return [_drawn(row) for row in rows]


@well_formed()
def read_region(connection: sqlite3.Connection, region_id: int) -> DrawnRegion:
    """Return a region.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    row = connection.execute(f"{_REGION_SQL} WHERE r.id = ?", (region_id,)).fetchone()
    return _drawn(found(row, "such region", mend=_AGAIN))


def slide_of_region(connection: sqlite3.Connection, region_id: int) -> int:
    """Return the slide that a region is on, or was before it was deleted.

    Raises
    ------
    NotFoundError
        If there never was one of that id.
    """
    row = connection.execute(
        "SELECT slide_id FROM region WHERE id = ?1 "
        "UNION SELECT slide_id FROM region_event WHERE region_id = ?1",
        (region_id,),
    ).fetchone()
    return int(found(row, "such region", mend=_AGAIN)[0])


def drawn_by(connection: sqlite3.Connection, region_id: int) -> int | None:
    """Return whose a region is: of whoever drew it; None for one of a file, or that somebody else deleted."""
    sql = "SELECT action, rater_id FROM region_event WHERE region_id = ? ORDER BY seq"
    events = connection.execute(sql, (region_id,)).fetchall()
    if not events or events[0][0] != "create":
        return None
    drawn, changed = events[0][1], events[-1]
    return None if changed[0] == "delete" and changed[1] != drawn else int(drawn)


def slide_regions(connection: sqlite3.Connection, slide_id: int, size: SizePx) -> SlideRegions:
    """Return what the regions of a slide say together, cut off at the slide.

    Raises
    ------
    TruthError
        If an outline crosses itself.
    """
    return regions_of(_records(read_regions(connection, slide_id)), SlideRecord("", size))


def net_area_mm2(regions: list[DrawnRegion], mpp: Mpp, size: SizePx | None) -> float | None:
    """Return the area of the tumour regions of one slide without its exclusions.

    None where there is no tumour region, or one crosses itself.
    """
    return tumour_area_mm2(_records(regions), SlideRecord("", size, mpp))


def _records(regions: list[DrawnRegion]) -> list[Region]:
    return [Region(0, region.vertices_px0, region.kind, region.name) for region in regions]


def draw_region(connection: sqlite3.Connection, region: DrawnRegion, rater_id: int) -> DrawnRegion:
    """Add a region and return it with its id.

    Raises
    ------
    RegionError
        If it has no area or crosses itself.
    """
    outline(region.vertices_px0)
    (id_,) = connection.execute(
        "SELECT max(ifnull((SELECT max(id) FROM region), 0), "
        "ifnull((SELECT max(region_id) FROM region_event), 0)) + 1"
    ).fetchone()
    drawn = replace(region, id=id_, rater_id=rater_id)
    insert(connection, "region", id=id_, **_columns(drawn))
    return replace(drawn, seen=_note(connection, drawn, "create", rater_id))


def edit_region(
    connection: sqlite3.Connection, region: DrawnRegion, rater_id: int, *, expected: int
) -> DrawnRegion:
    """Change a region.

    Raises
    ------
    ConflictError
        If it has changed since it was seen.
    StoreError
        If it is not there.
    RegionError
        If it has no area or crosses itself.
    """
    outline(region.vertices_px0)
    _check_seen(connection, region.id, expected)
    put(connection, "region", "id", "slide_id", id=region.id, **_columns(region))
    return replace(region, seen=_note(connection, region, "edit", rater_id))


def delete_region(connection: sqlite3.Connection, region_id: int, rater_id: int, *, expected: int) -> None:
    """Take a region away; its history stays.

    Raises
    ------
    ConflictError, StoreError
        As :func:`edit_region`.
    """
    region = _check_seen(connection, region_id, expected)
    connection.execute("DELETE FROM region WHERE id = ?", (region_id,))
    _note(connection, region, "delete", rater_id)


@well_formed()
def restore_region(connection: sqlite3.Connection, region_id: int, rater_id: int) -> DrawnRegion:
    """Take a deletion back.

    Raises
    ------
    ConflictError
        If the region is there.
    NotFoundError
        If there never was one of that id.
    """
    row = connection.execute(
        "SELECT region_id, slide_id, kind, name, vertices_px0, seq, (SELECT rater_id FROM region_event "
        "WHERE region_id = ?1 AND action = 'create') FROM region_event WHERE region_id = ?1 "
        "ORDER BY seq DESC LIMIT 1",
        (region_id,),
    ).fetchone()
    if exists(connection, "region", id=region_id):
        raise ConflictError("is not deleted", where="region", mend=_AGAIN)
    region = _drawn(found(row, "such region", mend=_AGAIN))
    insert(connection, "region", id=region_id, **_columns(region))
    return replace(region, seen=_note(connection, region, "restore", rater_id))


def _check_seen(connection: sqlite3.Connection, region_id: int, expected: int) -> DrawnRegion:
    present = read_region(connection, region_id)
    if present.seen != expected:
        mend = "look at it again and repeat the action"
        raise ConflictError("this region has changed since you saw it", where="region", mend=mend)
    return present


def _columns(region: DrawnRegion) -> dict[str, Any]:
    return {
        "slide_id": region.slide_id,
        "kind": str(region.kind),
        "name": region.name,
        "vertices_px0": vertices_blob(region.vertices_px0),
    }


def _note(connection: sqlite3.Connection, region: DrawnRegion, action: str, rater_id: int) -> int:
    event = {"region_id": region.id, "action": action, "rater_id": rater_id, "time_s": time.time()}
    return insert(connection, "region_event", **event, **_columns(region))


@dataclass(frozen=True, slots=True)
class Interest:
    """A rectangle on a slide, and who placed it."""

    id: int
    slide_id: int
    rater_id: int
    name: str
    box_px0: BoxPx0


_INTEREST_SQL = "SELECT id, slide_id, rater_id, name, x_px0, y_px0, width_px0, height_px0 FROM interest"


def _interest(row: tuple[int, int, int, str, float, float, float, float]) -> Interest:
    return Interest(row[0], row[1], row[2], row[3], BoxPx0(*row[4:]))


def read_interests(connection: sqlite3.Connection, slide_id: int) -> list[Interest]:
    """Return the regions of interest of a slide."""
    sql = f"{_INTEREST_SQL} WHERE slide_id = ? AND is_deleted = 0 ORDER BY id"
    rows = connection.execute(sql, (slide_id,))
    return [_interest(row) for row in rows]


def read_interest(connection: sqlite3.Connection, id_: int) -> Interest:
    """Return a region of interest.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    row = connection.execute(f"{_INTEREST_SQL} WHERE id = ? AND is_deleted = 0", (id_,)).fetchone()
    return _interest(found(row, "such region of interest", mend="read the list again"))


def add_interest(
    connection: sqlite3.Connection, slide_id: int, box_px0: BoxPx0, *, rater_id: int, name: str
) -> Interest:
    """Place a region of interest and return it with its id."""
    id_ = insert(
        connection,
        "interest",
        slide_id=slide_id,
        rater_id=rater_id,
        name=name,
        x_px0=box_px0.x,
        y_px0=box_px0.y,
        width_px0=box_px0.width,
        height_px0=box_px0.height,
        made_s=time.time(),
    )
    return Interest(id_, slide_id, rater_id, name, box_px0)


def remove_interest(connection: sqlite3.Connection, id_: int) -> None:
    """Take a region of interest away.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    read_interest(connection, id_)
    connection.execute("UPDATE interest SET is_deleted = 1 WHERE id = ?", (id_,))


def restore_interest(connection: sqlite3.Connection, id_: int) -> Interest:
    """Take the removal of a region of interest back.

    Raises
    ------
    NotFoundError
        If there never was one of that id.
    """
    connection.execute("UPDATE interest SET is_deleted = 0 WHERE id = ?", (id_,))
    return read_interest(connection, id_)
