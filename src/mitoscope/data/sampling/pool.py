"""BG-Hard: the places that a detector took for mitotic figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.window import Window

JITTER: Final = 0.34375
"""How far from its middle a window's cell falls at most, as a share of the side (44 of 128 px): the network
must not learn that cells are in the middle."""


@dataclass(frozen=True, slots=True, eq=False)
class HardPool:
    """BG-Hard: places on training pictures that a detector took for mitotic figures.

    Parameters
    ----------
    picture : ndarray of int64, shape (n,)
        Index into the training pictures.
    x, y : ndarray of float64, shape (n,)
        Px of the picture.
    weight : ndarray of float64, shape (n,)
        Probability of being drawn; adds up to one.
    """

    picture: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def empty(cls) -> HardPool:
        """Return a pool without places."""
        none = np.empty(0)
        return cls(np.empty(0, dtype=np.int64), none, none, none)

    @classmethod
    def even(cls, rows: list[tuple[int, float, float]]) -> HardPool:
        """Return places (picture, x, y) that are drawn with the same chance."""
        return cls(
            picture=np.array([p for p, _, _ in rows], dtype=np.int64),
            x=np.array([x for _, x, _ in rows], dtype=np.float64),
            y=np.array([y for _, _, y in rows], dtype=np.float64),
            weight=np.full(len(rows), 1.0 / max(len(rows), 1)),
        )

    def __len__(self) -> int:
        return len(self.picture)

    def draw(self, random: np.random.Generator, *, jitter_px: float) -> Window:
        """Draw a window that has a hard place near its middle, `jitter_px` at most from it in x and y."""
        index = int(random.choice(len(self), p=self.weight))
        dx, dy = random.uniform(-jitter_px, jitter_px, 2)
        return Window(int(self.picture[index]), self.x[index] + dx, self.y[index] + dy)
