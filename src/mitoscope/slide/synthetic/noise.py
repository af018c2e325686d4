"""Randomness that depends on the place alone: hashes of lattice points, and periodic noise.

A tile must look the same whether it is painted alone or with its neighbours; so nothing is drawn in the
order of painting.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Float = NDArray[np.float32]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hash_unit(seed: int, salt: int, *keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return numbers in [0, 1) that depend on the seed, a salt and integer keys (splitmix64, Steele 2014)."""
    value = np.uint64((seed * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF)
    state = np.full(np.broadcast_shapes(*(key.shape for key in keys)), value, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            state = (state ^ key.astype(np.uint64)) + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generator(seed: int, *salt: int) -> np.random.Generator:
    """Return the random generator of one part of a slide."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *salt])))


def periodic_noise(
    rng: np.random.Generator,
    side: int,
    *,
    wavelength: float,
    octaves: int = 1,
    stretch: float = 1.0,
    angle: float = 0.0,
) -> Float:
    """Return band-limited Gaussian noise that repeats without a seam.

    Parameters
    ----------
    rng : Generator
    side : int
        Period in samples.
    wavelength : float
        Dominant wavelength in samples.
    octaves : int
        Number of bands, each of half the wavelength and 0.6 of the amplitude of the one before.
    stretch, angle : float
        The noise is stretched by this factor along a direction (radians).

    Returns
    -------
    ndarray of float32, shape (side, side)
        Mean 0, standard deviation 1.
    """
    fy = np.fft.fftfreq(side).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(side).astype(np.float32)[None, :]
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = (fx * cos + fy * sin) * np.float32(stretch)
    across = fy * cos - fx * sin
    radius = np.hypot(along, across) * np.float32(wavelength)
    gain = np.zeros_like(radius)
    for octave in range(octaves):
        gain += 0.6**octave * _band(radius / 2.0**octave)
    white = fft.rfft2(rng.standard_normal((side, side), dtype=np.float32))
    noise = fft.irfft2(white * gain, s=(side, side))
    noise -= noise.mean()
    return np.asarray(noise / max(float(noise.std()), 1e-12), dtype=np.float32)


def _band(radius: Float) -> Float:
    # Log-normal band around radius 1; half a decade wide, so that shapes vary in size.
    safe = np.maximum(radius, np.float32(1e-9))
    return np.asarray(np.exp(-0.5 * np.square(np.log(safe) / 0.45)) / safe, dtype=np.float32)


def tile_of(texture: Float, x: int, y: int, width: int, height: int) -> Float:
    """Return the window of a periodic texture at a place of the slide."""
    side = texture.shape[0]
    window = np.empty((height, width), dtype=texture.dtype)
    for top, bottom in _runs(y, height, side):
        for left, right in _runs(x, width, side):
            row, column = (y + top) % side, (x + left) % side
            part = texture[row : row + bottom - top, column : column + right - left]
            window[top:bottom, left:right] = part
    return window


def _runs(start: int, length: int, side: int) -> list[tuple[int, int]]:
    """Return the runs of a window that do not cross a seam of the period, relative to its start."""
    cuts = [0, *range(side - start % side, length, side), length]
    return list(pairwise(cuts))


def sample(texture: Float, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a periodic texture at fractional places (in samples), bilinear."""
    side = texture.shape[0]
    x0, y0 = np.floor(x), np.floor(y)
    tx, ty = x - x0, y - y0
    left, top = x0.astype(np.int64) % side, y0.astype(np.int64) % side
    right, bottom = (left + 1) % side, (top + 1) % side
    upper = texture[top, left] * (1 - tx) + texture[top, right] * tx
    lower = texture[bottom, left] * (1 - tx) + texture[bottom, right] * tx
    return np.asarray(upper * (1 - ty) + lower * ty)


def smoothstep(value: NDArray[np.floating], low: float, high: float) -> Float:
    """Return 0 below `low`, 1 above `high`, a smooth ramp between."""
    t = np.clip((value - low) * (1.0 / (high - low)), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def enlarge(coarse: Float, factor: int) -> Float:
    """Return a grid at `factor` times the resolution, linear in both axes.

    Parameters
    ----------
    coarse : ndarray of float32, shape (h + 1, w + 1)
        Values at the corners of blocks.

    Returns
    -------
    ndarray of float32, shape (h * factor, w * factor)
    """
    t = (np.arange(factor, dtype=np.float32) + 0.5) / factor
    across = coarse[:, :-1, None] * (1 - t) + coarse[:, 1:, None] * t
    wide = across.reshape(coarse.shape[0], -1)
    t = t[None, :, None]
    both = wide[:-1, None, :] * (1 - t) + wide[1:, None, :] * t
    return np.ascontiguousarray(both.reshape(-1, wide.shape[1]))


@dataclass(frozen=True)
class LatticePoints:
    """Lattice points: index (i, j) and place in px0."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def take(self, chosen: NDArray[np.bool_]) -> LatticePoints:
        """Return the chosen points."""
        return LatticePoints(self.i[chosen], self.j[chosen], self.x[chosen], self.y[chosen])


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

    def points_in(self, x0: float, y0: float, x1: float, y1: float) -> LatticePoints:
        """Return the points in a box of px0, in the order of their index."""
        i0, i1 = int(np.floor(x0 / self.spacing_px)) - 1, int(np.floor(x1 / self.spacing_px)) + 1
        j0, j1 = int(np.floor(y0 / self.spacing_px)) - 1, int(np.floor(y1 / self.spacing_px)) + 1
        j, i = (grid.ravel() for grid in np.mgrid[j0 : j1 + 1, i0 : i1 + 1].astype(np.int64))
        x, y = self.at(i, j)
        points = LatticePoints(i, j, x, y)
        return points.take((x >= x0) & (x < x1) & (y >= y0) & (y < y1))

    def unit(self, points: LatticePoints, salt: int) -> NDArray[np.float64]:
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
