"""The cells of a slide as experts settled them, and as models scored them: from these tiles are chosen."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.encoding import well_formed
from mitoscope.store.opinions import Policy, agreed

_CELLS_SQL = """
SELECT c.slide_id, c.id, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0,
       EXISTS (SELECT 1 FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id
               WHERE n.cell_id = c.id AND n.label_id IS NOT NULL AND r.kind IN ('expert', 'consensus'))
FROM cell AS c WHERE c.is_deleted = 0 ORDER BY c.id
"""
_SCORED_SQL = """
SELECT (c.x_min_px0 + c.x_max_px0) / 2, (c.y_min_px0 + c.y_max_px0) / 2, max(n.score)
FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id AND r.kind = 'model'
JOIN cell AS c ON c.id = n.cell_id AND c.is_deleted = 0
WHERE c.slide_id = ? AND n.score IS NOT NULL GROUP BY c.id ORDER BY c.id
"""


@dataclass(frozen=True, slots=True)
class KnownCell:
    """A live cell: its corners, and the class that experts or a consensus gave it, 0 where there is none."""

    id: int
    corners_px0: tuple[float, float, float, float]
    label_id: int


@well_formed()
def settled_cells(connection: sqlite3.Connection) -> dict[int, list[KnownCell]]:
    """Return all live cells by slide; what a crowd or a model alone says of one is no class here."""
    view = agreed(connection, Policy.SETTLED)
    label_of = dict(zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True))
    found: dict[int, list[KnownCell]] = defaultdict(list)
    for slide, id_, *corners, is_expert in connection.execute(_CELLS_SQL):
        left, top, right, bottom = corners
        label = label_of[id_] if is_expert else 0
        found[slide].append(KnownCell(id_, (left, top, right, bottom), label))
    return found


@well_formed()
def scored_points(connection: sqlite3.Connection, slide_id: int) -> NDArray[np.float64]:
    """Return x, y and the highest score by a model of the live cells of a slide, shape (n, 3)."""
    rows = connection.execute(_SCORED_SQL, (slide_id,)).fetchall()
    return np.array(rows, dtype=np.float64).reshape(-1, 3)
