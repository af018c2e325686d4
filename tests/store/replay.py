"""The history of a store, replayed from its events: the reference for what it keeps (promise 11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mitoscope.store import Shape, Store


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell at one time."""

    shape: Shape
    bounds_px0: tuple[float, float, float, float]
    vertices_px0: bytes | None
    is_deleted: bool = False


@dataclass(slots=True)
class Snapshot:
    """The state of all cells and labels after an event.

    Parameters
    ----------
    cells : dict
        Cell id → its state.
    labels : dict
        (cell, rater, round) → label id, or None for "unknown" or withdrawn.
    """

    cells: dict[int, CellState] = field(default_factory=dict)
    labels: dict[tuple[int, int, int], int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the history of a cell."""

    seq: int
    kind: str
    rater_id: int | None
    round_id: int | None
    label_id: int | None
    time_s: float | None
    score: float | None
    seconds: float | None


_REPLAY_SQL = """
SELECT kind, cell_id, rater_id, round_id, label_id, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0,
       vertices_px0
FROM event WHERE seq <= ? ORDER BY seq
"""


def snapshot(store: Store, seq: int) -> Snapshot:
    """Return the state after an event, replaying the first ``seq`` events."""
    state = Snapshot()
    with store.reading() as connection:
        for kind, cell_id, *rest in connection.execute(_REPLAY_SQL, (seq,)):
            _replay(state, kind, cell_id, rest)
    return state


def _replay(state: Snapshot, kind: str, cell_id: int, rest: list[Any]) -> None:
    rater_id, round_id, label_id, shape, x_min, y_min, x_max, y_max, vertices = rest
    if kind == "label":
        state.labels[cell_id, rater_id, round_id] = label_id
        return
    if kind in ("create", "move"):
        state.cells[cell_id] = CellState(Shape(shape), (x_min, y_min, x_max, y_max), vertices)
        return
    cell = state.cells[cell_id]
    is_deleted = kind == "delete"
    state.cells[cell_id] = CellState(cell.shape, cell.bounds_px0, cell.vertices_px0, is_deleted)


def present(store: Store) -> Snapshot:
    """Return the present state, from the tables that are kept beside the events."""
    columns = "id, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0, vertices_px0, is_deleted"
    with store.reading() as connection:
        cells = connection.execute(f"SELECT {columns} FROM cell").fetchall()
        labels = connection.execute("SELECT cell_id, rater_id, round_id, label_id FROM label_now").fetchall()
    return Snapshot(
        {
            id_: CellState(Shape(shape), (x_min, y_min, x_max, y_max), vertices, bool(is_deleted))
            for id_, shape, x_min, y_min, x_max, y_max, vertices, is_deleted in cells
        },
        {(cell, rater, round_): label for cell, rater, round_, label in labels},
    )


def last_seq(store: Store) -> int:
    """Return the number of the last event; 0 where there is none."""
    with store.reading() as connection:
        return int(connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()[0])


def events_of(store: Store, cell_id: int) -> list[Event]:
    """Return the events of a cell in order."""
    columns = "seq, kind, rater_id, round_id, label_id, time_s, score, seconds"
    with store.reading() as connection:
        rows = connection.execute(f"SELECT {columns} FROM event WHERE cell_id = ? ORDER BY seq", (cell_id,))
        return [Event(*row) for row in rows]
