"""The density map: mitotic figures per mm² over the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import Density
from mitoscope.figure import COUNTED_AREA, GAP, HOT_SPOT, PALE, TISSUE, place_axes, style
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
    """Draw the density map with outline, hot spot, colour scale and axes in mm.

    Parameters
    ----------
    grid : Density
        What to draw.
    mpp : Mpp
        Resolution of level 0.
    tissue : TissueMask
        Drawn as an outline; nothing is drawn beside it.
    hot_spot : BoxPx0 or None
        Drawn as a rectangle.
    gaps : tuple of BoxPx0
        What could not be read; hatched.
    hot_spot_label : str
        Stands beside the rectangle in the legend.
    counted_on : Region, optional
        Where figures are counted, if not on all tissue; drawn as an outline.
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
    for one in (axes, bar):
        one.tick_params(labelsize=8, length=2.5, pad=2)
        one.spines[:].set(visible=True, color=PALE)
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
