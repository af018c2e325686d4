"""A labelled field: pixels that can be cut anywhere, and the cells that are known on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.geometry import BoxPx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE

BOX_UM = 12.5
"""Side of the square that stands for a cell: 50 px at 0.25 µm/px (CCMCT, CMC, MIDOG++)."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labelled cells.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Centres in px of the field.
    label : ndarray of str, shape (n,)
        Canonical names.
    agreement : ndarray of float64, shape (n,)
        Share of the raters who said so, in (0, 1]; 1 where it is not stated.
    """

    points: NDArray[np.float64]
    label: NDArray[np.str_]
    agreement: NDArray[np.float64]

    @classmethod
    def of(cls, points: ArrayLike, label: ArrayLike, agreement: ArrayLike | None = None) -> Self:
        """Build labels; without agreement all are agreed on."""
        places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        names = np.broadcast_to(np.asarray(label, dtype=np.str_), len(places))
        stated = np.ones(len(places)) if agreement is None else np.asarray(agreement, dtype=np.float64)
        return cls(places, names, stated)

    @classmethod
    def none(cls) -> Self:
        """Return no labels."""
        return cls.of(np.empty((0, 2)), "")

    @classmethod
    def figures(cls, points: ArrayLike) -> Self:
        """Return mitotic figures."""
        return cls.of(points, MITOTIC_FIGURE.name)

    @classmethod
    def look_alikes(cls, points: ArrayLike) -> Self:
        """Return look-alikes."""
        return cls.of(points, LOOK_ALIKE.name)

    @classmethod
    def joined(cls, *parts: Labels) -> Self:
        """Return all labels of several."""
        return cls(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.label for part in parts]),
            np.concatenate([part.agreement for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.label)

    def places_of(self, label: str) -> NDArray[np.float64]:
        """Return the centres of the cells of one label, shape (k, 2)."""
        return np.asarray(self.points[self.label == label])


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

    def window(self, box: BoxPx, *, mirror_px: int | None = None) -> NDArray[np.uint8]:
        """Return what a network is shown of a box, uint8 (h, w, 3).

        Beyond the field it is the mirror image up to a depth, without end by default, and then white; see
        `mitoscope.search.read_windows`.
        """
        ...

    def digest(self) -> str:
        """Return a hash of pixels and labels."""
        ...


def visible_figures(field: Field) -> NDArray[np.float64]:
    """Return the figures whose centres lie on the field, shape (n, 2)."""
    figures = field.figures
    inside = ((figures >= 0) & (figures < (field.width, field.height))).all(axis=1)
    return np.asarray(figures[inside], dtype=np.float64)
