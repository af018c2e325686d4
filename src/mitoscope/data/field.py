"""A labelled field: pixels that can be cut anywhere, and what is true on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.geometry import BoxPx
from mitoscope.labels import ATYPICAL_FIGURE, LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.truth import Side

BOX_UM = 12.5
"""Side of the square that stands for a cell: 50 px at 0.25 µm/px (CCMCT, CMC, MIDOG++)."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labelled cells on the pixels of a field: the one table of points that training has.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Centres in px of the field.
    label : ndarray of str, shape (n,)
        Canonical names.
    agreement : ndarray of float64, shape (n,)
        Share of the raters who said so, in [0, 1]; 1 where it is not stated.
    size : ndarray of float64, shape (n, 2)
        Width and height as drawn, in px of the field; NaN where only a point is known.
    kind : ndarray of str, shape (n,)
        What a look-alike is, of `mitoscope.labels.LOOK_ALIKE_KINDS`; empty where nobody said.
    """

    points: NDArray[np.float64]
    label: NDArray[np.str_]
    agreement: NDArray[np.float64]
    size: NDArray[np.float64]
    kind: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        points: ArrayLike,
        label: ArrayLike,
        agreement: ArrayLike | None = None,
        *,
        size: ArrayLike | None = None,
        kind: ArrayLike = "",
    ) -> Self:
        """Build labels; without agreement all are agreed on, without size all are points."""
        places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        n = len(places)
        return cls(
            places,
            np.broadcast_to(np.asarray(label, dtype=np.str_), n),
            np.ones(n) if agreement is None else np.asarray(agreement, dtype=np.float64),
            np.full((n, 2), np.nan) if size is None else np.asarray(size, np.float64).reshape(-1, 2),
            np.broadcast_to(np.asarray(kind, dtype=np.str_), n),
        )

    @classmethod
    def none(cls) -> Self:
        """Return no labels."""
        return cls.of(np.empty((0, 2)), "")

    @classmethod
    def figures(cls, points: ArrayLike) -> Self:
        """Return mitotic figures."""
        return cls.of(points, MITOTIC_FIGURE.name)

    @classmethod
    def look_alikes(cls, points: ArrayLike, *, kind: ArrayLike = "") -> Self:
        """Return look-alikes, of a kind each where it is known."""
        return cls.of(points, LOOK_ALIKE.name, kind=kind)

    @classmethod
    def joined(cls, *parts: Labels) -> Self:
        """Return all labels of several."""
        return cls(*(np.concatenate(columns) for columns in zip(*(p._columns() for p in parts), strict=True)))

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.points, self.label, self.agreement, self.size, self.kind

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> Labels:
        """Return some of the cells: an index array or a mask."""
        return Labels(*(column[rows] for column in self._columns()))

    def moved(self, points: NDArray[np.float64], *, scale: ArrayLike = 1.0) -> Labels:
        """Return the cells at other places; their sizes are multiplied."""
        return replace(self, points=points, size=self.size * np.asarray(scale))

    def places_of(self, label: str) -> NDArray[np.float64]:
        """Return the centres of the cells of one label, shape (k, 2)."""
        return np.asarray(self.points[self.label == label])

    @property
    def is_figure(self) -> NDArray[np.bool_]:
        """Whether each cell counts as a mitotic figure, atypical ones included, shape (n,)."""
        return np.asarray((self.label == MITOTIC_FIGURE.name) | (self.label == ATYPICAL_FIGURE.name))

    def classes(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Return the class of each cell among those of a model, shape (n,); -1 for what is background to it.

        Atypical figures are mitotic figures to a model that does not tell them apart.
        """
        numbers = np.full(len(self), -1, dtype=np.int64)
        if MITOTIC_FIGURE.name in labels:
            numbers[self.is_figure] = labels.index(MITOTIC_FIGURE.name)
        for place, name in enumerate(labels):
            numbers[self.label == name] = place
        return numbers

    def sizes(self, *, mpp: float) -> NDArray[np.float64]:
        """Return width and height of each cell in px, shape (n, 2); 12.5 µm where only a point is known."""
        return np.where(np.isnan(self.size), BOX_UM / mpp, self.size)


class Field(Protocol):
    """What windows are cut from; coordinates are px at the resolution of training."""

    @property
    def name(self) -> str:
        """File name inside its source."""
        ...

    @property
    def source(self) -> str:
        """Name of the source."""
        ...

    @property
    def case(self) -> str:
        """What may not be on both sides of a split."""
        ...

    @property
    def domain(self) -> str:
        """Tumour type, scanner or laboratory."""
        ...

    @property
    def side(self) -> Side | None:
        """On which side of a split the ground truth has it; None where it has none."""
        ...

    @property
    def width(self) -> int:
        """Columns."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...

    @property
    def labels(self) -> Labels:
        """All labelled cells."""
        ...

    @property
    def figures(self) -> NDArray[np.float64]:
        """Centres of the mitotic figures, shape (n, 2)."""
        ...

    @property
    def look_alikes(self) -> NDArray[np.float64]:
        """Centres of the look-alikes, shape (m, 2)."""
        ...

    @property
    def mirror_px(self) -> int:
        """How far beyond the field its mirror image may serve as background."""
        ...

    def with_cells(self, more: Labels) -> Field:
        """Return the field with further labelled cells, in its px."""
        ...

    def window(self, box: BoxPx, *, mirror_px: int | None = None) -> NDArray[np.uint8]:
        """Return what a network is shown of a box, uint8 (h, w, 3).

        Beyond the field it is the mirror image up to a depth, without end by default, and then white; see
        `mitoscope.search.read_windows`.
        """
        ...

    def examined(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell of each point, shape (n, 2), whether somebody looked there for figures.

        Elsewhere the absence of a label says nothing.
        """
        ...

    def may_be_background(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell of each point, shape (n, 2), whether it was examined and shows tissue, no glass."""
        ...

    def pixels_sha256(self) -> str:
        """Return a hash of the pixels, by which a copy under another name is known."""
        ...

    def digest(self) -> str:
        """Return a hash of pixels and labels."""
        ...


def visible_figures(field: Field) -> NDArray[np.float64]:
    """Return the figures whose centres lie on the field, shape (n, 2)."""
    figures = field.figures
    inside = ((figures >= 0) & (figures < (field.width, field.height))).all(axis=1)
    return np.asarray(figures[inside], dtype=np.float64)
