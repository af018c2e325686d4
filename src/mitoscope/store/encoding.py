"""How values stand in the columns of a store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError, StoreDamagedError

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
