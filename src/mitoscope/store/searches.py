"""What models searched: for each slide the threshold, the part and the gaps that its candidates came with.

A count needs them: candidates are figures above the threshold of their search, and where nothing could be
read the number is not known.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import shapely

from mitoscope.detections import NOT_STATED, Searched
from mitoscope.geometry import BoxPx0
from mitoscope.region import Region
from mitoscope.store.encoding import put, well_formed
from mitoscope.store.records import ModelSearch


def write_search(connection: sqlite3.Connection, slide_id: int, rater_id: int, searched: Searched) -> None:
    """Keep what a model searched on a slide, in place of an earlier search by the same model.

    Parameters
    ----------
    slide_id, rater_id : int
        The slide, and the model as a rater.
    searched : Searched
        What the detections carry; nothing is kept where they carry nothing.
    """
    if searched == NOT_STATED:
        return
    region = searched.region
    put(
        connection,
        "search",
        *("slide_id", "rater_id"),
        slide_id=slide_id,
        rater_id=rater_id,
        threshold=searched.threshold,
        is_calibrated=searched.calibrated,
        colour_doubt=searched.colour_doubt,
        region=None if region is None else shapely.to_wkt(region.shape, rounding_precision=-1),
        gaps=json.dumps([[gap.x, gap.y, gap.width, gap.height] for gap in searched.gaps]),
        origin=searched.origin,
        time_s=time.time(),
    )


_SEARCH = "SELECT threshold, is_calibrated, region, gaps, origin, colour_doubt"


@well_formed()
def read_search(connection: sqlite3.Connection, slide_id: int) -> Searched:
    """Return what was searched on a slide; of several models the last.

    Scale and size are left to the slide. Nothing is stated where no model's search is known.
    """
    row = connection.execute(
        f"{_SEARCH} FROM search WHERE slide_id = ? ORDER BY time_s DESC, rater_id DESC LIMIT 1", (slide_id,)
    ).fetchone()
    return NOT_STATED if row is None else _searched(row)


@well_formed()
def read_searches(connection: sqlite3.Connection, slides: Sequence[str]) -> list[ModelSearch]:
    """Return what models searched on some slides, by name, in the order in which it was kept."""
    wanted = set(slides)
    rows = connection.execute(
        f"{_SEARCH}, slide.name, rater.name FROM search JOIN slide ON slide.id = search.slide_id "
        "JOIN rater ON rater.id = search.rater_id ORDER BY search.time_s, search.rater_id"
    )
    return [ModelSearch(slide, rater, _searched(row)) for *row, slide, rater in rows if slide in wanted]


def last_model(connection: sqlite3.Connection, slide_id: int) -> int | None:
    """Return the rater id of the model that searched a slide last; None where no search is known."""
    row = connection.execute(
        "SELECT rater_id FROM search WHERE slide_id = ? ORDER BY time_s DESC, rater_id DESC LIMIT 1",
        (slide_id,),
    ).fetchone()
    return None if row is None else int(row[0])


_CANDIDATES_SQL = """
SELECT n.cell_id, n.label_id, n.score, EXISTS (
    SELECT 1 FROM label_now AS o JOIN rater AS r ON r.id = o.rater_id
    WHERE o.cell_id = n.cell_id AND o.label_id IS NOT NULL AND r.kind <> 'model')
FROM label_now AS n JOIN cell AS c ON c.id = n.cell_id
WHERE c.slide_id = ? AND c.is_deleted = 0 AND n.rater_id = ?
      AND n.score IS NOT NULL AND n.label_id IS NOT NULL
ORDER BY n.cell_id, n.last_seq
"""


class SearchedCell(NamedTuple):
    """What a model says of a cell, and whether a person has labelled it."""

    label_id: int
    score: float
    is_labelled: bool


def searched_cells(connection: sqlite3.Connection, slide_id: int, rater_id: int) -> dict[int, SearchedCell]:
    """Return the live cells of a slide to which a model gives a score, by their ids; of several the last."""
    rows = connection.execute(_CANDIDATES_SQL, (slide_id, rater_id))
    return {cell: SearchedCell(label, score, bool(labelled)) for cell, label, score, labelled in rows}


_UNASKED_SQL = """
SELECT c.id FROM cell AS c WHERE c.slide_id = ? AND c.is_deleted = 0
  AND EXISTS (SELECT 1 FROM label_now AS n WHERE n.cell_id = c.id)
  AND NOT EXISTS (SELECT 1 FROM round_cell AS r WHERE r.cell_id = c.id)
  AND NOT EXISTS (SELECT 1 FROM label_now AS n JOIN rater AS w ON w.id = n.rater_id
                  WHERE n.cell_id = c.id AND w.kind <> 'model')
"""


def unasked_on(connection: sqlite3.Connection, slide_id: int) -> list[int]:
    """Return the cells of a slide of which only models speak, and about which no round asks anybody."""
    return [cell for (cell,) in connection.execute(_UNASKED_SQL, (slide_id,))]


def _searched(row: Sequence[Any]) -> Searched:
    threshold, is_calibrated, region, gaps, origin, colour_doubt = row
    return Searched(
        threshold=threshold,
        region=None if region is None else Region(shapely.from_wkt(region), "searched"),
        gaps=tuple(BoxPx0(*gap) for gap in json.loads(gaps)),
        calibrated=None if is_calibrated is None else bool(is_calibrated),
        colour_doubt=colour_doubt,
        origin=origin,
    )
