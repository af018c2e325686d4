"""Axes of a panel: where values lie on the sheet, ticks, grid and names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mitoscope.report.colours import INK
from mitoscope.report.plot import Line, Shape, Text

GRID = "#e3e7eb"
FRAME = "#8a949e"
QUIET = "#57606a"
_LEGEND_ROW = 17.0
_LETTER = 6.0
"""Mean width of a letter of legends, in units."""


@dataclass(frozen=True, slots=True)
class Axes:
    """A panel's plotting area on the sheet and the range of its values, y upwards.

    Parameters
    ----------
    left, top, width, height : float
        Of the plotting area, in units of the sheet.
    x_range, y_range : tuple of float
        Values at the ends.
    """

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pair of values lies on the sheet; what is beyond the ends lies on the frame."""
        share_x = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        share_y = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        return (
            self.left + min(max(share_x, 0.0), 1.0) * self.width,
            self.top + (1 - min(max(share_y, 0.0), 1.0)) * self.height,
        )

    def line(
        self, x: Iterable[float], y: Iterable[float], colour: str, *, width: float = 2.0, dashed: bool = False
    ) -> list[Shape]:
        """Return a curve; values that are NaN break it."""
        parts: list[list[tuple[float, float]]] = [[]]
        for one, other in zip(x, y, strict=True):
            if math.isnan(one) or math.isnan(other):
                parts.append([])
            else:
                parts[-1].append(self.place(one, other))
        return [Line(part, colour, width, dashed) for part in parts if len(part) > 1]

    def frame(self, title: str, x_name: str, y_name: str) -> list[Shape]:
        """Return grid, frame, ticks, names and title."""
        middle_x, middle_y = self.left + self.width / 2, self.top + self.height / 2
        return [
            *self.x_ticks(),
            *self._y_ticks(),
            self.outline(),
            Text(self.left, self.top - 16, title, 13.5),
            Text(middle_x, self.top + self.height + 38, x_name, 12, "middle", QUIET),
            Text(self.left - 42, middle_y, y_name, 12, "middle", QUIET, upright=True),
        ]

    def outline(self) -> Line:
        """Return the frame."""
        right, bottom = self.left + self.width, self.top + self.height
        corners = [(self.left, self.top), (right, self.top), (right, bottom), (self.left, bottom)]
        return Line([*corners, corners[0]], FRAME, 1.0)

    def x_ticks(self) -> list[Shape]:
        """Return the ticks of the x axis, with their grid."""
        shapes: list[Shape] = []
        for value, label in ticks(*self.x_range):
            x, bottom = self.place(value, self.y_range[0])
            shapes.append(Line([(x, self.top), (x, bottom)], GRID))
            shapes.append(Text(x, bottom + 15, label, 11, "middle", INK))
        return shapes

    def _y_ticks(self) -> list[Shape]:
        shapes: list[Shape] = []
        for value, label in ticks(*self.y_range):
            left, y = self.place(self.x_range[0], value)
            shapes.append(Line([(left, y), (left + self.width, y)], GRID))
            shapes.append(Text(left - 8, y, label, 11, "end", INK))
        return shapes

    def legend(self, entries: Sequence[tuple[str, str]]) -> list[Shape]:
        """Return lines with their names below the panel: in a row if they fit, else one below another.

        Parameters
        ----------
        entries : sequence of tuple of str
            Names and colours.
        """
        lengths = [44 + _LETTER * len(name) for name, _ in entries]
        in_a_row = sum(lengths) <= self.width
        x, y = self.left, self.top + self.height + 60
        shapes: list[Shape] = []
        for (name, colour), length in zip(entries, lengths, strict=True):
            shapes += [Line([(x, y), (x + 22, y)], colour, 2.5), Text(x + 29, y, name, 11)]
            x, y = (x + length, y) if in_a_row else (x, y + _LEGEND_ROW)
        return shapes


def ticks(low: float, high: float, *, most: int = 6) -> list[tuple[float, str]]:
    """Return round values from low to high, at most six, and how they are written."""
    span = high - low
    step = 10.0 ** math.floor(math.log10(span / most))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10, 20) if span / (step * factor) <= most + 1e-9)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, f"{n * step:.10g}") for n in range(first, last + 1)]
