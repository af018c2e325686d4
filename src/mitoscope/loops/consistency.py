"""Test-time augmentation: a candidate is believed if it is found however the window lies (Akram et al. 2018).

The eight ways are the flips and right-angle rotations of the square. Where the first look finds nothing of
note, the other seven are spared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mitoscope.errors import ConfigError
from mitoscope.search import Find

WAYS = 8
SAME_FIGURE_PX = 30.0
"""Two finds this near are one figure (TUPAC: 30 px)."""


@dataclass(frozen=True, eq=False)
class Consistent:
    """Candidates of one window, seen eight ways.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        x and y in window px, from the first look.
    score : ndarray of float64, shape (n, 8)
        Of each way, the first look first; 0 where it was not found.
    looks : int
        Ways that were looked at: 8, or 1 where the others were spared.
    """

    points: NDArray[np.float64]
    score: NDArray[np.float64]
    looks: int

    @property
    def lowest(self) -> NDArray[np.float64]:
        """The lowest score over all ways, shape (n,): the candidate stays above every threshold below it."""
        return np.asarray(self.score.min(axis=1) if len(self.score) else np.empty(0))


def turned(window: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
    """Return a window turned one of eight ways: way % 4 quarter turns, mirrored before these from 4 on."""
    mirrored = window[:, ::-1] if way >= 4 else window
    return np.ascontiguousarray(np.rot90(mirrored, way % 4))


def turned_back(points: NDArray[np.floating], way: int, side_px: int) -> NDArray[np.float64]:
    """Return points (n, 2) of a turned square window where they are in the window itself."""
    x, y = np.asarray(points, dtype=np.float64).T
    for _ in range(way % 4):
        # np.rot90 takes (x, y) to (y, side − x): undone by (side − y, x).
        x, y = side_px - y, x
    return np.column_stack([side_px - x if way >= 4 else x, y])


def look_eight_ways(
    window: NDArray[np.uint8], find: Find, *, floor: float, radius_px: float = SAME_FIGURE_PX
) -> Consistent:
    """Search a window all eight ways.

    Parameters
    ----------
    window : ndarray of uint8, shape (side, side, 3)
    find : callable
        The network.
    floor : float
        Where no score of the first look is above it, the other ways are spared.
    radius_px : float
        A find within it of a candidate, after turning back, is the same figure.

    Raises
    ------
    ConfigError
        If the window is not a square: turned by a quarter it would be another window.
    """
    height, width = window.shape[:2]
    if height != width:
        raise ConfigError(f"a window of {width} × {height} px", mend="square windows are wanted")
    first = _above(find(window[None])[0], floor)
    points = first[:, :2].astype(np.float64)
    score = np.zeros((len(first), WAYS))
    score[:, 0] = first[:, 2]
    if not len(first):
        return Consistent(points, score, looks=1)
    # One by one: eight at once need eight times the memory and are not faster on a processor.
    for way in range(1, WAYS):
        other = _above(find(turned(window, way)[None])[0], 0.0)
        places = turned_back(other[:, :2], way, width)
        score[:, way] = _best_near(points, places, other[:, 2], radius_px)
    return Consistent(points, score, looks=WAYS)


def _above(found: NDArray[np.floating], floor: float) -> NDArray[np.floating]:
    return found[found[:, 2] > floor]


def _best_near(
    points: NDArray[np.float64], places: NDArray[np.float64], score: NDArray[np.floating], radius: float
) -> NDArray[np.float64]:
    best = np.zeros(len(points))
    if len(places):
        for row, near in enumerate(cKDTree(places).query_ball_point(points, radius)):
            best[row] = score[near].max(initial=0.0)
    return best
