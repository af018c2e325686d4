"""Marks on the close-up: rings around figures, and numbers beside them that do not cover each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.report.drawing import Frame

_FONT_PX = 12.0
_DIGIT_PX = 7.6
_GAP_PX = 3.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A ring around a figure and its number, in picture pixels; the text begins at its lower left corner."""

    x: float
    y: float
    rank: int
    text_x: float
    text_y: float


def place_marks(
    points: NDArray[np.float64], ranks: NDArray[np.int64], *, radius: float, frame: Frame
) -> tuple[Mark, ...]:
    """Place the number of each figure right, left, above or below of it, where it covers least.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Figures in picture pixels.
    ranks : ndarray of int, shape (n,)
        Their numbers.
    radius : float
        Radius of the rings in picture pixels.
    frame : Frame
        The picture.
    """
    # Boxes (left, top, right, bottom) of what must not be covered: first all rings, then the texts placed.
    taken = np.column_stack([points - radius, points + radius])
    marks = []
    for (x, y), rank in zip(points.tolist(), ranks.tolist(), strict=True):
        options = _options(x, y, rank, radius=radius, unit=frame.unit)
        costs = [_cost(option, taken, frame) for option in options]
        left, top, right, bottom = options[int(np.argmin(costs))]
        taken = np.vstack([taken, (left, top, right, bottom)])
        marks.append(Mark(x, y, rank, left, bottom - 0.15 * _FONT_PX * frame.unit))
    return tuple(marks)


def _options(
    x: float, y: float, rank: int, *, radius: float, unit: float
) -> list[tuple[float, float, float, float]]:
    width, height = _DIGIT_PX * unit * len(str(rank)), _FONT_PX * unit
    far = radius + _GAP_PX * unit
    corners = (
        (x + far, y - height / 2),
        (x - far - width, y - height / 2),
        (x - width / 2, y - far - height),
        (x - width / 2, y + far),
    )
    return [(left, top, left + width, top + height) for left, top in corners]


def _cost(option: tuple[float, float, float, float], taken: NDArray[np.float64], frame: Frame) -> float:
    """Return the area that a text would cover, or would lose beyond the picture, which is worse."""
    left, top, right, bottom = option
    width = np.minimum(taken[:, 2], right) - np.maximum(taken[:, 0], left)
    height = np.minimum(taken[:, 3], bottom) - np.maximum(taken[:, 1], top)
    covered = float((np.clip(width, 0, None) * np.clip(height, 0, None)).sum())
    lost = max(0.0, -left, -top, right - frame.width, bottom - frame.height)
    return covered + 1e6 * lost
