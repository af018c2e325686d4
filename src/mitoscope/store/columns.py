"""The many: cells and label events, in columns of equal length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError


class Shape(IntEnum):
    """The geometry of a cell; its bounds and vertices are in px0."""

    SPOT = 1
    """A point: both corners of the bounds are the point."""
    BOX = 2
    """The bounds are the box."""
    CIRCLE = 3
    """The bounds are the bounding square (or the box of an ellipse)."""
    POLYGON = 4
    """Vertices, not closed: the first is not repeated at the end."""


def _column(values: ArrayLike | None, n: int, dtype: Any, *, default: Any) -> NDArray[Any]:
    array = np.full(n, default, dtype=dtype) if values is None else np.array(values, dtype=dtype, ndmin=1)
    array.flags.writeable = False
    return array


def _same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, np.ndarray):
        return np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")
    if isinstance(mine, Mapping):
        return mine.keys() == theirs.keys() and all(_same(mine[key], theirs[key]) for key in mine)
    return bool(mine == theirs)


class ByContent:
    """Equality of what holds arrays, over all fields; NaN equals NaN (it means "not stated")."""

    def _values(self) -> dict[str, Any]:
        return {column.name: getattr(self, column.name) for column in fields(self)}  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return _same(self._values(), other._values())

    __hash__ = None  # type: ignore[assignment]


class _Columns(ByContent):
    def take(self, rows: NDArray[Any]) -> Self:
        """Return the rows of an array of rows or a boolean mask, in its order."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        values = self._values()
        is_sparse = any(isinstance(value, Mapping) and value for value in values.values())
        new = {int(old): place for place, old in enumerate(rows)} if is_sparse else {}
        return type(self)(
            **{
                name: {place: value[row] for row, place in new.items() if row in value}
                if isinstance(value, Mapping)
                else value[rows]
                for name, value in values.items()
            }
        )

    def _check_lengths(self, what: str) -> None:
        lengths = {name: len(one) for name, one in self._values().items() if isinstance(one, np.ndarray)}
        if len(set(lengths.values())) > 1:
            raise FormatError(f"columns of one length expected, got {lengths}", where=what)


@dataclass(frozen=True, slots=True, eq=False)
class Cells(_Columns):
    """Annotated cells.

    Parameters
    ----------
    slide : ndarray of int64, shape (n,)
        Index into the slides of the study.
    shape : ndarray of uint8, shape (n,)
        Values of :class:`~mitoscope.store.columns.Shape`.
    bounds_px0 : ndarray of float64, shape (n, 4)
        x_min, y_min, x_max, y_max in level-0 pixels, as the source states them; both corners of a spot are
        the point. A reader may hand over NaN or places outside of the slide: they are quarantined on the way
        into a store, not here.
    z : ndarray of int64, shape (n,)
        Focal plane or frame, 0 where there is one.
    deleted : ndarray of bool, shape (n,)
        Marked as deleted in the source.
    guid : ndarray of object, shape (n,)
        Globally unique id (str), or None.
    external_id : ndarray of object, shape (n,)
        Id in the source file (str), or None.
    vertices_px0 : mapping of int to ndarray of float64, shape (k, 2)
        Vertices of the polygons by row, not closed.
    attributes : mapping of int to mapping
        Further JSON values of the source by row; most rows have none.
    """

    slide: NDArray[np.int64]
    shape: NDArray[np.uint8]
    bounds_px0: NDArray[np.float64]
    z: NDArray[np.int64]
    deleted: NDArray[np.bool_]
    guid: NDArray[np.object_]
    external_id: NDArray[np.object_]
    vertices_px0: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    attributes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_lengths("cells")
        if self.bounds_px0.shape != (len(self), 4):
            raise FormatError(f"bounds of shape (n, 4) expected, got {self.bounds_px0.shape}", where="cells")

    @classmethod
    def of(
        cls,
        slide: ArrayLike,
        bounds_px0: ArrayLike,
        *,
        shape: ArrayLike | None = None,
        z: ArrayLike | None = None,
        deleted: ArrayLike | None = None,
        guid: ArrayLike | None = None,
        external_id: ArrayLike | None = None,
        vertices_px0: Mapping[int, NDArray[np.float64]] | None = None,
        attributes: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Build cells; a column that is not given has its neutral value (spots, plane 0, no ids)."""
        slides = _column(slide, 0, np.int64, default=0)
        n = len(slides)
        bounds = np.array(bounds_px0, dtype=np.float64).reshape(-1, 4)
        bounds.flags.writeable = False
        return cls(
            slides,
            _column(shape, n, np.uint8, default=Shape.SPOT),
            bounds,
            _column(z, n, np.int64, default=0),
            _column(deleted, n, np.bool_, default=False),
            _column(guid, n, np.object_, default=None),
            _column(external_id, n, np.object_, default=None),
            dict(vertices_px0 or {}),
            dict(attributes or {}),
        )

    @classmethod
    def spots(cls, slide: ArrayLike, points_px0: ArrayLike) -> Self:
        """Build spots from their slides, shape (n,), and points, shape (n, 2)."""
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        return cls.of(slide, np.hstack([points, points]))

    @classmethod
    def empty(cls) -> Self:
        """Return no cells."""
        return cls.of([], [])

    def __len__(self) -> int:
        return len(self.slide)

    @property
    def centres_px0(self) -> NDArray[np.float64]:
        """Centres of the bounds in level-0 pixels, shape (n, 2)."""
        # Halved first: the sum of two corners may be beyond a float. Between infinities there is no middle.
        with np.errstate(invalid="ignore"):
            return self.bounds_px0[:, :2] / 2 + self.bounds_px0[:, 2:] / 2

    @property
    def has_guid(self) -> NDArray[np.bool_]:
        """Whether a cell has a globally unique id, shape (n,)."""
        return np.fromiter((guid is not None for guid in self.guid), dtype=np.bool_, count=len(self))


@dataclass(frozen=True, slots=True, eq=False)
class LabelEvents(_Columns):
    """Labels in the order in which they were given; nothing is ever taken out.

    Parameters
    ----------
    cell : ndarray of int64, shape (n,)
        Row of the study's cells.
    rater : ndarray of int64, shape (n,)
        Index into the raters of the study.
    label : ndarray of int64, shape (n,)
        Index into the labels of the study; -1 where the rater says "unknown" or withdraws the label.
    round : ndarray of int64, shape (n,)
        Index into the rounds of the study.
    time_s : ndarray of float64, shape (n,)
        Seconds since 1970 (UTC); NaN where the source does not say.
    score : ndarray of float64, shape (n,)
        Score or agreement in [0, 1]; NaN where there is none.
    seconds : ndarray of float64, shape (n,)
        Time the rater took; NaN where the source does not say.
    attributes : mapping of int to mapping
        Further JSON values of the source by row; most rows have none.
    """

    cell: NDArray[np.int64]
    rater: NDArray[np.int64]
    label: NDArray[np.int64]
    round: NDArray[np.int64]
    time_s: NDArray[np.float64]
    score: NDArray[np.float64]
    seconds: NDArray[np.float64]
    attributes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_lengths("label events")

    @classmethod
    def of(
        cls,
        cell: ArrayLike,
        rater: ArrayLike,
        label: ArrayLike,
        *,
        round: ArrayLike | None = None,  # noqa: A002 the field's term
        time_s: ArrayLike | None = None,
        score: ArrayLike | None = None,
        seconds: ArrayLike | None = None,
        attributes: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Build label events; a column that is not given is "not stated" (round 0)."""
        cells = _column(cell, 0, np.int64, default=0)
        n = len(cells)
        return cls(
            cells,
            _column(rater, n, np.int64, default=0),
            _column(label, n, np.int64, default=-1),
            _column(round, n, np.int64, default=0),
            _column(time_s, n, np.float64, default=np.nan),
            _column(score, n, np.float64, default=np.nan),
            _column(seconds, n, np.float64, default=np.nan),
            dict(attributes or {}),
        )

    @classmethod
    def empty(cls) -> Self:
        """Return no label events."""
        return cls.of([], [], [])

    def __len__(self) -> int:
        return len(self.cell)
