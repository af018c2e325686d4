"""Figures of experiments: boxes, bars, curves, matrices and maps beside the published values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mitoscope.experiments.table import Entry, ResultTable
from mitoscope.figure import FIRST, INK, PALE_BLUE, QUIET, SECOND, style, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Ring = Sequence[Sequence[float]]
"""Corners x, y in mm."""
_LETTERS: Final = 11
"""Of a title, to an inch."""
_LINES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
"""Of curves in turn, so that they differ without colours."""
_BARS_MAX: Final = 24
_COUNTS: Final = (0, 2, 5, 10, 20, 50, 100, 200, 500)
_BOX_STYLE: Final[dict[str, Any]] = {
    "widths": 0.55,
    "patch_artist": True,
    "boxprops": {"facecolor": PALE_BLUE, "edgecolor": FIRST},
    "medianprops": {"color": FIRST, "linewidth": 2},
    "whiskerprops": {"color": FIRST},
    "capprops": {"color": FIRST},
}
_TUMOUR: Final = "#fbe7ec"
_OUTLINE: Final = "#9d174d"
_MARGIN_MM: Final = 0.6
_FOOT: Final = 0.24
"""Height of the strip for the scale bar, in halves of a map."""
_BARS_MM: Final = (0.5, 1, 2, 5, 10)
"""Lengths of the scale bar; the longest within a third of the maps is taken."""


class Chart(ABC):
    """What is drawn of an experiment."""

    @property
    @abstractmethod
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""

    @abstractmethod
    def paint(self, picture: Figure) -> None:
        """Draw into an empty figure of that size."""


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

    picture = Figure(figsize=chart.size, layout="constrained")
    chart.paint(picture)
    return picture


def _titled(picture: Figure, title: str) -> Axes:
    axes = picture.add_subplot()
    picture.suptitle(fill(title, int(picture.get_figwidth() * _LETTERS)), x=0.01, ha="left", fontsize=11)
    return axes


@dataclass(frozen=True, slots=True)
class BoxPlots(Chart):
    """Box plots of one quantity by group, with published medians and cut-offs of grades.

    Parameters
    ----------
    title, y_label : str
    groups : dict of str to tuple of float
        Values of each group.
    published : dict of str to float
        Published medians, of the groups that have one.
    cut_offs : dict of str to tuple of float
        Lines across the box of a group.
    published_in : str
    """

    title: str
    y_label: str
    groups: dict[str, tuple[float, ...]]
    published: dict[str, float] = field(default_factory=dict)
    cut_offs: dict[str, tuple[float, ...]] = field(default_factory=dict)
    published_in: str = ""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return max(7.0, 2.0 + 0.85 * len(self.groups)), 5.2

    def paint(self, picture: Figure) -> None:
        """Draw the boxes."""
        axes = _titled(picture, self.title)
        places = range(1, len(self.groups) + 1)
        fliers = {"marker": ".", "markersize": 4, "markeredgecolor": QUIET}
        axes.boxplot(list(self.groups.values()), positions=places, flierprops=fliers, **_BOX_STYLE)
        known = [
            (place, self.published[name])
            for place, name in zip(places, self.groups, strict=True)
            if name in self.published
        ]
        if known:
            label = f"published median ({self.published_in})"
            axes.plot(*zip(*known, strict=True), "D", color=SECOND, markersize=5, zorder=5, label=label)
        for place, name in zip(places, self.groups, strict=True):
            for cut in self.cut_offs.get(name, ()):
                axes.plot([place - 0.42, place + 0.42], [cut, cut], "--", color=INK, linewidth=1.2)
        if self.cut_offs:
            axes.plot([], [], "--", color=INK, linewidth=1.2, label="cut-off of a grade")
        _count_axis(axes, self.y_label)
        names = [f"{fill(name, 22)}\nn = {len(values)}" for name, values in self.groups.items()]
        axes.set_xticks(list(places), labels=names, rotation=40, ha="right")
        if known or self.cut_offs:
            _legend_above(axes)


@dataclass(frozen=True, slots=True)
class Bars(Chart):
    """The scores of a table as bars, with standard deviations, the published ones beside them."""

    table: ResultTable

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return 8.0, 1.8 + 0.5 * len(self._pairs)

    @property
    def _pairs(self) -> list[tuple[str, Entry]]:
        many = len(self.table.columns) > 1
        pairs = [
            (f"{row.name}, {column.name}" if many else row.name, entry)
            for row in self.table.rows
            for column, entry in zip(self.table.columns, row.entries, strict=True)
        ]
        return [pair for pair in pairs if (pair[1].found, pair[1].published) != (None, None)][:_BARS_MAX]

    def paint(self, picture: Figure) -> None:
        """Draw the bars."""
        axes, pairs, columns = _titled(picture, self.table.title), self._pairs, self.table.columns
        rows = np.arange(len(pairs))[::-1]
        here = [(entry.found, entry.sd) for _, entry in pairs]
        published = [(entry.published, entry.published_sd) for _, entry in pairs]
        for shift, values, colour, label in (
            (0.18, here, FIRST, "here"),
            (-0.18, published, SECOND, f"published ({self.table.published_in})"),
        ):
            known = [
                (y, value, np.nan if sd is None else sd)
                for y, (value, sd) in zip(rows, values, strict=True)
                if value is not None
            ]
            if not known:
                continue
            y, value, sd = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
            axes.barh(y + shift, value, 0.34, xerr=sd, color=colour, label=label, ecolor=INK, capsize=2)
            ends = value + np.nan_to_num(sd)
            for place, width, end in zip(y + shift, value, ends, strict=True):
                axes.annotate(f" {width:.3f}", (end, place), va="center", fontsize=7.5, color=INK)
        axes.set_yticks(rows, labels=[name for name, _ in pairs])
        axes.set_xlabel("score" if len(columns) > 1 else columns[0].name)
        axes.margins(x=0.12)
        if axes.get_legend_handles_labels()[0]:
            _legend_above(axes)


@dataclass(frozen=True, slots=True)
class Matrix(Chart):
    """The scores of a table by training (rows) and test domain, the published ones below them."""

    table: ResultTable

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return max(6.5, 3.6 + 1.0 * len(self.table.columns)), 2.6 + 0.6 * len(self.table.rows)

    def paint(self, picture: Figure) -> None:
        """Draw the matrix."""
        axes, table = _titled(picture, self.table.title), self.table
        values = np.array([[entry.found for entry in row.entries] for row in table.rows], dtype=np.float64)
        known = values[~np.isnan(values)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        shown = np.ma.masked_invalid(values)
        axes.imshow(shown, cmap="Blues", vmin=low - 0.1, vmax=high + 0.15, aspect="auto")
        # White letters are legible from there on the blue.
        middle = low - 0.1 + 0.62 * (high - low + 0.25)
        for place, row in enumerate(table.rows):
            for column, entry in enumerate(row.entries):
                text = "–" if entry.found is None else f"{entry.found:.2f}"
                colour = "white" if entry.found is not None and entry.found > middle else INK
                above = place if entry.published is None else place - 0.12
                axes.text(column, above, text, ha="center", va="center", color=colour)
                if entry.published is not None:
                    text, below = f"({entry.published:.2f})", place + 0.27
                    axes.text(column, below, text, ha="center", va="center", fontsize=7.5, color=colour)
        names = [column.name for column in table.columns]
        axes.set_xticks(range(len(names)), labels=names, rotation=35, ha="right")
        axes.set_yticks(range(len(table.rows)), labels=[row.name for row in table.rows])
        axes.set_xlabel("tested on")
        axes.set_ylabel("trained on")
        if table.published_in:
            text = f"in brackets: published ({table.published_in})"
            axes.annotate(text, (0, 1.01), xycoords="axes fraction", fontsize=7.5, color=QUIET)


@dataclass(frozen=True, slots=True)
class Curves(Chart):
    """Lines over one quantity, such as a size or a recall.

    Parameters
    ----------
    title, x_label, y_label : str
    lines : dict of str to tuple of pairs
        Points x, y of each line.
    logarithmic : bool
        Of x.
    shares : {"", "y", "xy"}
        Axes that run from 0 to 1; where both do, points are many and get no markers.
    """

    title: str
    x_label: str
    y_label: str
    lines: dict[str, tuple[tuple[float, float], ...]]
    logarithmic: bool = False
    shares: Literal["", "y", "xy"] = ""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return 7.0, 4.8

    def paint(self, picture: Figure) -> None:
        """Draw the lines."""
        axes = _titled(picture, self.title)
        marker = "" if self.shares == "xy" else "o"
        for (name, points), line in zip(self.lines.items(), cycle(_LINES), strict=False):
            axes.plot(*zip(*points, strict=True), linestyle=line, marker=marker, markersize=3.5, label=name)
        if self.logarithmic:
            sizes = sorted({x for points in self.lines.values() for x, _ in points})
            axes.set_xscale("log")
            axes.set_xticks(sizes, labels=[f"{size:,g}" for size in sizes])
            axes.minorticks_off()
        if self.shares:
            axes.set_xlim(left=None if self.logarithmic else 0, right=1.01 if self.shares == "xy" else None)
            axes.set_ylim(0, 1.01)
        axes.set_xlabel(self.x_label)
        axes.set_ylabel(self.y_label)
        axes.grid()
        if self.lines:
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


@dataclass(frozen=True, slots=True)
class SlideMap:
    """A slide from above; all in mm from its upper left corner.

    Parameters
    ----------
    title : str
    tumour, excluded : sequence of Ring
        Outlines of the tumour, and of what is left out of it.
    figures : Ring
        Places.
    hot_spot : tuple of float
        x, y, width, height.
    """

    title: str
    tumour: Sequence[Ring]
    excluded: Sequence[Ring]
    figures: Ring
    hot_spot: tuple[float, float, float, float]

    def draw(self, axes: Axes, *, window: str) -> None:
        """Draw outlines, figures and the hot spot; `window` says what that is."""
        from matplotlib.patches import Polygon, Rectangle

        for place, ring in enumerate(self.tumour):
            label = None if place else "tumour"
            axes.add_patch(Polygon(ring, facecolor=_TUMOUR, edgecolor=_OUTLINE, linewidth=1.2, label=label))
        for place, ring in enumerate(self.excluded):
            label = None if place else "left out"
            hole = Polygon(
                ring, facecolor="white", edgecolor=QUIET, linewidth=0.9, linestyle="--", label=label
            )
            axes.add_patch(hole)
        if self.figures:
            x, y = zip(*self.figures, strict=True)
            axes.plot(x, y, ".", color=INK, markersize=2.4, markeredgewidth=0, label="mitotic figure")
        x0, y0, width, height = self.hot_spot
        label, corner = f"hot spot, {window}", (x0, y0)
        box = Rectangle(corner, width, height, fill=False, edgecolor=SECOND, linewidth=1.8, label=label)
        axes.add_patch(box)


@dataclass(frozen=True, slots=True)
class CountMaps(Chart):
    """Box plots of a count within slides, above maps of some.

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

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return max(11.0, 2.0 + 0.48 * len(self.boxes)), 8.8

    def paint(self, picture: Figure) -> None:
        """Draw the box plots above the maps."""
        above, below = picture.subfigures(2, 1, squeeze=False, height_ratios=[1.3, 1.0])[:, 0]
        axes = above.add_subplot()
        axes.set_title(self.title, fontsize=11, loc="left", pad=28)
        self._draw_spread(axes)
        if self.maps:
            panels = list(below.subplots(1, len(self.maps), squeeze=False)[0])
            self._draw_maps(panels)
            pairs = (zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels)
            shown = {name: handle for of_panel in pairs for handle, name in of_panel}
            outside = "outside lower center"
            below.legend(shown.values(), shown.keys(), loc=outside, ncols=len(shown), markerscale=4)

    def _draw_spread(self, axes: Axes) -> None:
        places = {name: place for place, name in enumerate(self.boxes, start=1)}
        keys = ("whislo", "q1", "med", "q3", "whishi")
        known = {name: values for name, values in self.boxes.items() if values}
        stats = [dict(zip(keys, values, strict=True)) for values in known.values()]
        axes.bxp(stats, positions=[places[name] for name in known], showfliers=False, **_BOX_STYLE)
        box = "quartiles and range over the tumour"
        axes.plot([], [], "s", color=PALE_BLUE, markeredgecolor=FIRST, label=box)
        counts = [self.hot_spots[name] for name in places]
        axes.plot(
            list(places.values()), counts, "D", color=SECOND, markersize=4.5, label="hot spot", zorder=4
        )
        for (name, value), line in zip(self.cut_offs.items(), ("--", ":", "-."), strict=False):
            axes.axhline(
                value, color=INK, linestyle=line, linewidth=1.1, zorder=1, label=f"{name}: {value:g}"
            )
        _count_axis(axes, self.y_label)
        axes.set_xlim(0.3, len(places) + 0.7)
        axes.set_xticks(
            list(places.values()), labels=list(places), rotation=45, ha="right", rotation_mode="anchor"
        )
        _legend_above(axes)

    def _draw_maps(self, panels: list[Axes]) -> None:
        corners = [np.concatenate([np.array(ring) for ring in slide_map.tumour]) for slide_map in self.maps]
        # One scale for all, so that tumours and windows compare by eye.
        half = max(float(np.ptp(own, axis=0).max()) for own in corners) / 2 + _MARGIN_MM
        for slide_map, own, axes in zip(self.maps, corners, panels, strict=True):
            slide_map.draw(axes, window=self.window)
            middle = (own.min(axis=0) + own.max(axis=0)) / 2
            left, bottom = middle[0] - half, middle[1] + (1 + _FOOT) * half
            axes.set(xlim=(left, middle[0] + half), ylim=(bottom, middle[1] - half), xticks=[], yticks=[])
            axes.set_aspect("equal")
            axes.set_title(slide_map.title, fontsize=9, loc="center")
            axes.spines[:].set_visible(False)
            _scale_bar(axes, left, bottom, side=2 * half)


def _scale_bar(axes: Axes, left: float, bottom: float, *, side: float) -> None:
    length = max([length_mm for length_mm in _BARS_MM if length_mm <= side / 3] or [_BARS_MM[0]])
    x, y = left + 0.03 * side, bottom - 0.03 * side
    axes.plot([x, x + length], [y, y], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes.annotate(f"{length:g} mm", (x + length / 2, y - 0.015 * side), ha="center", va="bottom", fontsize=8)
