"""What a rater does to cells: each action is one event, with what follows from it in the same transaction."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import ConflictError, FormatError, KeyReusedError, NotFoundError, StoreError
from mitoscope.geometry import SizePx
from mitoscope.store import present
from mitoscope.store.columns import Shape
from mitoscope.store.encoding import GEOMETRY, attributes_text, exists, insert, vertices_blob
from mitoscope.store.sight import last_visible

ENTERED_BY = "mitoscope.entered_by"
"""Attribute of an event: who was at the keyboard."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The geometry of one cell in level-0 pixels.

    Parameters
    ----------
    shape : Shape
        Spot, box, circle or polygon.
    bounds_px0 : tuple of float
        x_min, y_min, x_max, y_max; both corners of a spot are the point.
    vertices_px0 : ndarray of float64, shape (k, 2), optional
        Of a polygon, not closed.
    """

    shape: Shape
    bounds_px0: tuple[float, float, float, float]
    vertices_px0: NDArray[np.float64] | None = None

    @classmethod
    def spot(cls, x_px0: float, y_px0: float) -> Geometry:
        """Return a point."""
        return cls(Shape.SPOT, (x_px0, y_px0, x_px0, y_px0))

    @classmethod
    def polygon(cls, vertices_px0: ArrayLike) -> Geometry:
        """Return a polygon with the bounds of its vertices, shape (k, 2)."""
        vertices = np.array(vertices_px0, dtype=np.float64).reshape(-1, 2)
        if len(vertices) < 3:
            raise FormatError(f"a polygon of {len(vertices)} vertices", mend="give at least 3")
        (x_min, y_min), (x_max, y_max) = vertices.min(axis=0).tolist(), vertices.max(axis=0).tolist()
        return cls(Shape.POLYGON, (x_min, y_min, x_max, y_max), vertices)

    def columns(self) -> tuple[Any, ...]:
        """Return shape, bounds and vertices as they stand in the store."""
        return int(self.shape), *map(float, self.bounds_px0), vertices_blob(self.vertices_px0)

    def check(self, size: SizePx | None) -> None:
        """Refuse a place that is not on the slide.

        Raises
        ------
        FormatError
            If a coordinate is not finite, the corners are swapped, or no part lies on the slide.
        """
        x_min, y_min, x_max, y_max = self.bounds_px0
        vertices = np.empty(0) if self.vertices_px0 is None else self.vertices_px0
        if not (np.isfinite(self.bounds_px0).all() and np.isfinite(vertices).all()):
            raise FormatError("NaN or infinite coordinates", where="cell")
        if x_min > x_max or y_min > y_max:
            raise FormatError("corners in the wrong order", where="cell")
        if size is not None and (x_max < 0 or y_max < 0 or x_min > size.width or y_min > size.height):
            raise FormatError(
                f"({x_min:g}, {y_min:g}) is outside the slide ({size.width} × {size.height} px)", where="cell"
            )


@dataclass(frozen=True, slots=True)
class CellEvent:
    """One thing that a rater does.

    Parameters
    ----------
    kind : str
        ``create``, ``label``, ``move``, ``delete`` or ``restore``.
    cell_id : int
        The cell; 0 for one to be created.
    rater_id, round_id : int
        Who, and in which round.
    label_id : int, optional
        Of a label; None is "unknown", or the label withdrawn.
    score, seconds : float, optional
        Score in [0, 1], and the time the rater took.
    geometry : Geometry, optional
        Of a creation or a move.
    key : str, optional
        Chosen by the client, one for each action: a request that is repeated is done once.
    expected : int, optional
        The last event of the cell that the client has seen (see :func:`mitoscope.store.sight.last_visible`).
    entered_by : str, optional
        Who was at the keyboard, where the rater is several with one voice.
    """

    kind: str
    cell_id: int
    rater_id: int
    round_id: int
    label_id: int | None = None
    score: float | None = None
    seconds: float | None = None
    geometry: Geometry | None = None
    key: str | None = None
    expected: int | None = None
    entered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An action that is on disk: its event and cell; ``is_repeated`` if it was there before."""

    seq: int
    cell_id: int
    is_repeated: bool = False


def record(
    connection: sqlite3.Connection, action: CellEvent, *, slide_id: int | None = None
) -> Acknowledgement:
    """Write an action inside of the caller's transaction.

    Raises
    ------
    ConflictError
        If the cell has changed since the client saw it, is deleted (or not, for ``restore``), or the key
        was used for another action (:class:`~mitoscope.errors.KeyReusedError`).
    NotFoundError
        If there is no such cell.
    StoreError
        If there is no such rater, round, label or slide.
    FormatError
        If the geometry is not on the slide, or the score not in [0, 1].
    """
    before = _repeated(connection, action)
    if before is not None:
        return before
    _check(connection, action)
    if action.kind == "create":
        slide_id, size = _slide(connection, slide_id)
        _geometry_of(action).check(size)
        action = replace(
            action, cell_id=present.create_cell(connection, slide_id, _geometry_of(action).columns())
        )
    else:
        _check_cell(connection, action)
    seq = _insert(connection, action)
    present.apply(connection, seq, action.kind, action.cell_id, _payload(action))
    return Acknowledgement(seq, action.cell_id)


def last_event(connection: sqlite3.Connection) -> int:
    """Return the number of the last event of the study, 0 where there is none."""
    return int(connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()[0])


def has_key(connection: sqlite3.Connection, key: str) -> bool:
    """Return whether an action of that key was done."""
    return exists(connection, "event", key=key)


def _repeated(connection: sqlite3.Connection, action: CellEvent) -> Acknowledgement | None:
    if action.key is None:
        return None
    row = connection.execute(
        "SELECT seq, cell_id, kind, rater_id, round_id, label_id FROM event WHERE key = ?", (action.key,)
    ).fetchone()
    if row is None:
        return None
    seq, cell_id, *rest = row
    same_cell = action.kind == "create" or cell_id == action.cell_id
    if not same_cell or rest != [action.kind, action.rater_id, action.round_id, action.label_id]:
        raise KeyReusedError(
            "this key was used for another action", where=f"key {action.key!r}", mend="choose a new key"
        )
    return Acknowledgement(seq, cell_id, is_repeated=True)


def _check(connection: sqlite3.Connection, action: CellEvent) -> None:
    for table, id_ in (("rater", action.rater_id), ("round", action.round_id), ("label", action.label_id)):
        if id_ is not None and not exists(connection, table, id=id_):
            raise StoreError(f"no {table} {id_}", mend=f"add the {table} first")
    if action.score is not None and not 0 <= action.score <= 1:
        raise FormatError(f"score {action.score:g} is not in [0, 1]", where=f"cell {action.cell_id}")
    if action.seconds is not None and not 0 <= action.seconds < float("inf"):
        raise FormatError(f"{action.seconds:g} seconds", where=f"cell {action.cell_id}")


def _check_cell(connection: sqlite3.Connection, action: CellEvent) -> None:
    where = f"cell {action.cell_id}"
    row = connection.execute(
        "SELECT slide_id, is_deleted FROM cell WHERE id = ?", (action.cell_id,)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such cell", where=where)
    if action.expected is not None:
        seen = last_visible(connection, action.cell_id, rater_id=action.rater_id, round_id=action.round_id)
        if seen != action.expected:
            raise ConflictError(
                "has changed since it was read", where=where, mend="look at it again and repeat the action"
            )
    if bool(row[1]) != (action.kind == "restore"):
        state = "deleted" if row[1] else "not deleted"
        raise ConflictError(f"is {state}", where=where, mend="read it again")
    if action.kind == "move":
        _geometry_of(action).check(_slide(connection, row[0])[1])


def _geometry_of(action: CellEvent) -> Geometry:
    if action.geometry is None:
        raise StoreError(f"a {action.kind} without a geometry", where=f"cell {action.cell_id}")
    return action.geometry


def _slide(connection: sqlite3.Connection, slide_id: int | None) -> tuple[int, SizePx | None]:
    row = connection.execute("SELECT width_px0, height_px0 FROM slide WHERE id = ?", (slide_id,)).fetchone()
    if row is None or slide_id is None:
        raise StoreError(f"no slide {slide_id}", mend="add the slide first")
    return slide_id, None if None in row else SizePx(*row)


def _payload(action: CellEvent) -> Sequence[Any]:
    if action.kind == "label":
        return action.rater_id, action.round_id, action.label_id, action.score
    return () if action.geometry is None else action.geometry.columns()


def _insert(connection: sqlite3.Connection, action: CellEvent) -> int:
    geometry = () if action.geometry is None else action.geometry.columns()
    return insert(
        connection,
        "event",
        kind=action.kind,
        cell_id=action.cell_id,
        rater_id=action.rater_id,
        round_id=action.round_id,
        label_id=action.label_id,
        time_s=time.time(),
        score=action.score,
        seconds=action.seconds,
        key=action.key,
        attributes=attributes_text({ENTERED_BY: action.entered_by} if action.entered_by else None),
        **dict(zip(GEOMETRY, geometry, strict=False)),
    )


Answer = dict[str, Any]


def once(
    connection: sqlite3.Connection,
    key: str,
    rater_id: int,
    *,
    what: str,
    act: Callable[[], Answer],
    keeps_key: bool = True,
) -> Answer:
    """Act, or return the answer of the first time; inside of a transaction that writes.

    Parameters
    ----------
    key : str
        Chosen by the client, one a request.
    rater_id : int
        Who asks.
    what : str
        The request: a key that comes with another one is refused.
    act : callable
        Does it and returns the answer, as JSON values.
    keeps_key : bool
        Whether the study keeps the key itself; else its hash, because something secret follows from the key.

    Raises
    ------
    KeyReusedError
        If the key was used for another request.
    """
    known = _done_before(connection, key)
    if known is None:
        answer = act()
        text = json.dumps(answer, ensure_ascii=False, allow_nan=False)
        kept = key if keeps_key else _hidden(key)
        insert(connection, "request", key=kept, rater_id=rater_id, what=what, answer=text, time_s=time.time())
        return answer | {"is_repeated": False}
    if known[:2] != (rater_id, what):
        raise KeyReusedError("this key was used for another action", where="key", mend="choose a new key")
    return known[2] | {"is_repeated": True}


def answered(connection: sqlite3.Connection, key: str, rater_id: int, *, what: str) -> Answer | None:
    """Return the answer of the first time to a request whose key the study keeps, or None.

    `what` is how the words of the request end: by its fingerprint.
    """
    row = connection.execute("SELECT rater_id, what, answer FROM request WHERE key = ?", (key,)).fetchone()
    if row is None or row[0] != rater_id or not row[1].endswith(what):
        return None
    answer: Answer = json.loads(row[2])
    return answer | {"is_repeated": True}


def _done_before(connection: sqlite3.Connection, key: str) -> tuple[int, str, Answer] | None:
    sql = "SELECT rater_id, what, answer FROM request WHERE key IN (?, ?)"
    row = connection.execute(sql, (key, _hidden(key))).fetchone()
    return None if row is None else (row[0], row[1], json.loads(row[2]))


def _hidden(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def was_done(connection: sqlite3.Connection, key: str, rater_id: int) -> bool:
    """Whether a rater's request of a key was done before."""
    return exists(connection, "request", key=key, rater_id=rater_id)
