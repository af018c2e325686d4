"""What figures of experiments show: boxes, bars, curves, matrices and maps beside the published values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Ring = tuple[tuple[float, float], ...]
"""Corners x, y in mm."""


@dataclass(frozen=True, slots=True)
class BoxPlots:
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


Chart = BoxPlots | Bars | Matrix | Curves | CountMaps
