"""Colours and scales that figures of experiments share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HERE: Final = "#0072b2"
"""The blue of Okabe and Ito: what was found."""
PUBLISHED: Final = "#d55e00"
"""Their vermilion: what was published."""
QUIET: Final = "#6b7480"
INK: Final = "#111827"
PALE: Final = "#cfe3f2"
"""Inside of boxes."""
GRID: Final = "#e5e7eb"
_TICKS: Final = (0, 2, 5, 10, 20, 50, 100, 200, 500)


def count_axis(axes: Axes, label: str) -> None:
    """Give counts a vertical axis, linear up to 10 and logarithmic from there, so that 0 has a place."""
    axes.set_yscale("symlog", linthresh=10)
    axes.set_yticks(_TICKS, labels=[str(one) for one in _TICKS])
    axes.set_ylim(bottom=-0.5)
    axes.set_ylabel(label)
    axes.grid(axis="y", color=GRID, zorder=0)
