"""One cell as a rater sees it in a round."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.columns import Shape
from mitoscope.store.encoding import vertices_from, well_formed
from mitoscope.store.sight import ALONE, PENDING, Sight, last_seen, no_such_cell, shows

_OTHERS_SQL = f"""
SELECT n.rater_id, w.name, n.label_id, r.name,
       (SELECT time_s FROM event WHERE seq = n.last_seq)
FROM label_now AS n JOIN rater AS w ON w.id = n.rater_id JOIN round AS r ON r.id = n.round_id
JOIN cell AS c ON c.id = n.cell_id
WHERE n.cell_id = :cell AND n.label_id IS NOT NULL AND w.kind <> 'model'
  AND NOT (n.rater_id = :speaker AND n.round_id = :round) AND NOT {PENDING} AND NOT {ALONE}
ORDER BY n.first_seq
"""  # noqa: S608 constant parts
_CELL_SQL = f"""
SELECT c.public_id, c.slide_id, c.shape, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, c.vertices_px0,
       c.is_deleted, n.label_id, {PENDING},
       (SELECT max(m.score) FROM label_now AS m JOIN rater AS r ON r.id = m.rater_id AND r.kind = 'model'
        WHERE m.cell_id = c.id)
FROM cell AS c
LEFT JOIN label_now AS n ON (n.cell_id, n.rater_id, n.round_id) = (c.id, :speaker, :round)
WHERE c.id = :cell
"""  # noqa: S608 constant parts


@dataclass(frozen=True, slots=True)
class OtherLabel:
    """What somebody else said of a cell."""

    rater_id: int
    rater: str
    label_id: int
    round: str
    time_s: float | None


@dataclass(frozen=True, eq=False)
class SeenCell:
    """One cell as a rater sees it; see :class:`mitoscope.store.slide_cells.SeenCells`."""

    cell_id: int
    public_id: int
    slide_id: int
    shape: int
    bounds_px0: tuple[float, float, float, float]
    vertices_px0: NDArray[np.float64] | None
    is_deleted: bool
    label_id: int
    score: float | None
    seen: int
    others: tuple[OtherLabel, ...]

    @property
    def centre_px0(self) -> tuple[float, float]:
        """The middle of its bounds."""
        x_min, y_min, x_max, y_max = self.bounds_px0
        return (x_min + x_max) / 2, (y_min + y_max) / 2


@well_formed()
def cell_seen(connection: sqlite3.Connection, sight: Sight, cell_id: int) -> SeenCell:
    """Return one cell as a rater sees it.

    Raises
    ------
    NotFoundError
        If there is no such cell, or the rater does not see it in this round.
    """
    values = sight.values() | {"cell": cell_id}
    row = connection.execute(_CELL_SQL, values).fetchone()
    if row is None or not shows(connection, sight, cell_id):
        raise no_such_cell()
    public_id, slide, shape, *bounds, vertices, is_deleted, label, is_pending, score = row
    x_min, y_min, x_max, y_max = bounds
    if sight.is_blinded or is_pending:
        x, y = (x_min + x_max) / 2, (y_min + y_max) / 2
        shape, x_min, y_min, x_max, y_max, vertices = int(Shape.SPOT), x, y, x, y, None
    if sight.is_blinded:
        score = None
    others = connection.execute(_OTHERS_SQL, values).fetchall() if sight.shows_labels else []
    return SeenCell(
        cell_id=cell_id,
        public_id=public_id,
        slide_id=slide,
        shape=shape,
        bounds_px0=(x_min, y_min, x_max, y_max),
        vertices_px0=None if vertices is None else vertices_from(vertices),
        is_deleted=bool(is_deleted),
        label_id=label or 0,
        score=score,
        seen=last_seen(connection, values),
        others=tuple(OtherLabel(*other) for other in others),
    )
