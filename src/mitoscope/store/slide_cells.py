"""The cells of a slide: where they lie, and how a rater sees them in a round."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx0
from mitoscope.store.columns import Shape
from mitoscope.store.encoding import BOUNDS, id_list, well_formed
from mitoscope.store.searches import last_model
from mitoscope.store.sight import (
    ALONE,
    FOUND_ALONE,
    LAST_VISIBLE_ALONE,
    LAST_VISIBLE_BLINDED,
    LAST_VISIBLE_OPEN,
    OWN,
    PENDING,
    VISIBLE,
    Sight,
)

_CENTRES = """
SELECT c.id, s.name, c.x_min_px0 / 2 + c.x_max_px0 / 2, c.y_min_px0 / 2 + c.y_max_px0 / 2
FROM cell AS c JOIN slide AS s ON s.id = c.slide_id
"""
_ON_SLIDE_SQL = f"{_CENTRES} WHERE c.slide_id = ? AND c.is_deleted = 0"
_AMONG_SQL = f"{_CENTRES} WHERE c.id IN (SELECT value FROM json_each(?)) ORDER BY c.shuffle, c.id"  # noqa: S608


def centres_on(
    connection: sqlite3.Connection, slide_id: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the live cells of a slide, shape (n,), and their centres in level-0 pixels, shape (n, 2)."""
    rows = connection.execute(_ON_SLIDE_SQL, (slide_id,)).fetchall()
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    return ids, np.array([row[2:] for row in rows], dtype=np.float64).reshape(-1, 2)


def centres_of(connection: sqlite3.Connection, cells: Collection[int]) -> dict[int, tuple[str, float, float]]:
    """Return slide and centre in level-0 pixels of cells, in the random order, which tells nothing."""
    rows = connection.execute(_AMONG_SQL, (id_list(cells),))
    return {cell: (slide, x, y) for cell, slide, x, y in rows}


_CELLS_SQL = """
SELECT c.id, c.public_id, c.shape, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, c.is_deleted,
       ifnull(n.label_id, 0) AS label, {pending} AS pending, ifnull({seen}, 0) AS seen
FROM cell AS c
LEFT JOIN label_now AS n ON (n.cell_id, n.rater_id, n.round_id) = (c.id, :speaker, :round)
WHERE c.slide_id = :slide AND {where}
ORDER BY c.shuffle, c.id
LIMIT :limit
"""
_CELL_ROW = np.dtype(
    [
        ("id", np.int64),
        ("public_id", np.int64),
        ("shape", np.int64),
        *((name, np.float64) for name in BOUNDS),
        ("is_deleted", np.bool_),
        ("label", np.int64),
        ("is_pending", np.bool_),
        ("seen", np.int64),
    ]
)
_IN_BOX = """
c.id IN (SELECT i.cell_id FROM cell_index AS i WHERE i.slide_min <= :slide AND i.slide_max >= :slide
         AND i.x_max >= :x AND i.x_min <= :right AND i.y_max >= :y AND i.y_min <= :bottom)
AND c.x_max_px0 >= :x AND c.x_min_px0 < :right AND c.y_max_px0 >= :y AND c.y_min_px0 < :bottom
"""
_FEW = 5000
"""Up to so many cells what was said of them is looked up one by one; beyond, slide by slide."""
_AMONG = "c.id IN (SELECT value FROM json_each(:cells))"
_SPOKEN_SQL = f"""
SELECT n.cell_id, n.label_id, n.rater_id, n.last_seq, r.kind = 'consensus' FROM label_now AS n
JOIN cell AS c ON c.id = n.cell_id JOIN rater AS r ON r.id = n.rater_id
WHERE {{where}} AND n.label_id IS NOT NULL AND r.kind <> 'model' AND NOT {ALONE}
"""  # noqa: S608 constant parts
_SPOKEN_ROW = np.dtype([(name, np.int64) for name in ("cell", "label", "rater", "seq", "is_consensus")])
_SCORES_SQL = """
SELECT n.cell_id, n.score, ifnull(n.label_id, 0) FROM label_now AS n
JOIN cell AS c ON c.id = n.cell_id JOIN rater AS r ON r.id = n.rater_id
WHERE {where} AND n.score IS NOT NULL AND r.kind = 'model' AND (:model IS NULL OR r.id = :model)
"""
_SCORE_ROW = np.dtype([("cell", np.int64), ("score", np.float64), ("label", np.int64)])
_HAS_MODEL_SQL = "SELECT EXISTS (SELECT 1 FROM rater WHERE kind = 'model')"
MAX_CELLS = 1_000_000


@dataclass(frozen=True, eq=False)
class SeenCells:
    """Cells of a slide as a rater sees them, in the slide's random order.

    Parameters
    ----------
    cell_id, public_id, shape, label_id, rater_id, seen : ndarray of int64, shape (n,)
        Ids, ids by which cells are known outside, shapes, the label shown (0: none) and whose it is (0:
        nobody's), and the last visible event.
    bounds_px0 : ndarray of float64, shape (n, 4)
        x_min, y_min, x_max, y_max; both corners the centre in a blinded round.
    is_mine : ndarray of bool, shape (n,)
        Whether the label is the rater's own, given in this round.
    score : ndarray of float64, shape (n,)
        A model's; NaN where there is none or it is not shown.
    model_label : ndarray of int64, shape (n,)
        What that model called the cell (0: nothing, or it is not shown).
    deleted : tuple of int
        Public ids of cells that are gone since the version asked for.
    version : int
        The state that this is: ask for what has changed since.
    is_complete : bool
        False where there were too many.
    """

    cell_id: NDArray[np.int64]
    public_id: NDArray[np.int64]
    shape: NDArray[np.int64]
    label_id: NDArray[np.int64]
    rater_id: NDArray[np.int64]
    seen: NDArray[np.int64]
    bounds_px0: NDArray[np.float64]
    is_mine: NDArray[np.bool_]
    score: NDArray[np.float64]
    model_label: NDArray[np.int64]
    deleted: tuple[int, ...]
    version: int
    is_complete: bool


@well_formed()
def cells_seen(
    connection: sqlite3.Connection,
    sight: Sight,
    slide_id: int,
    *,
    box: BoxPx0 | None = None,
    since: int | None = None,
    limit: int = MAX_CELLS,
) -> SeenCells:
    """Return the cells of a slide as a rater sees them.

    Parameters
    ----------
    sight : Sight
        Who looks, and in which round.
    slide_id : int
        The slide.
    box : BoxPx0, optional
        Only cells whose bounds meet it.
    since : int, optional
        Only cells that changed visibly after this version.
    limit : int
        At most so many.
    """
    values = sight.values() | {"slide": slide_id, "limit": limit + 1}
    where = ["c.is_deleted = 0"] if since is None else [_changed_since(values, since)]
    if sight.own_only:
        where.append(OWN)
    if sight.hides_found:
        where.append(f"NOT {FOUND_ALONE}")
    if box is not None:
        values |= {"x": box.x, "y": box.y, "right": box.right, "bottom": box.bottom}
        where.append(_IN_BOX)
    pending = PENDING if sight.pending else "0"
    last = LAST_VISIBLE_BLINDED if sight.is_blinded else LAST_VISIBLE_OPEN
    if sight.alone and not sight.is_blinded:
        last = LAST_VISIBLE_ALONE
    sql = _CELLS_SQL.format(where=" AND ".join(where), pending=pending, seen=last)
    found = connection.execute(sql, values).fetchall()
    is_complete = len(found) <= limit
    rows = np.fromiter(found[:limit], dtype=_CELL_ROW, count=min(len(found), limit))
    gone = rows["is_deleted"]
    # The last event that the rater sees of them, not the last of the study: that would tell of others' work.
    version = max(since or 0, int(rows["seen"].max(initial=0)))
    return _columns(
        connection,
        sight,
        values,
        rows[~gone],
        deleted=tuple(rows["public_id"][gone].tolist()),
        version=version,
        is_complete=is_complete,
    )


def _changed_since(values: dict[str, Any], since: int) -> str:
    values["since"] = since
    return f"c.id IN (SELECT e.cell_id FROM event AS e WHERE e.seq > :since AND {VISIBLE})"  # noqa: S608


def _columns(
    connection: sqlite3.Connection,
    sight: Sight,
    values: dict[str, Any],
    rows: NDArray[Any],
    *,
    deleted: tuple[int, ...],
    version: int,
    is_complete: bool,
) -> SeenCells:
    cell, shape = rows["id"], rows["shape"].copy()
    bounds = np.stack([rows[name] for name in BOUNDS], axis=1)
    label = rows["label"].copy()
    is_mine = label > 0
    rater = np.where(is_mine, sight.speaker_id, 0)
    score, model_label = np.full(len(rows), np.nan), np.zeros(len(rows), np.int64)
    # Shape and size are of who drew a cell: they stay hidden where the rater is yet to read it blinded.
    bare = rows["is_pending"] | sight.is_blinded
    centre = (bounds[bare, :2] + bounds[bare, 2:]) / 2
    bounds[bare], shape[bare] = np.concatenate([centre, centre], axis=1), int(Shape.SPOT)
    if not sight.is_blinded:
        many = len(rows) > _FEW
        among = "c.slide_id = :slide" if many else _AMONG
        model = last_model(connection, values["slide"])
        values |= {"cells": "" if many else id_list(cell), "model": model}
        score, model_label = _scores(connection, among, values, cell)
        spoken = np.fromiter(connection.execute(_SPOKEN_SQL.format(where=among), values), dtype=_SPOKEN_ROW)
        _show_spoken(spoken, cell, label, rater, hidden=is_mine | rows["is_pending"])
    return SeenCells(
        cell_id=cell,
        public_id=rows["public_id"],
        shape=shape,
        label_id=label,
        rater_id=rater,
        seen=rows["seen"],
        bounds_px0=bounds,
        is_mine=is_mine,
        score=score,
        model_label=model_label,
        deleted=deleted,
        version=version,
        is_complete=is_complete,
    )


def _scores(
    connection: sqlite3.Connection, among: str, values: dict[str, Any], cell: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the score of a model for each cell, NaN where there is none, and the label with it.

    Of the model that searched the slide last, to which the threshold of the slide belongs; where no search is
    known the largest.
    """
    score, label = np.full(len(cell), np.nan), np.zeros(len(cell), np.int64)
    if connection.execute(_HAS_MODEL_SQL).fetchone() == (0,):
        return score, label
    rows = np.fromiter(connection.execute(_SCORES_SQL.format(where=among), values), dtype=_SCORE_ROW)
    rows = rows[np.argsort(rows["score"], kind="stable")]  # of several the largest is written last
    place, is_there = _places(cell, rows["cell"])
    score[place], label[place] = rows["score"][is_there], rows["label"][is_there]
    return score, label


def _show_spoken(
    spoken: NDArray[Any],
    cell: NDArray[np.int64],
    label: NDArray[np.int64],
    rater: NDArray[np.int64],
    *,
    hidden: NDArray[np.bool_],
) -> None:
    """Fill in what others said of cells where it may show, in place.

    The last word of a consensus goes before that of an expert; a model's label shows as a score only.
    """
    spoken = spoken[np.lexsort((spoken["seq"], spoken["is_consensus"]))]  # who has the last word comes last
    place, is_there = _places(cell, spoken["cell"])
    said, who = np.zeros_like(label), np.zeros_like(rater)
    said[place], who[place] = spoken["label"][is_there], spoken["rater"][is_there]
    shown = (said > 0) & ~hidden
    label[shown], rater[shown] = said[shown], who[shown]


def _places(
    cell: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where cells stand in a column of different ones, and which of those wanted stand there."""
    if not len(cell):
        return np.empty(0, np.int64), np.zeros(len(wanted), np.bool_)
    order = np.argsort(cell)
    place = order[np.minimum(np.searchsorted(cell, wanted, sorter=order), len(cell) - 1)]
    is_there = cell[place] == wanted
    return place[is_there], is_there
