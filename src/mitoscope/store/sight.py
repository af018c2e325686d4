"""What a rater sees of the cells in a round: the one place where blinding is decided (promise 10).

In a blinded round a rater sees where cells are, and of labels only the own ones of that round. Shape and size
of a cell come from whoever drew it and stay hidden too. A rater who is still to read a cell blinded somewhere
does not see in any other round what others said of it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import StoreError
from mitoscope.geometry import BoxPx0
from mitoscope.store.encoding import vertices_from, well_formed
from mitoscope.store.kinds import RoundKind, Shape
from mitoscope.store.terms import RoundRow, read_round_rows

_VISIBLE = """
(e.kind <> 'label' OR (e.rater_id = :speaker AND e.round_id = :round) OR NOT :blinded)
"""
# Cells that the rater is yet to read in another, blinded round.
_PENDING = """
EXISTS (SELECT 1 FROM json_each(:pending) AS p JOIN round AS r ON r.id = p.value
        WHERE (r.is_listed = 0 OR EXISTS (SELECT 1 FROM round_cell AS l
                                          WHERE l.cell_id = c.id AND l.round_id = r.id))
          AND NOT EXISTS (SELECT 1 FROM label_now AS n WHERE n.label_id IS NOT NULL
                          AND (n.cell_id, n.rater_id, n.round_id) = (c.id, :rater, r.id)))
"""
_OWN = """
(EXISTS (SELECT 1 FROM event AS e WHERE e.cell_id = c.id AND e.kind = 'create'
         AND e.rater_id = :speaker AND e.round_id = :round)
 OR EXISTS (SELECT 1 FROM label_now AS n
            WHERE (n.cell_id, n.rater_id, n.round_id) = (c.id, :speaker, :round)))
"""
_CELLS_SQL = """
SELECT c.id, c.shape, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, c.is_deleted,
       ifnull(n.label_id, 0) AS label, {pending} AS pending, ifnull({seen}, 0) AS seen
FROM cell AS c
LEFT JOIN label_now AS n ON (n.cell_id, n.rater_id, n.round_id) = (c.id, :speaker, :round)
WHERE c.slide_id = :slide AND {where}
ORDER BY c.shuffle, c.id
LIMIT :limit
"""
_BOUNDS = ("x_min_px0", "y_min_px0", "x_max_px0", "y_max_px0")
_CELL_ROW = np.dtype(
    [
        ("id", np.int64),
        ("shape", np.int64),
        *((name, np.float64) for name in _BOUNDS),
        ("is_deleted", np.bool_),
        ("label", np.int64),
        ("is_pending", np.bool_),
        ("seen", np.int64),
    ]
)
# The last visible event of a cell; of the rater's own labels the table of present labels knows the last.
_SEEN_OPEN = "(SELECT max(e.seq) FROM event AS e WHERE e.cell_id = c.id)"
_SEEN_BLINDED = """
max(ifnull(n.last_seq, 0),
    (SELECT ifnull(max(e.seq), 0) FROM event AS e WHERE e.cell_id = c.id AND e.kind <> 'label'))
"""
_IN_BOX = """
c.id IN (SELECT i.cell_id FROM cell_index AS i WHERE i.slide_min <= :slide AND i.slide_max >= :slide
         AND i.x_max >= :x AND i.x_min <= :right AND i.y_max >= :y AND i.y_min <= :bottom)
AND c.x_max_px0 >= :x AND c.x_min_px0 < :right AND c.y_max_px0 >= :y AND c.y_min_px0 < :bottom
"""
_FEW = 5000
"""Up to so many cells what was said of them is looked up one by one; beyond, slide by slide."""
_AMONG = "c.id IN (SELECT value FROM json_each(:cells))"
_SPOKEN_SQL = """
SELECT n.cell_id, n.label_id, n.rater_id, n.last_seq, r.kind = 'consensus' FROM label_now AS n
JOIN cell AS c ON c.id = n.cell_id JOIN rater AS r ON r.id = n.rater_id
WHERE {where} AND n.label_id IS NOT NULL AND r.kind <> 'model'
"""
_SPOKEN_ROW = np.dtype([(name, np.int64) for name in ("cell", "label", "rater", "seq", "is_consensus")])
_SCORES_SQL = """
SELECT n.cell_id, n.score FROM label_now AS n
JOIN cell AS c ON c.id = n.cell_id JOIN rater AS r ON r.id = n.rater_id
WHERE {where} AND n.score IS NOT NULL AND r.kind = 'model'
"""
_SCORE_ROW = np.dtype([("cell", np.int64), ("score", np.float64)])
_HAS_MODEL_SQL = "SELECT EXISTS (SELECT 1 FROM rater WHERE kind = 'model')"
_OTHERS_SQL = f"""
SELECT n.rater_id, w.name, n.label_id, r.name,
       (SELECT time_s FROM event WHERE seq = n.last_seq)
FROM label_now AS n JOIN rater AS w ON w.id = n.rater_id JOIN round AS r ON r.id = n.round_id
JOIN cell AS c ON c.id = n.cell_id
WHERE n.cell_id = :cell AND n.label_id IS NOT NULL AND w.kind <> 'model'
  AND NOT (n.rater_id = :speaker AND n.round_id = :round) AND NOT {_PENDING}
ORDER BY n.first_seq
"""  # noqa: S608 constant parts
MAX_CELLS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sight:
    """How a rater looks at the cells in a round.

    Parameters
    ----------
    rater_id, round_id : int
        Who, and in which round.
    speaker_id : int
        In whose name labels are given there: the rater, or a consensus.
    is_blinded : bool
        Whether the labels of others are hidden.
    shows_labels : bool
        Whether a single cell comes with what others said.
    own_only : bool
        Whether only cells show that the rater made or labelled there.
    pending : tuple of int
        Other rounds in which the rater is yet to read blinded.
    """

    rater_id: int
    round_id: int
    speaker_id: int
    is_blinded: bool
    shows_labels: bool
    own_only: bool
    pending: tuple[int, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return the parameters of the queries."""
        return {
            "rater": self.rater_id,
            "speaker": self.speaker_id,
            "round": self.round_id,
            "blinded": int(self.is_blinded),
            "pending": json.dumps(list(self.pending)),
        }


@dataclass(frozen=True, eq=False)
class SeenCells:
    """Cells of a slide as a rater sees them, in the slide's random order.

    Parameters
    ----------
    cell_id, shape, label_id, rater_id, seen : ndarray of int64, shape (n,)
        Ids, shapes, the label shown (0: none) and whose it is (0: nobody's), and the last visible event.
    bounds_px0 : ndarray of float64, shape (n, 4)
        x_min, y_min, x_max, y_max; both corners the centre in a blinded round.
    is_mine : ndarray of bool, shape (n,)
        Whether the label is the rater's own, given in this round.
    score : ndarray of float64, shape (n,)
        A model's; NaN where there is none or it is not shown.
    deleted : tuple of int
        Cells that are gone since the version asked for.
    version : int
        The state that this is: ask for what has changed since.
    is_complete : bool
        False where there were too many.
    """

    cell_id: NDArray[np.int64]
    shape: NDArray[np.int64]
    label_id: NDArray[np.int64]
    rater_id: NDArray[np.int64]
    seen: NDArray[np.int64]
    bounds_px0: NDArray[np.float64]
    is_mine: NDArray[np.bool_]
    score: NDArray[np.float64]
    deleted: tuple[int, ...]
    version: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class OtherLabel:
    """What somebody else said of a cell."""

    rater_id: int
    rater: str
    label_id: int
    round: str
    time_s: float | None


def sight_of(connection: sqlite3.Connection, row: RoundRow, rater_id: int, *, speaker_id: int) -> Sight:
    """Return how a rater looks at cells in a round."""
    return Sight(
        rater_id=rater_id,
        round_id=row.id,
        speaker_id=speaker_id,
        is_blinded=row.is_blinded,
        shows_labels=row.terms.shows_labels,
        own_only=row.terms.shows_cells == "own",
        pending=tuple(one for one in blinded_rounds(connection, rater_id) if one != row.id),
    )


def blinded_rounds(connection: sqlite3.Connection, rater_id: int) -> list[int]:
    """Return the open rounds in which a rater reads cells of others without their labels."""
    mine = {
        one
        for (one,) in connection.execute("SELECT round_id FROM assignment WHERE rater_id = ?", (rater_id,))
    }
    rows = read_round_rows(connection)
    return [
        id_
        for id_, row in rows.items()
        if id_ in mine and row.is_blinded and row.terms.is_open and row.terms.shows_cells == "all"
    ]


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
    connection : sqlite3.Connection
        Of the store.
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
        where.append(_OWN)
    if box is not None:
        values |= {"x": box.x, "y": box.y, "right": box.right, "bottom": box.bottom}
        where.append(_IN_BOX)
    pending = _PENDING if sight.pending else "0"
    last = _SEEN_BLINDED if sight.is_blinded else _SEEN_OPEN
    sql = _CELLS_SQL.format(where=" AND ".join(where), pending=pending, seen=last)
    (version,) = connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()
    found = connection.execute(sql, values).fetchall()
    is_complete = len(found) <= limit
    rows = np.fromiter(found[:limit], dtype=_CELL_ROW, count=min(len(found), limit))
    gone = rows["is_deleted"]
    return _columns(
        connection,
        sight,
        values,
        rows[~gone],
        deleted=tuple(rows["id"][gone].tolist()),
        version=version,
        is_complete=is_complete,
    )


def _changed_since(values: dict[str, Any], since: int) -> str:
    values["since"] = since
    return f"c.id IN (SELECT e.cell_id FROM event AS e WHERE e.seq > :since AND {_VISIBLE})"  # noqa: S608


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
    cell, shape = rows["id"], rows["shape"]
    bounds = np.stack([rows[name] for name in _BOUNDS], axis=1)
    label = rows["label"].copy()
    is_mine = label > 0
    rater = np.where(is_mine, sight.speaker_id, 0)
    score = np.full(len(rows), np.nan)
    if sight.is_blinded:
        centre = (bounds[:, :2] + bounds[:, 2:]) / 2
        bounds, shape = np.concatenate([centre, centre], axis=1), np.full(len(rows), int(Shape.SPOT))
    else:
        many = len(rows) > _FEW
        among = "c.slide_id = :slide" if many else _AMONG
        values |= {"cells": "" if many else json.dumps(cell.tolist())}
        score = _scores(connection, among, values, cell)
        spoken = np.fromiter(connection.execute(_SPOKEN_SQL.format(where=among), values), dtype=_SPOKEN_ROW)
        _show_spoken(spoken, cell, label, rater, hidden=is_mine | rows["is_pending"])
    return SeenCells(
        cell_id=cell,
        shape=shape,
        label_id=label,
        rater_id=rater,
        seen=rows["seen"],
        bounds_px0=bounds,
        is_mine=is_mine,
        score=score,
        deleted=deleted,
        version=version,
        is_complete=is_complete,
    )


def _scores(
    connection: sqlite3.Connection, among: str, values: dict[str, Any], cell: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the largest score of a model for each cell, NaN where there is none."""
    score = np.full(len(cell), np.nan)
    if connection.execute(_HAS_MODEL_SQL).fetchone() == (0,):
        return score
    rows = np.fromiter(connection.execute(_SCORES_SQL.format(where=among), values), dtype=_SCORE_ROW)
    rows = rows[np.argsort(rows["score"], kind="stable")]  # of several the largest is written last
    place, is_there = _places(cell, rows["cell"])
    score[place] = rows["score"][is_there]
    return score


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


@dataclass(frozen=True, eq=False)
class SeenCell:
    """One cell as a rater sees it; see :class:`SeenCells`."""

    cell_id: int
    slide_id: int
    shape: int
    bounds_px0: tuple[float, float, float, float]
    vertices_px0: NDArray[np.float64] | None
    is_deleted: bool
    label_id: int
    score: float | None
    seen: int
    others: tuple[OtherLabel, ...]


_CELL_SQL = """
SELECT c.slide_id, c.shape, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, c.vertices_px0, c.is_deleted,
       n.label_id,
       (SELECT max(m.score) FROM label_now AS m JOIN rater AS r ON r.id = m.rater_id AND r.kind = 'model'
        WHERE m.cell_id = c.id)
FROM cell AS c
LEFT JOIN label_now AS n ON (n.cell_id, n.rater_id, n.round_id) = (c.id, :speaker, :round)
WHERE c.id = :cell
"""


@well_formed()
def cell_seen(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> SeenCell:
    """Return one cell as a rater sees it.

    Raises
    ------
    StoreError
        If there is no such cell, or the rater does not see it in this round.
    """
    values = sight.values() | {"cell": cell_id}
    row = connection.execute(_CELL_SQL, values).fetchone()
    if row is None or (sight.own_only and not is_own(connection, sight, cell_id)):
        raise StoreError("no such cell", where="cell", mend="read the cells again")
    slide, shape, x_min, y_min, x_max, y_max, vertices, is_deleted, label, score = row
    sql = f"SELECT ifnull(max(seq), 0) FROM event AS e WHERE cell_id = :cell AND {_VISIBLE}"  # noqa: S608
    (seen,) = connection.execute(sql, values).fetchone()
    if sight.is_blinded:
        x, y = (x_min + x_max) / 2, (y_min + y_max) / 2
        shape, x_min, y_min, x_max, y_max, vertices, score = int(Shape.SPOT), x, y, x, y, None, None
    others = connection.execute(_OTHERS_SQL, values).fetchall() if sight.shows_labels else []
    return SeenCell(
        cell_id=cell_id,
        slide_id=slide,
        shape=shape,
        bounds_px0=(x_min, y_min, x_max, y_max),
        vertices_px0=None if vertices is None else vertices_from(vertices),
        is_deleted=bool(is_deleted),
        label_id=label or 0,
        score=score,
        seen=seen,
        others=tuple(OtherLabel(*one) for one in others),
    )


def is_own(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> bool:
    """Whether a rater made or labelled a cell in the round."""
    sql = f"SELECT 1 FROM cell AS c WHERE c.id = :cell AND {_OWN}"  # noqa: S608 constant parts
    return connection.execute(sql, sight.values() | {"cell": cell_id}).fetchone() is not None


def is_made_by(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> bool:
    """Whether a rater made a cell, in any round."""
    sql = "SELECT 1 FROM event WHERE cell_id = ? AND kind = 'create' AND rater_id IN (?, ?)"
    row = connection.execute(sql, (cell_id, sight.rater_id, sight.speaker_id)).fetchone()
    return row is not None


def takes(connection: sqlite3.Connection, row: RoundRow, cell_id: int) -> bool:
    """Whether a cell belongs to a round: it is on its list, or the round covers all cells of its slides."""
    if row.is_listed and row.kind is not RoundKind.UNSTATED:
        sql = "SELECT 1 FROM round_cell WHERE (cell_id, round_id) = (?, ?)"
        return connection.execute(sql, (cell_id, row.id)).fetchone() is not None
    slide = connection.execute("SELECT slide_id FROM cell WHERE id = ?", (cell_id,)).fetchone()
    return slide is not None and (row.terms.slides is None or slide[0] in row.terms.slides)
