"""How a count is spread within each slide, and maps of some slides with outline, figures and hot spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mitoscope.experiments.palette import HERE, INK, PALE, PUBLISHED, QUIET, count_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Ring = tuple[tuple[float, float], ...]
"""Corners x, y in mm."""
_TUMOUR: Final = "#fbe7ec"
_OUTLINE: Final = "#9d174d"
_MARGIN_MM: Final = 0.6
_FOOT: Final = 0.24
"""Height of the strip for the scale bar, in halves of a map."""
_BARS_MM: Final = (0.5, 1, 2, 5, 10)
"""Lengths of the scale bar; the longest within a third of the maps is taken."""


@dataclass(frozen=True, slots=True)
class SlideMap:
    """A slide from above; all in mm from its upper left corner.

    Parameters
    ----------
    title : str
    tumour, excluded : tuple of Ring
        Outlines of the tumour, and of what is left out of it.
    figures : Ring
        Places.
    hot_spot : tuple of float
        x, y, width, height.
    """

    title: str
    tumour: tuple[Ring, ...]
    excluded: tuple[Ring, ...]
    figures: Ring
    hot_spot: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class CountMaps:
    """Box plots of a count within slides, and maps.

    Parameters
    ----------
    title, y_label : str
    boxes : mapping of str to tuple of float
        Slide → lowest, lower quartile, median, upper quartile, highest; empty where the window fits nowhere.
    hot_spots : mapping of str to float
        Slide → count in the hot spot.
    cut_offs : mapping of str to float
        Name → least count.
    maps : tuple of SlideMap
    window : str
        What the window is, in words.
    """

    title: str
    y_label: str
    boxes: Mapping[str, tuple[float, ...]]
    hot_spots: Mapping[str, float]
    cut_offs: Mapping[str, float]
    maps: tuple[SlideMap, ...]
    window: str


def size_of(chart: CountMaps) -> tuple[float, float]:
    """Return width and height of the figure in inches."""
    return max(11.0, 2.0 + 0.48 * len(chart.boxes)), 8.8


def draw_count_maps(chart: CountMaps, picture: Figure) -> None:
    """Draw the box plots above the maps."""
    above, below = picture.subfigures(2, 1, squeeze=False, height_ratios=[1.3, 1.0])[:, 0]
    axes = above.add_subplot()
    axes.spines["right"].set_visible(False)
    axes.set_title(chart.title, fontsize=11, loc="left", pad=28)
    _draw_boxes(chart, axes)
    if chart.maps:
        panels = below.subplots(1, len(chart.maps), squeeze=False)[0]
        _draw_maps(chart, list(panels))
        shown = {
            name: handle
            for axes in panels
            for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        below.legend(
            shown.values(),
            shown.keys(),
            loc="outside lower center",
            ncols=len(shown),
            frameon=False,
            markerscale=4,
        )


def _draw_boxes(chart: CountMaps, axes: Axes) -> None:
    places = {name: place for place, name in enumerate(chart.boxes, start=1)}
    keys = ("whislo", "q1", "med", "q3", "whishi")
    known = {name: values for name, values in chart.boxes.items() if values}
    axes.bxp(
        [dict(zip(keys, values, strict=True)) for values in known.values()],
        positions=[places[name] for name in known],
        widths=0.55,
        patch_artist=True,
        showfliers=False,
        boxprops={"facecolor": PALE, "edgecolor": HERE},
        medianprops={"color": HERE, "linewidth": 2},
        whiskerprops={"color": HERE},
        capprops={"color": HERE},
    )
    axes.plot([], [], "s", color=PALE, markeredgecolor=HERE, label="quartiles and range over the tumour")
    counts = [chart.hot_spots[name] for name in places]
    axes.plot(list(places.values()), counts, "D", color=PUBLISHED, markersize=4.5, label="hot spot", zorder=4)
    for (name, value), style in zip(chart.cut_offs.items(), ("--", ":", "-."), strict=False):
        axes.axhline(value, color=INK, linestyle=style, linewidth=1.1, zorder=1, label=f"{name}: {value:g}")
    count_axis(axes, chart.y_label)
    axes.set_xlim(0.3, len(places) + 0.7)
    axes.set_xticks(
        list(places.values()), labels=list(places), rotation=45, ha="right", rotation_mode="anchor"
    )
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=5, borderaxespad=0)


def _draw_maps(chart: CountMaps, panels: list[Axes]) -> None:
    corners = [np.concatenate([np.array(ring) for ring in one.tumour]) for one in chart.maps]
    # One scale for all, so that tumours and windows compare by eye.
    half = max(float(np.ptp(own, axis=0).max()) for own in corners) / 2 + _MARGIN_MM
    for one, own, axes in zip(chart.maps, corners, panels, strict=True):
        _draw_map(one, axes, window=chart.window)
        middle = (own.min(axis=0) + own.max(axis=0)) / 2
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] + (1 + _FOOT) * half, middle[1] - half)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(one.title, fontsize=9)
        for spine in axes.spines.values():
            spine.set_visible(False)
        _scale_bar(axes, middle[0] - half, middle[1] + (1 + _FOOT) * half, side=2 * half)


def _draw_map(one: SlideMap, axes: Axes, *, window: str) -> None:
    from matplotlib.patches import Polygon, Rectangle

    for place, ring in enumerate(one.tumour):
        label = None if place else "tumour"
        axes.add_patch(Polygon(ring, facecolor=_TUMOUR, edgecolor=_OUTLINE, linewidth=1.2, label=label))
    for place, ring in enumerate(one.excluded):
        label = None if place else "left out"
        hole = Polygon(ring, facecolor="white", edgecolor=QUIET, linewidth=0.9, linestyle="--", label=label)
        axes.add_patch(hole)
    if one.figures:
        x, y = zip(*one.figures, strict=True)
        axes.plot(x, y, ".", color=INK, markersize=1.8, markeredgewidth=0, label="mitotic figure")
    x0, y0, width, height = one.hot_spot
    box = Rectangle(
        (x0, y0), width, height, fill=False, edgecolor=PUBLISHED, linewidth=1.8, label=f"hot spot, {window}"
    )
    axes.add_patch(box)


def _scale_bar(axes: Axes, left: float, bottom: float, *, side: float) -> None:
    length = max([one for one in _BARS_MM if one <= side / 3] or [_BARS_MM[0]])
    x, y = left + 0.03 * side, bottom - 0.03 * side
    axes.plot([x, x + length], [y, y], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes.annotate(f"{length:g} mm", (x + length / 2, y - 0.015 * side), ha="center", va="bottom", fontsize=8)
