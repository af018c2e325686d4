"""Drawing the figures of experiments."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Final

import numpy as np

from mitoscope.experiments.chart import Bars, BoxPlots, Chart, CountMaps, Curves, Matrix, SlideMap
from mitoscope.figure import FIRST, INK, PALE_BLUE, QUIET, SECOND, style, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LETTERS: Final = 11
"""Of a title, to an inch."""
_LINES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
"""Of curves in turn, so that they differ without colours."""
_COUNTS: Final = (0, 2, 5, 10, 20, 50, 100, 200, 500)
_TUMOUR: Final = "#fbe7ec"
_OUTLINE: Final = "#9d174d"
_MARGIN_MM: Final = 0.6
_FOOT: Final = 0.24
"""Height of the strip for the scale bar, in halves of a map."""
_BARS_MM: Final = (0.5, 1, 2, 5, 10)
"""Lengths of the scale bar; the longest within a third of the maps is taken."""


def draw(chart: Chart, stem: Path) -> None:
    """Draw a chart as ``<stem>.svg`` and ``<stem>.png``; the same chart gives the same files.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    picture = _figure(chart)
    for suffix in (".svg", ".png"):
        write_figure(picture, stem.with_suffix(suffix))


@style()
def _figure(chart: Chart) -> Figure:
    from matplotlib.figure import Figure

    picture = Figure(figsize=_size(chart), layout="constrained")
    if isinstance(chart, CountMaps):
        _draw_count_maps(chart, picture)
        return picture
    axes = picture.add_subplot()
    width, _ = _size(chart)
    picture.suptitle(fill(chart.title, int(width * _LETTERS)), x=0.01, ha="left", fontsize=11)
    match chart:
        case BoxPlots():
            _draw_boxes(chart, axes)
        case Bars():
            _draw_bars(chart, axes)
        case Matrix():
            _draw_matrix(chart, axes)
        case Curves():
            _draw_curves(chart, axes)
    return picture


def _size(chart: Chart) -> tuple[float, float]:
    match chart:
        case BoxPlots():
            return max(7.0, 2.0 + 0.85 * len(chart.groups)), 5.2
        case Bars():
            return 8.0, 1.8 + 0.5 * len(chart.names)
        case Matrix():
            return max(6.5, 3.6 + 1.0 * len(chart.columns)), 2.6 + 0.6 * len(chart.rows)
        case Curves():
            return 7.0, 4.8
        case CountMaps():
            return max(11.0, 2.0 + 0.48 * len(chart.boxes)), 8.8


def _draw_boxes(chart: BoxPlots, axes: Axes) -> None:
    places = range(1, len(chart.groups) + 1)
    axes.boxplot(
        list(chart.groups.values()),
        positions=places,
        widths=0.55,
        patch_artist=True,
        boxprops={"facecolor": PALE_BLUE, "edgecolor": FIRST},
        medianprops={"color": FIRST, "linewidth": 2},
        whiskerprops={"color": FIRST},
        capprops={"color": FIRST},
        flierprops={"marker": ".", "markersize": 4, "markeredgecolor": QUIET},
    )
    known = [
        (place, chart.published[name])
        for place, name in zip(places, chart.groups, strict=True)
        if name in chart.published
    ]
    if known:
        label = f"published median ({chart.published_in})"
        axes.plot(*zip(*known, strict=True), "D", color=SECOND, markersize=5, zorder=5, label=label)
    for place, name in zip(places, chart.groups, strict=True):
        for cut in chart.cut_offs.get(name, ()):
            axes.plot([place - 0.42, place + 0.42], [cut, cut], "--", color=INK, linewidth=1.2)
    if chart.cut_offs:
        axes.plot([], [], "--", color=INK, linewidth=1.2, label="cut-off of a grade")
    _count_axis(axes, chart.y_label)
    names = [f"{fill(name, 22)}\nn = {len(values)}" for name, values in chart.groups.items()]
    axes.set_xticks(list(places), labels=names, rotation=40, ha="right")
    if known or chart.cut_offs:
        _legend_above(axes)


def _draw_bars(chart: Bars, axes: Axes) -> None:
    rows = np.arange(len(chart.names))[::-1]
    for shift, values, sds, colour, label in (
        (0.18, chart.found, chart.sd, FIRST, "here"),
        (-0.18, chart.published, chart.published_sd, SECOND, f"published ({chart.published_in})"),
    ):
        known = [
            (y, value, np.nan if sd is None else sd)
            for y, value, sd in zip(rows, values, sds, strict=True)
            if value is not None
        ]
        if not known:
            continue
        y, value, sd = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
        axes.barh(y + shift, value, 0.34, xerr=sd, color=colour, label=label, ecolor=INK, capsize=2)
        ends = value + np.nan_to_num(sd)
        for place, width, end in zip(y + shift, value, ends, strict=True):
            axes.annotate(f" {width:.3f}", (end, place), va="center", fontsize=7.5, color=INK)
    axes.set_yticks(rows, labels=list(chart.names))
    axes.set_xlabel(chart.x_label)
    axes.margins(x=0.12)
    if axes.get_legend_handles_labels()[0]:
        _legend_above(axes)


def _draw_matrix(chart: Matrix, axes: Axes) -> None:
    values = np.array(chart.found, dtype=np.float64).reshape(len(chart.rows), len(chart.columns))
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=low - 0.1, vmax=high + 0.15, aspect="auto")
    # White letters are legible from there on the blue.
    middle = low - 0.1 + 0.62 * (high - low + 0.25)
    for row, (line, published) in enumerate(zip(values, chart.published, strict=True)):
        for column, (value, other) in enumerate(zip(line, published, strict=True)):
            dark = not np.isnan(value) and value > middle
            text = "–" if np.isnan(value) else f"{value:.2f}"
            colour = "white" if dark else INK
            place = row if other is None else row - 0.12
            axes.text(column, place, text, ha="center", va="center", color=colour)
            if other is not None:
                small = f"({other:.2f})"
                axes.text(column, row + 0.27, small, ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_xticks(range(len(chart.columns)), labels=list(chart.columns), rotation=35, ha="right")
    axes.set_yticks(range(len(chart.rows)), labels=list(chart.rows))
    axes.set_xlabel("tested on")
    axes.set_ylabel("trained on")
    if chart.published_in:
        axes.annotate(
            f"in brackets: published ({chart.published_in})",
            (0, 1.01),
            xycoords="axes fraction",
            fontsize=7.5,
            color=QUIET,
        )


def _draw_curves(chart: Curves, axes: Axes) -> None:
    marker = "" if chart.shares == "xy" else "o"
    for (name, points), line in zip(chart.lines.items(), cycle(_LINES), strict=False):
        axes.plot(*zip(*points, strict=True), linestyle=line, marker=marker, markersize=3.5, label=name)
    if chart.logarithmic:
        sizes = sorted({x for points in chart.lines.values() for x, _ in points})
        axes.set_xscale("log")
        axes.set_xticks(sizes, labels=[f"{size:,g}" for size in sizes])
        axes.minorticks_off()
    if chart.shares:
        axes.set_xlim(left=None if chart.logarithmic else 0, right=1.01 if chart.shares == "xy" else None)
        axes.set_ylim(0, 1.01)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.grid()
    if chart.lines:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=5, borderaxespad=0.2)


def _count_axis(axes: Axes, label: str) -> None:
    """Give counts a vertical axis, linear up to 10 and logarithmic from there, so that 0 has a place."""
    highest = float(axes.dataLim.y1)
    ticks = [count for count in _COUNTS if count <= highest]
    ticks.append(next((count for count in _COUNTS if count > highest), _COUNTS[-1]))
    axes.set_yscale("symlog", linthresh=10)
    axes.set_yticks(ticks, labels=[str(count) for count in ticks])
    axes.set_ylim(-0.5, 1.05 * max(ticks[-1], highest))
    axes.set_ylabel(label)
    axes.grid(axis="y")


def _draw_count_maps(chart: CountMaps, picture: Figure) -> None:
    """Draw the box plots above the maps."""
    above, below = picture.subfigures(2, 1, squeeze=False, height_ratios=[1.3, 1.0])[:, 0]
    axes = above.add_subplot()
    axes.set_title(chart.title, fontsize=11, loc="left", pad=28)
    _draw_spread(chart, axes)
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
            markerscale=4,
        )


def _draw_spread(chart: CountMaps, axes: Axes) -> None:
    places = {name: place for place, name in enumerate(chart.boxes, start=1)}
    keys = ("whislo", "q1", "med", "q3", "whishi")
    known = {name: values for name, values in chart.boxes.items() if values}
    axes.bxp(
        [dict(zip(keys, values, strict=True)) for values in known.values()],
        positions=[places[name] for name in known],
        widths=0.55,
        patch_artist=True,
        showfliers=False,
        boxprops={"facecolor": PALE_BLUE, "edgecolor": FIRST},
        medianprops={"color": FIRST, "linewidth": 2},
        whiskerprops={"color": FIRST},
        capprops={"color": FIRST},
    )
    axes.plot(
        [], [], "s", color=PALE_BLUE, markeredgecolor=FIRST, label="quartiles and range over the tumour"
    )
    counts = [chart.hot_spots[name] for name in places]
    axes.plot(list(places.values()), counts, "D", color=SECOND, markersize=4.5, label="hot spot", zorder=4)
    for (name, value), line in zip(chart.cut_offs.items(), ("--", ":", "-."), strict=False):
        axes.axhline(value, color=INK, linestyle=line, linewidth=1.1, zorder=1, label=f"{name}: {value:g}")
    _count_axis(axes, chart.y_label)
    axes.set_xlim(0.3, len(places) + 0.7)
    axes.set_xticks(
        list(places.values()), labels=list(places), rotation=45, ha="right", rotation_mode="anchor"
    )
    _legend_above(axes)


def _draw_maps(chart: CountMaps, panels: list[Axes]) -> None:
    corners = [np.concatenate([np.array(ring) for ring in slide_map.tumour]) for slide_map in chart.maps]
    # One scale for all, so that tumours and windows compare by eye.
    half = max(float(np.ptp(own, axis=0).max()) for own in corners) / 2 + _MARGIN_MM
    for slide_map, own, axes in zip(chart.maps, corners, panels, strict=True):
        _draw_map(slide_map, axes, window=chart.window)
        middle = (own.min(axis=0) + own.max(axis=0)) / 2
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] + (1 + _FOOT) * half, middle[1] - half)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(slide_map.title, fontsize=9, loc="center")
        for spine in axes.spines.values():
            spine.set_visible(False)
        _scale_bar(axes, middle[0] - half, middle[1] + (1 + _FOOT) * half, side=2 * half)


def _draw_map(slide_map: SlideMap, axes: Axes, *, window: str) -> None:
    from matplotlib.patches import Polygon, Rectangle

    for place, ring in enumerate(slide_map.tumour):
        label = None if place else "tumour"
        axes.add_patch(Polygon(ring, facecolor=_TUMOUR, edgecolor=_OUTLINE, linewidth=1.2, label=label))
    for place, ring in enumerate(slide_map.excluded):
        label = None if place else "left out"
        hole = Polygon(ring, facecolor="white", edgecolor=QUIET, linewidth=0.9, linestyle="--", label=label)
        axes.add_patch(hole)
    if slide_map.figures:
        x, y = zip(*slide_map.figures, strict=True)
        axes.plot(x, y, ".", color=INK, markersize=2.4, markeredgewidth=0, label="mitotic figure")
    x0, y0, width, height = slide_map.hot_spot
    box = Rectangle(
        (x0, y0), width, height, fill=False, edgecolor=SECOND, linewidth=1.8, label=f"hot spot, {window}"
    )
    axes.add_patch(box)


def _scale_bar(axes: Axes, left: float, bottom: float, *, side: float) -> None:
    length = max([length_mm for length_mm in _BARS_MM if length_mm <= side / 3] or [_BARS_MM[0]])
    x, y = left + 0.03 * side, bottom - 0.03 * side
    axes.plot([x, x + length], [y, y], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes.annotate(f"{length:g} mm", (x + length / 2, y - 0.015 * side), ha="center", va="bottom", fontsize=8)
