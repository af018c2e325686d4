"""Figures of experiments: box plots, bars, curves and matrices beside the published values."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Final

import numpy as np

from mitoscope.errors import ConfigError
from mitoscope.fsio import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HERE: Final = "#0072b2"
"""The blue of Okabe and Ito: what was found."""
PUBLISHED: Final = "#d55e00"
"""Their vermilion: what was published."""
_QUIET: Final = "#6b7480"
_DPI: Final = 150


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
    """

    title: str
    x_label: str
    y_label: str
    lines: dict[str, tuple[tuple[float, float], ...]]
    logarithmic: bool = False


Chart = Boxes | Bars | Matrix | Curves


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
    axes = picture.add_subplot()
    axes.spines["right"].set_visible(False)
    axes.set_title(chart.title, fontsize=11, loc="left", pad=14)
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
            return 3.6 + 1.0 * len(chart.columns), 2.6 + 0.6 * len(chart.rows)
        case Curves():
            return 7.0, 4.8


def _boxes(chart: Boxes, axes: Axes) -> None:
    places = range(1, len(chart.groups) + 1)
    axes.boxplot(
        list(chart.groups.values()),
        positions=places,
        widths=0.55,
        patch_artist=True,
        boxprops={"facecolor": "#cfe3f2", "edgecolor": HERE},
        medianprops={"color": HERE, "linewidth": 2},
        whiskerprops={"color": HERE},
        capprops={"color": HERE},
        flierprops={"marker": ".", "markersize": 4, "markeredgecolor": _QUIET},
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
            axes.plot([place - 0.42, place + 0.42], [cut, cut], "--", color="#111827", linewidth=1.2)
    if chart.cut_offs:
        axes.plot([], [], "--", color="#111827", linewidth=1.2, label="cut-off of a grade")
    axes.set_yscale("symlog", linthresh=10)
    axes.set_yticks(
        [0, 2, 5, 10, 20, 50, 100, 200, 500], labels=["0", "2", "5", "10", "20", "50", "100", "200", "500"]
    )
    axes.set_ylim(bottom=-0.5)
    names = [f"{fill(name, 22)}\nn = {len(values)}" for name, values in chart.groups.items()]
    axes.set_xticks(list(places), labels=names, rotation=40, ha="right")
    axes.set_ylabel(chart.y_label)
    axes.grid(axis="y", color="#e5e7eb", zorder=0)
    if known or chart.cut_offs:
        axes.legend(frameon=False, loc="upper right")


def _bars(chart: Bars, axes: Axes) -> None:
    rows = np.arange(len(chart.names))[::-1]
    for shift, values, sds, colour, label in (
        (0.18, chart.found, chart.sd, HERE, "here"),
        (-0.18, chart.published, chart.published_sd, PUBLISHED, f"published ({chart.published_in})"),
    ):
        known = [
            (y, value, sd or 0.0) for y, value, sd in zip(rows, values, sds, strict=True) if value is not None
        ]
        if not known:
            continue
        y, value, sd = (np.array(one, dtype=np.float64) for one in zip(*known, strict=True))
        axes.barh(y + shift, value, 0.34, xerr=sd, color=colour, label=label, ecolor="#374151", capsize=2)
        for place, width in zip(y + shift, value, strict=True):
            axes.annotate(f" {width:.3f}", (width, place), va="center", fontsize=7.5, color="#111827")
    axes.set_yticks(rows, labels=list(chart.names))
    axes.set_xlabel(chart.x_label)
    axes.margins(x=0.12)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _matrix(chart: Matrix, axes: Axes) -> None:
    values = np.array(chart.found, dtype=np.float64).reshape(len(chart.rows), len(chart.columns))
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=low - 0.1, vmax=high + 0.15, aspect="auto")
    middle = low + 0.55 * (high - low)
    for row, (line, published) in enumerate(zip(values, chart.published, strict=True)):
        for column, (value, other) in enumerate(zip(line, published, strict=True)):
            dark = not np.isnan(value) and value > middle
            text = "–" if np.isnan(value) else f"{value:.2f}"
            axes.text(
                column, row - 0.12, text, ha="center", va="center", color="white" if dark else "#111827"
            )
            if other is not None:
                colour = "#ffd9b8" if dark else PUBLISHED
                axes.text(
                    column, row + 0.27, f"{other:.2f}", ha="center", va="center", fontsize=7, color=colour
                )
    axes.set_xticks(range(len(chart.columns)), labels=list(chart.columns), rotation=35, ha="right")
    axes.set_yticks(range(len(chart.rows)), labels=list(chart.rows))
    axes.set_xlabel("tested on")
    axes.set_ylabel("trained on")
    if chart.published_in:
        axes.annotate(
            f"small: published ({chart.published_in})",
            (0, 1.01),
            xycoords="axes fraction",
            fontsize=7.5,
            color=PUBLISHED,
        )


def _curves(chart: Curves, axes: Axes) -> None:
    for name, points in chart.lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3.5, label=name)
    if chart.logarithmic:
        axes.set_xscale("log")
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.grid(color="#e5e7eb")
    if chart.lines:
        axes.legend(frameon=False)
