"""The histogram of scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mitoscope.figure import INK, PALE, TISSUE, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BIN_WIDTH = 0.02
_SIZE_INCH = (11.6, 2.7)


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


@style()
def draw_histogram(score: NDArray[np.float64], *, threshold: float, threshold_label: str) -> Figure:
    """Draw the histogram of scores.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        Scores in [0, 1].
    threshold : float
        Above it a candidate counts as a mitotic figure: its bars are dark.
    threshold_label : str
        The threshold as the page writes it.

    Notes
    -----
    The count axis is logarithmic from 1 on where the highest bar exceeds the median of the occupied ones
    twentyfold: most candidates of a slide lie far below the threshold and would flatten the bars that matter.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lowest = min(float(score.min()) if score.size else threshold, threshold)
    edges = bin_edges(math.floor(lowest * 10) / 10, threshold)
    n = count_bins(score, edges)
    highest = int(n.max(initial=0))
    logarithmic = bool(highest and highest > 20 * float(np.median(n[n > 0])))
    figure = Figure(figsize=_SIZE_INCH)
    axes = figure.add_axes((0.062, 0.195, 0.928, 0.69))
    left, width, height = edges[:-1][n > 0], np.diff(edges)[n > 0], n[n > 0]
    colours = np.where(left >= threshold, TISSUE, PALE).tolist()
    axes.bar(left, height, width, align="edge", color=colours, edgecolor="white", linewidth=0.8)
    axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 2.5)))
    share = (threshold - edges[0]) / (edges[-1] - edges[0])
    side = "left" if share < 0.1 else "right" if share > 0.9 else "center"
    axes.annotate(
        f"threshold {threshold_label}",
        (threshold, 1.03),
        xycoords=axes.get_xaxis_transform(),
        ha=side,
        fontweight="bold",
    )
    axes.set_xlim(edges[0], 1.0)
    axes.set_xticks([tenth / 10 for tenth in range(math.ceil(float(edges[0]) * 10 - 1e-9), 11)])
    axes.set_xlabel("score of the detector")
    if logarithmic:
        ticks = [0, *(10**power for power in range(int(math.log10(highest)) + 1))]
        axes.set_yscale("symlog", linthresh=1)
        axes.set_yticks(ticks, labels=[f"{value:,}" for value in ticks], minor=False)
        axes.set_ylim(0, 1.25 * highest)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_ylim(0, 1.04 * max(highest, 1))
    axes.set_ylabel("candidates (log scale)" if logarithmic else "candidates")
    axes.grid(axis="y")
    return figure
