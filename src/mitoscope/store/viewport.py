"""The cells in a part of a slide."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx0
from mitoscope.store.encoding import vertices_from, well_formed

# The index holds bounds rounded outward to float32; the join with the exact bounds decides.
_VIEW_SQL = """
SELECT c.id, c.shape, c.x_min_px0, c.y_min_px0, c.x_max_px0, c.y_max_px0, c.z, c.vertices_px0,
       c.shuffle
FROM cell_index AS i CROSS JOIN cell AS c ON c.id = i.cell_id
WHERE i.slide_min <= :slide AND i.slide_max >= :slide
  AND i.x_max >= :x AND i.x_min <= :right AND i.y_max >= :y AND i.y_min <= :bottom
  AND c.slide_id = :slide AND c.is_deleted = 0
  AND c.x_max_px0 >= :x AND c.x_min_px0 < :right AND c.y_max_px0 >= :y AND c.y_min_px0 < :bottom
LIMIT :limit
"""


@dataclass(frozen=True, eq=False)
class View:
    """Live cells in a part of a slide, in the slide's random order.

    Files are at times sorted by class: in their order a blinded rater could read the labels (promise 10).

    Parameters
    ----------
    cell_id, shape, z : ndarray, shape (n,)
        Ids, values of :class:`~mitoscope.store.kinds.Shape`, focal planes.
    bounds_px0 : ndarray of float64, shape (n, 4)
        x_min, y_min, x_max, y_max.
    vertices_px0 : dict of int to ndarray
        Of the polygons, by cell id.
    is_complete : bool
        False where there are more cells than the limit.
    """

    cell_id: NDArray[np.int64]
    shape: NDArray[np.uint8]
    bounds_px0: NDArray[np.float64]
    z: NDArray[np.int64]
    vertices_px0: dict[int, NDArray[np.float64]]
    is_complete: bool


@well_formed()
def cells_in(connection: sqlite3.Connection, slide_id: int, box: BoxPx0, *, limit: int = 5000) -> View:
    """Return the live cells of a slide whose bounds meet a box in level-0 pixels."""
    values = {"slide": slide_id, "x": box.x, "y": box.y, "right": box.right, "bottom": box.bottom}
    rows = connection.execute(_VIEW_SQL, values | {"limit": limit + 1}).fetchall()
    is_complete = len(rows) <= limit
    rows = sorted(rows[:limit], key=lambda row: (row[8], row[0]))
    table = np.array([row[:7] for row in rows], dtype=np.float64).reshape(-1, 7)
    return View(
        cell_id=table[:, 0].astype(np.int64),
        shape=table[:, 1].astype(np.uint8),
        bounds_px0=table[:, 2:6],
        z=table[:, 6].astype(np.int64),
        vertices_px0={row[0]: vertices_from(row[7]) for row in rows if row[7] is not None},
        is_complete=is_complete,
    )
