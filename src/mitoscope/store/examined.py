"""What of each slide was looked at: screened fields, reviewed tiles, regions of interest, a statement."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from mitoscope.errors import RegionError
from mitoscope.region import Region, RegionKind, outline
from mitoscope.store.encoding import vertices_blob, vertices_from, well_formed
from mitoscope.store.vocabulary import id_of
from mitoscope.truth import ExaminedArea

MINIMUM_REVIEWERS = 5
"""A tile counts when at least so many have reviewed it (Ji et al., consensus of the crowd)."""
WHOLE = "the whole slide, as stated in the study"

_FIELDS_SQL = """
SELECT DISTINCT f.slide_id, f.x_px0, f.y_px0, f.x_px0 + f.width_px0, f.y_px0 + f.height_px0
FROM field_visit AS v JOIN field AS f USING (round_id, slide_id, number) WHERE v.is_covered = 1
"""
_TILES_SQL = """
SELECT t.slide_id, t.x_px0, t.y_px0, t.x_px0 + t.side_px0, t.y_px0 + t.side_px0, r.settings,
       count(DISTINCT a.rater_id)
FROM task_tile AS t JOIN tile_answer AS a ON a.tile_id = t.id
LEFT JOIN round_terms AS r ON r.round_id = t.round_id GROUP BY t.id
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

    It is the union of the fields that were covered in a screening, of the tiles that as many have reviewed as
    their round needs, and of the regions of interest; or the whole slide, where that is stated.
    """
    parts: dict[int, dict[str, list[BaseGeometry]]] = {}

    def add(slide: int, source: str, shape: BaseGeometry) -> None:
        parts.setdefault(slide, {}).setdefault(source, []).append(shape)

    for slide, *box in connection.execute(_FIELDS_SQL):
        add(slide, "screened fields", shapely.box(*box))
    for slide, *box, settings, reviewers in connection.execute(_TILES_SQL):
        if reviewers >= needed_reviewers(settings):
            add(slide, "reviewed tiles", shapely.box(*box))
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


def needed_reviewers(settings: str | None) -> int:
    """Return how many must review a tile of a round, from the JSON of its settings."""
    stated: dict[str, Any] = {} if settings is None else json.loads(settings)
    return int(stated.get("minimum_reviewers", MINIMUM_REVIEWERS))


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
