"""Where cells lie: centres for boards, crops and candidates."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

_CENTRES = """
SELECT c.id, s.name, c.x_min_px0 / 2 + c.x_max_px0 / 2, c.y_min_px0 / 2 + c.y_max_px0 / 2
FROM cell AS c JOIN slide AS s ON s.id = c.slide_id
"""
_ON_SLIDE_SQL = f"{_CENTRES} WHERE c.slide_id = ? AND c.is_deleted = 0"
_AMONG_SQL = f"{_CENTRES} WHERE c.id IN (SELECT value FROM json_each(?)) ORDER BY c.shuffle, c.id"  # noqa: S608


def centres_on(connection: sqlite3.Connection, slide_id: int) -> NDArray[np.float64]:
    """Return the centres of the live cells of a slide in level-0 pixels, shape (n, 2)."""
    rows = connection.execute(_ON_SLIDE_SQL, (slide_id,))
    return np.array([row[2:] for row in rows], dtype=np.float64).reshape(-1, 2)


def centres_of(connection: sqlite3.Connection, cells: Collection[int]) -> dict[int, tuple[str, float, float]]:
    """Return slide and centre in level-0 pixels of cells, in the random order, which tells nothing."""
    rows = connection.execute(_AMONG_SQL, (json.dumps([int(cell) for cell in cells]),))
    return {cell: (slide, x, y) for cell, slide, x, y in rows}
