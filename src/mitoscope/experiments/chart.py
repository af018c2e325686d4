"""Figures of experiments: box plots, bars, curves and matrices beside the published values."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import util
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mitoscope.errors import ConfigError
from mitoscope.experiments.count_maps import CountMaps, draw_count_maps, size_of
from mitoscope.experiments.palette import GRID, HERE, INK, PALE, PUBLISHED, QUIET, count_axis
from mitoscope.fsio import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 150
_LETTERS: Final = 11
"""Of a title, to an inch."""
_STYLES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
"""Of lines in turn, so that they differ without colours."""


@dataclass(frozen=True, slots=True)
class Boxes:
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


@dataclass(frozen=True, slots=True)
class Bars:
    """One score by row, with its standard deviation and the published one beside it.

    Parameters
    ----------
    title, x_label : str
    names : tuple of str
    found, sd, published, published_sd : tuple of float or None
    published_in : str
    """

    title: str
    x_label: str
    names: tuple[str, ...]
    found: tuple[float | None, ...]
    sd: tuple[float | None, ...]
    published: tuple[float | None, ...]
    published_sd: tuple[float | None, ...]
    published_in: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A score by training and test domain, with the published one below it where it is known.

    Parameters
    ----------
    title : str
    rows, columns : tuple of str
        Trained on, tested on.
    found, published : tuple of tuple of float or None
    published_in : str
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    found: tuple[tuple[float | None, ...], ...]
    published: tuple[tuple[float | None, ...], ...]
    published_in: str = ""


@dataclass(frozen=True, slots=True)
class Curves:
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


Chart = Boxes | Bars | Matrix | Curves | CountMaps


def draw(chart: Chart, stem: Path) -> None:
    """Draw a chart as ``<stem>.svg`` and ``<stem>.png``; the same chart gives the same files.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    OutputError
        If a file cannot be written.
    """
    if util.find_spec("matplotlib") is None:
        raise ConfigError(
            "figures need matplotlib, which is not installed", mend="pip install 'mitoscope[train]'"
        )
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "mitoscope", "font.size": 9, "axes.spines.top": False}):
        picture = _figure(chart)
        with atomic_write(stem.with_suffix(".svg")) as stream:
            picture.savefig(stream, format="svg", metadata={"Date": None, "Creator": "mitoscope"})
        with atomic_write(stem.with_suffix(".png")) as stream:
            picture.savefig(stream, format="png", dpi=_DPI, metadata={"Software": "mitoscope"})


def _figure(chart: Chart) -> Figure:
    from matplotlib.figure import Figure

    picture = Figure(figsize=_size(chart), layout="constrained")
    if isinstance(chart, CountMaps):
        draw_count_maps(chart, picture)
        return picture
    axes = picture.add_subplot()
    axes.spines["right"].set_visible(False)
    width, _ = _size(chart)
    picture.suptitle(fill(chart.title, int(width * _LETTERS)), x=0.01, ha="left", fontsize=11)
    match chart:
        case Boxes():
            _boxes(chart, axes)
        case Bars():
            _bars(chart, axes)
        case Matrix():
            _matrix(chart, axes)
        case Curves():
            _curves(chart, axes)
    return picture


def _size(chart: Chart) -> tuple[float, float]:
    match chart:
        case Boxes():
            return max(7.0, 2.0 + 0.85 * len(chart.groups)), 5.2
        case Bars():
            return 8.0, 1.8 + 0.5 * len(chart.names)
        case Matrix():
            return max(6.5, 3.6 + 1.0 * len(chart.columns)), 2.6 + 0.6 * len(chart.rows)
        case Curves():
            return 7.0, 4.8
        case CountMaps():
            return size_of(chart)


def _boxes(chart: Boxes, axes: Axes) -> None:
    places = range(1, len(chart.groups) + 1)
    axes.boxplot(
        list(chart.groups.values()),
        positions=places,
        widths=0.55,
        patch_artist=True,
        boxprops={"facecolor": PALE, "edgecolor": HERE},
        medianprops={"color": HERE, "linewidth": 2},
        whiskerprops={"color": HERE},
        capprops={"color": HERE},
        flierprops={"marker": ".", "markersize": 4, "markeredgecolor": QUIET},
    )
    known = [
        (place, chart.published[name])
        for place, name in zip(places, chart.groups, strict=True)
        if name in chart.published
    ]
    if known:
        label = f"published median ({chart.published_in})"
        axes.plot(*zip(*known, strict=True), "D", color=PUBLISHED, markersize=5, zorder=5, label=label)
    for place, name in zip(places, chart.groups, strict=True):
        for cut in chart.cut_offs.get(name, ()):
            axes.plot([place - 0.42, place + 0.42], [cut, cut], "--", color=INK, linewidth=1.2)
    if chart.cut_offs:
        axes.plot([], [], "--", color=INK, linewidth=1.2, label="cut-off of a grade")
    count_axis(axes, chart.y_label)
    names = [f"{fill(name, 22)}\nn = {len(values)}" for name, values in chart.groups.items()]
    axes.set_xticks(list(places), labels=names, rotation=40, ha="right")
    if known or chart.cut_offs:
        axes.legend(frameon=False, loc="upper right")


def _bars(chart: Bars, axes: Axes) -> None:
    rows = np.arange(len(chart.names))[::-1]
    for shift, values, sds, colour, label in (
        (0.18, chart.found, chart.sd, HERE, "here"),
        (-0.18, chart.published, chart.published_sd, PUBLISHED, f"published ({chart.published_in})"),
    ):
        known = [
            (y, value, np.nan if sd is None else sd)
            for y, value, sd in zip(rows, values, sds, strict=True)
            if value is not None
        ]
        if not known:
            continue
        y, value, sd = (np.array(one, dtype=np.float64) for one in zip(*known, strict=True))
        axes.barh(y + shift, value, 0.34, xerr=sd, color=colour, label=label, ecolor="#374151", capsize=2)
        ends = value + np.nan_to_num(sd)
        for place, width, end in zip(y + shift, value, ends, strict=True):
            axes.annotate(f" {width:.3f}", (end, place), va="center", fontsize=7.5, color=INK)
    axes.set_yticks(rows, labels=list(chart.names))
    axes.set_xlabel(chart.x_label)
    axes.margins(x=0.12)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.2)


def _matrix(chart: Matrix, axes: Axes) -> None:
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


def _curves(chart: Curves, axes: Axes) -> None:
    marker = "" if chart.shares == "xy" else "o"
    for (name, points), style in zip(chart.lines.items(), cycle(_STYLES)):
        axes.plot(*zip(*points, strict=True), linestyle=style, marker=marker, markersize=3.5, label=name)
    if chart.logarithmic:
        axes.set_xscale("log")
    if chart.shares:
        axes.set_xlim(left=0, right=1.01 if chart.shares == "xy" else None)
        axes.set_ylim(0, 1.01)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.grid(color=GRID)
    if chart.lines:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
