"""The figures of a report that matplotlib draws: the density map and the histogram of scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import Density
from mitoscope.figure import COUNTED_AREA, GAP, HOT_SPOT, INK, PALE, TISSUE, place_axes, style
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.region import Region
from mitoscope.report.pictures import tissue_outlines
from mitoscope.tissue import TissueMask

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCH = 3.6
"""A column of the page and of a journal."""
_MAP_MAX_INCH = (3.02, 2.7)
_MAP_MIN_INCH = 0.3
_LEFT_INCH, _TOP_INCH = 0.48, 0.1
_BELOW_MAP_INCH = 0.47
"""Numbers and name of the x axis."""
_BAR_INCH, _BELOW_BAR_INCH, _LEGEND_ROW_INCH = 0.11, 0.42, 0.18
_HOT_SPOT_LOOK: dict[str, Any] = {"facecolor": "none", "edgecolor": HOT_SPOT, "linewidth": 1.6}
_GAP_LOOK: dict[str, Any] = {"facecolor": "none", "edgecolor": GAP, "hatch": "/////", "linewidth": 0.9}
_CELLS_MAX = 1200
"""Longest side of what is drawn: more cells than pixels would not be seen."""


@style()
def draw_density_map(
    grid: Density,
    mpp: Mpp,
    *,
    tissue: TissueMask,
    hot_spot: BoxPx0 | None,
    gaps: tuple[BoxPx0, ...],
    hot_spot_label: str,
    counted_on: Region | None = None,
) -> Figure:
    """Draw the density map with outline of the tissue, hot spot, gaps, colour scale and axes in mm.

    Nothing is drawn beside the tissue; boxes are in level-0 px. `counted_on` is where figures are counted, if
    not on all tissue.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    px0_mm = np.array([mpp.x, mpp.y]) / 1000
    slide_mm = np.array([grid.box_px0.width, grid.box_px0.height]) * px0_mm
    scale = min(_MAP_MAX_INCH / slide_mm)
    size = np.maximum(slide_mm * scale, _MAP_MIN_INCH)
    entries = _legend_entries(
        tissue=tissue, hot_spot=hot_spot, gaps=gaps, label=hot_spot_label, counted_on=counted_on
    )
    rows = len(entries)
    height = _TOP_INCH + size[1] + _BELOW_MAP_INCH + _BAR_INCH + _BELOW_BAR_INCH + rows * _LEGEND_ROW_INCH
    figure = Figure(figsize=(WIDTH_INCH, height))

    axes = place_axes(figure, left=_LEFT_INCH, top=_TOP_INCH, width=size[0], height=size[1])
    below = _TOP_INCH + size[1] + _BELOW_MAP_INCH
    bar = place_axes(figure, left=_LEFT_INCH, top=below, width=_MAP_MAX_INCH[0], height=_BAR_INCH)
    image = _draw_cells(axes, grid, tissue, slide_mm)
    axes.set_xlim(0, size[0] / scale)
    axes.set_ylim(size[1] / scale, 0)
    axes.locator_params("x", nbins=max(1, int(size[0] / 0.45)))
    axes.locator_params("y", nbins=max(1, int(size[1] / 0.35)))
    axes.set_xlabel("x (mm)", fontsize=8, labelpad=1)
    axes.set_ylabel("y (mm)", fontsize=8, labelpad=2)
    figure.colorbar(image, cax=bar, orientation="horizontal", ticks=MaxNLocator(6))
    bar.set_xlabel("mitotic figures per mm²", fontsize=8, labelpad=1)
    for panel in (axes, bar):
        panel.tick_params(labelsize=8, length=2.5, pad=2)
        panel.spines[:].set(visible=True, color=PALE)
    _draw_marks(axes, px0_mm, tissue=tissue, hot_spot=hot_spot, gaps=gaps, counted_on=counted_on)
    figure.legend(
        handles=entries,
        loc="lower left",
        bbox_to_anchor=((_LEFT_INCH - 0.04) / WIDTH_INCH, 0.0),
        fontsize=8,
        borderaxespad=0.0,
        borderpad=0.15,
        handlelength=1.5,
        labelspacing=0.3,
    )
    return figure


def visible_density(grid: Density, tissue: TissueMask) -> NDArray[np.float64]:
    """Return what is drawn of the map, shape (h, w): NaN beside the tissue and without figures."""
    step = -(-max(grid.per_mm2.shape) // _CELLS_MAX)
    shown = grid.per_mm2[step // 2 :: step, step // 2 :: step].astype(np.float64)
    rows, columns = np.indices(shown.shape) * step + step // 2
    centres = (np.column_stack([columns.ravel(), rows.ravel()]) + 0.5) * grid.cell_px0
    shown[~tissue.contains(centres).reshape(shown.shape) | (shown <= 0)] = np.nan
    return shown


def _draw_cells(axes: Axes, grid: Density, tissue: TissueMask, slide_mm: NDArray[np.float64]) -> Any:
    # From pale to dark, so that paper stays white where there is nothing; lightness falls evenly.
    return axes.imshow(
        np.ma.masked_invalid(visible_density(grid, tissue)),
        cmap="magma_r",
        vmin=0.0,
        vmax=float(grid.per_mm2.max(initial=0.0)) or 1.0,
        extent=(0.0, slide_mm[0], slide_mm[1], 0.0),
        aspect="auto",
        interpolation="bilinear",
    )


def _draw_marks(
    axes: Axes,
    px0_mm: NDArray[np.float64],
    *,
    tissue: TissueMask,
    hot_spot: BoxPx0 | None,
    gaps: tuple[BoxPx0, ...],
    counted_on: Region | None,
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    def box_patch(box: BoxPx0, **look: Any) -> Rectangle:
        corner = (box.x * px0_mm[0], box.y * px0_mm[1])
        return Rectangle(corner, box.width * px0_mm[0], box.height * px0_mm[1], **look)

    outlines = [outline * px0_mm for outline in tissue_outlines(tissue)]
    axes.add_collection(PolyCollection(outlines, facecolor="none", edgecolor=TISSUE, linewidth=0.7))
    if counted_on is not None:
        rings = [ring * px0_mm for ring in counted_on.rings]
        area = axes.add_collection(
            PolyCollection(rings, facecolor="none", edgecolor=COUNTED_AREA, linewidth=1.1)
        )
        area.set_path_effects([withStroke(linewidth=2.2, foreground="white")])
    for gap in gaps:
        axes.add_patch(box_patch(gap, **_GAP_LOOK))
    if hot_spot is not None:
        patch = axes.add_patch(box_patch(hot_spot, **_HOT_SPOT_LOOK))
        patch.set_path_effects([withStroke(linewidth=3.0, foreground="white")])


def _legend_entries(
    *,
    tissue: TissueMask,
    hot_spot: BoxPx0 | None,
    gaps: tuple[BoxPx0, ...],
    label: str,
    counted_on: Region | None,
) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Artist] = []
    if hot_spot is not None:
        entries.append(Patch(label=label, **_HOT_SPOT_LOOK))
    if tissue.mask.any():
        entries.append(Line2D([], [], color=TISSUE, linewidth=0.9, label="Tissue"))
    if counted_on is not None:
        entries.append(Line2D([], [], color=COUNTED_AREA, linewidth=1.3, label="Area counted"))
    if gaps:
        entries.append(Patch(label="Could not be read", **_GAP_LOOK))
    return entries


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
    """Draw the histogram of scores in [0, 1], shape (n,); bars above the threshold are dark.

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
