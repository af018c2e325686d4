"""What a version holds, cell by cell, as it was when it was frozen."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mitoscope.store.encoding import vertices_from, well_formed
from mitoscope.store.kinds import Shape

# The bare columns are those of the row with the maximum (SQLite's rule for a single max).
_PLACES_SQL = """
SELECT e.cell_id, c.slide_id, e.shape, e.x_min_px0, e.y_min_px0, e.x_max_px0, e.y_max_px0, c.z,
       e.vertices_px0, max(e.seq)
FROM event AS e JOIN cell AS c ON c.id = e.cell_id
WHERE e.kind IN ('create', 'move') AND e.seq <= ? GROUP BY e.cell_id ORDER BY e.cell_id
"""


@dataclass(frozen=True, slots=True)
class FrozenCell:
    """A cell of a version.

    Parameters
    ----------
    cell_id : int
        In the store.
    slide, label : str
        Names.
    shape : Shape
        Spot, box, circle or polygon.
    bounds_px0 : tuple of float
        x_min, y_min, x_max, y_max in level-0 pixels, at the time of the freeze.
    z : int
        Focal plane.
    vertices_px0 : bytes, optional
        Of a polygon, as the store keeps them.
    """

    cell_id: int
    slide: str
    label: str
    shape: Shape
    bounds_px0: tuple[float, float, float, float]
    z: int = 0
    vertices_px0: bytes | None = None

    @property
    def centre_px0(self) -> tuple[float, float]:
        """Centre of the bounds in level-0 pixels."""
        x_min, y_min, x_max, y_max = self.bounds_px0
        return x_min / 2 + x_max / 2, y_min / 2 + y_max / 2

    def line(self) -> str:
        """Return the cell as one line of JSON, without its number: one cell, one line, in any store."""
        vertices = None if self.vertices_px0 is None else vertices_from(self.vertices_px0).tolist()
        return json.dumps([self.slide, self.label, int(self.shape), self.bounds_px0, self.z, vertices])


@well_formed()
def frozen_cells(
    connection: sqlite3.Connection,
    labels: Mapping[int, int],
    *,
    seq: int,
    slide_names: Mapping[int, str],
    label_names: Mapping[int, str],
) -> tuple[FrozenCell, ...]:
    """Return cells under their labels, at the place they had after an event.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    labels : mapping of int to int
        Cell id → label id.
    seq : int
        The last event that counts; later moves do not.
    slide_names, label_names : mapping of int to str
        By id.
    """
    return tuple(
        FrozenCell(
            cell, slide_names[slide], label_names[labels[cell]], Shape(shape), tuple(bounds), z, vertices
        )
        for cell, slide, shape, *bounds, z, vertices, _ in connection.execute(_PLACES_SQL, (seq,))
        if cell in labels
    )


def content_hash(cells: Iterable[FrozenCell], split: Mapping[str, str | None]) -> str:
    """Return the SHA-256 over the lines of all cells and the split, sorted: 64 hexadecimal digits.

    Two stores with the same cells under the same classes have the same hash, whatever their numbers.
    """
    lines = sorted(cell.line() for cell in cells)
    lines += [json.dumps([slide, side]) for slide, side in sorted(split.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
