"""What of each slide was looked at: screened fields, reviewed tiles, regions of interest, a statement."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from mitoscope.errors import RegionError
from mitoscope.region import Region, RegionKind, outline
from mitoscope.store.crowd import read_crowd_work
from mitoscope.store.encoding import vertices_blob, vertices_from, well_formed
from mitoscope.store.tasks import TaskTile
from mitoscope.store.terms import read_round_row
from mitoscope.store.vocabulary import id_of
from mitoscope.truth import ExaminedArea

MINIMUM_REVIEWERS = 5
"""A tile counts when at least so many have reviewed it (Ji et al., consensus of the crowd)."""
WHOLE = "the whole slide, as stated in the study"

_FIELDS_SQL = """
SELECT DISTINCT f.slide_id, f.x_px0, f.y_px0, f.x_px0 + f.width_px0, f.y_px0 + f.height_px0
FROM field_visit AS v JOIN field AS f USING (round_id, slide_id, number) WHERE v.is_covered = 1
"""
_INTERESTS_SQL = """
SELECT slide_id, name, x_px0, y_px0, width_px0, height_px0 FROM interest WHERE is_deleted = 0 ORDER BY id
"""


def read_outlines(connection: sqlite3.Connection) -> list[tuple[int, str, str, bytes]]:
    """Return slide, kind, name and vertices of all regions, also of boxes placed as regions of interest."""
    drawn = connection.execute("SELECT slide_id, kind, name, vertices_px0 FROM region ORDER BY id").fetchall()
    for slide, name, x, y, width, height in connection.execute(_INTERESTS_SQL):
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        blob = vertices_blob(np.array(corners, dtype=np.float64)) or b""
        drawn.append((slide, str(RegionKind.INTEREST), name, blob))
    return drawn


@well_formed()
def examined_areas(connection: sqlite3.Connection) -> dict[int, ExaminedArea]:
    """Return what of each slide was looked at, by its id; slides of which nothing is known are left out.

    It is the union of the fields that were covered in a screening, of the tiles that as many of the qualified
    have reviewed as their round needs, and of the regions of interest; or the whole slide, where that is
    stated. A yes says of a tile that there is a figure, not where: such a tile is no examined area.
    """
    parts: dict[int, dict[str, list[BaseGeometry]]] = {}

    def add(slide: int, source: str, shape: BaseGeometry) -> None:
        parts.setdefault(slide, {}).setdefault(source, []).append(shape)

    for slide, *box in connection.execute(_FIELDS_SQL):
        add(slide, "screened fields", shapely.box(*box))
    for tile in _reviewed_tiles(connection):
        right, bottom = tile.x_px0 + tile.side_px0, tile.y_px0 + tile.side_px0
        add(tile.slide_id, "reviewed tiles", shapely.box(tile.x_px0, tile.y_px0, right, bottom))
    for slide, kind, _, blob in read_outlines(connection):
        if kind == RegionKind.INTEREST:
            try:
                add(slide, "regions of interest", outline(vertices_from(blob)))
            except RegionError:
                continue  # an outline that cannot be used is refused where the regions are read
    areas = {
        slide: ExaminedArea(
            Region(shapely.union_all([shape for shapes in of.values() for shape in shapes]), "examined"),
            " and ".join(of),
        )
        for slide, of in parts.items()
    }
    stated = connection.execute("SELECT id, examined FROM slide WHERE examined IS NOT NULL")
    return areas | {slide: ExaminedArea.whole(source) for slide, source in stated}


def _reviewed_tiles(connection: sqlite3.Connection) -> list[TaskTile]:
    found: list[TaskTile] = []
    rounds = [round_id for (round_id,) in connection.execute("SELECT DISTINCT round_id FROM task_tile")]
    for round_id in rounds:
        work = read_crowd_work(connection, round_id)
        needed = needed_reviewers(read_round_row(connection, round_id).terms.settings)
        reviewers: Counter[int] = Counter(answer.tile_id for answer in work.counting)
        positive = {answer.tile_id for answer in work.counting if answer.content.get("answer")}
        found += [tile for tile in work.tiles if reviewers[tile.id] >= needed and tile.id not in positive]
    return found


def needed_reviewers(settings: Mapping[str, Any]) -> int:
    """Return how many must review a tile of a round with some settings."""
    return int(settings.get("minimum_reviewers", MINIMUM_REVIEWERS))


def state_whole(
    connection: sqlite3.Connection, slides: Collection[str] = (), *, is_whole: bool = True
) -> int:
    """State of some slides, or of all, that they were looked at as a whole, or take it back.

    Returns
    -------
    int
        Number of slides.

    Raises
    ------
    StoreError
        If there is no slide of a name.
    """
    known = [id_ for (id_,) in connection.execute("SELECT id FROM slide")]
    ids = [id_of(connection, "slide", name) for name in slides] or known
    value = WHOLE if is_whole else None
    connection.executemany("UPDATE slide SET examined = ? WHERE id = ?", [(value, id_) for id_ in ids])
    return len(ids)
