"""Where cells lie: a jittered lattice over the whole slide, each point known from its index alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.slide.synthetic.noise import Float, hash_unit


@dataclass(frozen=True)
class Points:
    """Lattice points: index (i, j) and place in px0."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def take(self, chosen: NDArray[np.bool_]) -> Points:
        """Return the chosen points."""
        return Points(self.i[chosen], self.j[chosen], self.x[chosen], self.y[chosen])


@dataclass(frozen=True)
class Lattice:
    """A square lattice whose points are moved at random by at most `jitter` of the spacing."""

    seed: int
    salt: int
    spacing_px: float
    jitter: float = 0.34

    def at(
        self, i: NDArray[np.int64], j: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the places of the points of index (i, j) in px0."""
        dx = hash_unit(self.seed, self.salt, i, j) * 2 - 1
        dy = hash_unit(self.seed, self.salt + 1, i, j) * 2 - 1
        shift = 0.25 * np.where(j % 2 == 0, 1.0, -1.0)
        return (
            (i + 0.5 + shift + self.jitter * dx) * self.spacing_px,
            (j + 0.5 + self.jitter * dy) * self.spacing_px,
        )

    def points_in(self, x0: float, y0: float, x1: float, y1: float) -> Points:
        """Return the points in a box of px0, in the order of their index."""
        i0, i1 = int(np.floor(x0 / self.spacing_px)) - 1, int(np.floor(x1 / self.spacing_px)) + 1
        j0, j1 = int(np.floor(y0 / self.spacing_px)) - 1, int(np.floor(y1 / self.spacing_px)) + 1
        j, i = (grid.ravel() for grid in np.mgrid[j0 : j1 + 1, i0 : i1 + 1].astype(np.int64))
        x, y = self.at(i, j)
        points = Points(i, j, x, y)
        return points.take((x >= x0) & (x < x1) & (y >= y0) & (y < y1))

    def unit(self, points: Points, salt: int) -> NDArray[np.float64]:
        """Return one random number in [0, 1) for each point."""
        return hash_unit(self.seed, self.salt * 1000 + salt, points.i, points.j)

    def worley(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Float, Float, Float]:
        """Return, at each place, the distances to the nearest and second-nearest point and a cell number.

        Parameters
        ----------
        x, y : ndarray, shape (h, w)
            Places in px0.

        Returns
        -------
        nearest_px, second_px : ndarray of float32, shape (h, w)
        cell : ndarray of float32, shape (h, w)
            Random number in [0, 1) of the cell (Worley 1996).
        """
        base_i = np.floor(x / self.spacing_px).astype(np.int64)
        base_j = np.floor(y / self.spacing_px).astype(np.int64)
        i_min, j_min = int(base_i.min()) - 2, int(base_j.min()) - 2
        gj, gi = np.mgrid[j_min : int(base_j.max()) + 3, i_min : int(base_i.max()) + 3].astype(np.int64)
        px, py = (grid.astype(np.float32) for grid in self.at(gi, gj))
        tint = hash_unit(self.seed, self.salt + 7, gi, gj).astype(np.float32)
        x32, y32 = x.astype(np.float32), y.astype(np.float32)
        nearest = np.full(x.shape, np.inf, dtype=np.float32)
        second, cell = nearest.copy(), np.zeros_like(nearest)
        for dj in range(-2, 3):
            for di in range(-2, 3):
                if abs(di) == 2 and abs(dj) == 2:
                    continue
                row, column = base_j - j_min + dj, base_i - i_min + di
                distance = np.square(px[row, column] - x32) + np.square(py[row, column] - y32)
                closer = distance < nearest
                second = np.where(closer, nearest, np.minimum(second, distance))
                cell = np.where(closer, tint[row, column], cell)
                nearest = np.minimum(nearest, distance)
        return np.sqrt(nearest), np.sqrt(second), cell
