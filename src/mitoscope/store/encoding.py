"""How values stand in the columns of a store, and the statements that are alike for all tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError, NotFoundError, StoreDamagedError

BOUNDS = ("x_min_px0", "y_min_px0", "x_max_px0", "y_max_px0")
"""Columns of the bounds of a cell, and of the events that place it."""
GEOMETRY = ("shape", *BOUNDS, "vertices_px0")
"""Columns of its geometry."""
_POINT_BYTES = 16  # x and y as little-endian float64


@contextmanager
def well_formed() -> Iterator[None]:
    """Turn what rows of a hostile or damaged store cause inside of the block into a typed error.

    Raises
    ------
    StoreDamagedError
        If a row holds what mitoscope does not write, e.g. an unknown kind or an id that is not there.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        what = f"a row holds what mitoscope does not write ({type(error).__name__}: {error})"
        raise StoreDamagedError(what, where="store") from None


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> int:
    """Write a row, its values by the names of the columns, and return its number."""
    return int(connection.execute(_insert(table, values), tuple(values.values())).lastrowid or 0)


def put(connection: sqlite3.Connection, table: str, *kept: str, **values: Any) -> None:
    """Write a row, or what differs of the row that has its key; the columns named stay as they are."""
    news = ", ".join(f"{name} = excluded.{name}" for name in values if name not in kept)
    sql = f"{_insert(table, values)} ON CONFLICT DO UPDATE SET {news}"
    connection.execute(sql, tuple(values.values()))


def insert_columns(connection: sqlite3.Connection, table: str, **columns: Iterable[Any]) -> None:
    """Write many rows, given by columns of one length."""
    connection.executemany(_insert(table, columns), zip(*columns.values(), strict=True))


def _insert(table: str, values: Mapping[str, Any]) -> str:
    marks = ", ".join("?" * len(values))
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 constant names


def exists(connection: sqlite3.Connection, table: str, **values: Any) -> bool:
    """Return whether a table has a row of these values."""
    where = " AND ".join(f"{name} = ?" for name in values)
    sql = f"SELECT 1 FROM {table} WHERE {where}"  # noqa: S608 constant names
    return connection.execute(sql, tuple(values.values())).fetchone() is not None


def found(row: Any, what: str, *, mend: str) -> Any:
    """Return a row, or raise `NotFoundError` where there is none."""
    if row is None:
        raise NotFoundError(f"there is no {what}", mend=mend)
    return row


def id_list(ids: Iterable[Any]) -> str:
    """Return ids for ``json_each``."""
    return json.dumps([int(id_) for id_ in ids])


def vertices_blob(vertices_px0: NDArray[np.float64] | None) -> bytes | None:
    """Return vertices as little-endian float64, x and y in turn."""
    return None if vertices_px0 is None else np.ascontiguousarray(vertices_px0, dtype="<f8").tobytes()


def vertices_from(blob: bytes) -> NDArray[np.float64]:
    """Return the vertices of a blob, shape (k, 2).

    Raises
    ------
    StoreDamagedError
        If the blob is not a whole number of points.
    """
    if not blob or len(blob) % _POINT_BYTES:
        raise StoreDamagedError(f"vertices of {len(blob)} bytes", where="store")
    return np.frombuffer(blob, dtype="<f8").astype(np.float64).reshape(-1, 2)


def attributes_text(attributes: Mapping[str, Any] | None) -> str | None:
    """Return attributes as JSON, or None where there are none.

    Raises
    ------
    FormatError
        If a value is not of JSON, or NaN or infinite.
    """
    if not attributes:
        return None
    try:
        return json.dumps(dict(attributes), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"attributes that are not JSON ({error})", where=", ".join(attributes)) from None


def attributes_from(text: str | None) -> dict[str, Any]:
    """Return the attributes of a JSON text.

    Raises
    ------
    StoreDamagedError
        If it is not a JSON object.
    """
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise StoreDamagedError(f"attributes that are not a JSON object ({text[:40]!r})", where="store")
    return value


def null_where_nan(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers for SQLite: None for NaN, "not stated"."""
    if np.isnan(values).all():
        return [None] * len(values)
    return [None if value != value else value for value in values.tolist()]


def nan_where_null(values: list[float | None]) -> NDArray[np.float64]:
    """Return numbers from SQLite: NaN for None."""
    return np.array(values, dtype=np.float64).reshape(-1)
