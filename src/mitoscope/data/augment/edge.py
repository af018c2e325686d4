"""The white beyond a slide's edge, over one side of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

_STEPS = 16
"""The white ends on a sixteenth of the window: at 128 px on the border of a cell of the dense target."""


@dataclass(frozen=True, slots=True)
class Edge:
    """White over one side, as drawn.

    Parameters
    ----------
    sixteenths : int
        Its depth, in sixteenths of the window; 0 none.
    side : int
        0 top, 1 right, 2 bottom, 3 left.
    """

    sixteenths: int = 0
    side: int = 0

    @classmethod
    def draw(cls, random: np.random.Generator, share: float) -> Self:
        """Draw for a share of the windows a depth of up to nine sixteenths."""
        chosen, depth, side = random.random() < share, random.integers(1, _STEPS // 2 + 2), random.integers(4)
        return cls(int(depth), int(side)) if chosen else cls()

    def depth_px(self, window_px: int) -> int:
        """Return the depth in px."""
        return self.sixteenths * window_px // _STEPS

    def whiten(self, rgb: NDArray[np.uint8]) -> None:
        """Whiten a window, uint8 (h, h, 3), in place."""
        np.rot90(rgb, self.side)[: self.depth_px(len(rgb))] = 255

    def hides(self, points: NDArray[np.float64], window_px: int) -> NDArray[np.bool_]:
        """Say which points (n, 2) in window px lie under the white."""
        depth, (x, y) = self.depth_px(window_px), points.T
        into = (y, window_px - x, window_px - y, x)[self.side]
        return np.asarray(into < depth)
