"""Histogram of scores, as shapes for an inline drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BIN_WIDTH = 0.02


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin: scores in (low, high], how many, and where it stands in the drawing."""

    low: float
    high: float
    n: int
    x: float
    y: float
    width: float
    height: float
    above: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place in the drawing and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bars and axes of a histogram in a drawing of the given size, y downwards."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    threshold_x: float
    logarithmic: bool

    @property
    def threshold_anchor(self) -> str:
        """Side on which the threshold's label has room: SVG's ``text-anchor``."""
        share = self.threshold_x / self.width
        return "start" if share < 0.1 else "end" if share > 0.9 else "middle"


def bin_edges(low: float, threshold: float) -> NDArray[np.float64]:
    """Return edges from below ``low`` to 1 of which one is the threshold, so that no bar straddles it."""
    below = max(1, math.ceil((threshold - low) / _BIN_WIDTH - 1e-9))
    above = max(1, math.ceil((1.0 - threshold) / _BIN_WIDTH - 1e-9))
    edges = threshold + _BIN_WIDTH * np.arange(-below, above + 1)
    return np.asarray(np.minimum(edges, 1.0))


def count_bins(score: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count scores in half-open bins (low, high]: a score equal to the threshold is not above it."""
    index = np.searchsorted(edges, score, side="left") - 1
    return np.bincount(np.clip(index, 0, len(edges) - 2), minlength=len(edges) - 1)


def _round_ticks(highest: int) -> list[int]:
    step = max(1, 10 ** math.floor(math.log10(max(highest, 1))))
    for divisor in (1, 2, 5):
        if step % divisor == 0 and highest // (step // divisor) >= 2:
            step //= divisor
            break
    return list(range(0, highest + 1, step))


def _decade_ticks(highest: int) -> list[int]:
    return [0, *(10**power for power in range(int(math.log10(highest)) + 1))]


def draw_histogram(
    score: NDArray[np.float64], *, threshold: float, width: float = 640.0, height: float = 200.0
) -> Histogram:
    """Lay out the histogram of scores.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        Scores in [0, 1].
    threshold : float
        Above it a candidate counts as a mitotic figure.
    width, height : float
        Size of the plotting area in drawing units.

    Notes
    -----
    The count axis is log(1 + n) where the highest bar exceeds the median of the occupied ones twentyfold:
    most candidates of a slide lie far below the threshold and would flatten the bars that matter.
    """
    lowest = min(float(score.min()) if score.size else threshold, threshold)
    edges = bin_edges(math.floor(lowest * 10) / 10, threshold)
    n = count_bins(score, edges)
    highest = int(n.max(initial=0))
    logarithmic = highest > 20 * float(np.median(n[n > 0])) if highest else False

    def place_y(value: float) -> float:
        share = math.log1p(value) / math.log1p(highest) if logarithmic else value / max(highest, 1)
        return height * (1.0 - share)

    def place_x(value: float) -> float:
        return width * (value - float(edges[0])) / float(edges[-1] - edges[0])

    bars = tuple(
        Bar(
            low,
            high,
            count,
            place_x(low),
            place_y(count),
            place_x(high) - place_x(low),
            height - place_y(count),
            low >= threshold,
        )
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), n.tolist(), strict=True)
        if count and high > low
    )
    values = _decade_ticks(highest) if logarithmic else _round_ticks(highest)
    tenths = range(math.ceil(float(edges[0]) * 10 - 1e-9), 11)
    return Histogram(
        width,
        height,
        bars,
        tuple(Tick(place_x(tenth / 10), f"{tenth / 10:.1f}") for tenth in tenths),
        tuple(Tick(place_y(value), f"{value:,}") for value in values),
        place_x(threshold),
        logarithmic,
    )
