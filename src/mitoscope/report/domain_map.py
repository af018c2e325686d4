"""The heat map of a domain matrix: rows are trained on, columns are tested on."""

from __future__ import annotations

import numpy as np

from mitoscope.evaluate.domains import DomainMatrix
from mitoscope.report.axes import QUIET
from mitoscope.report.colours import INK, density_colours, lightness
from mitoscope.report.plot import Box, Shape, Sheet, Text

_CELL_WIDTH, _CELL_HEIGHT = 92.0, 46.0
_EMPTY = "#eef1f4"
_SCALE_STEPS = 60
_DARK_BELOW = 62.0
"""CIE L* below which a cell's text is white."""


def draw_domain_map(matrix: DomainMatrix) -> Sheet:
    """Draw a domain matrix, colours from the lowest to the highest mean."""
    text = max((len(name) for name in (*matrix.train, *matrix.test)), default=8)
    left, top = 46 + 6.6 * text, 66.0 + 5.0 * max((len(name) for name in matrix.test), default=0)
    width = left + _CELL_WIDTH * len(matrix.test) + 110
    sheet = Sheet(width, top + _CELL_HEIGHT * len(matrix.train) + 40)
    sheet.add(Text(20, 24, f"{matrix.name} by training and test domain, mean ± sd over folds", 15))
    low, high = _limits(matrix)
    for row, train in enumerate(matrix.train):
        y = top + _CELL_HEIGHT * row
        sheet.add(Text(left - 10, y + _CELL_HEIGHT / 2, train, 11.5, "end"))
        for column in range(len(matrix.test)):
            sheet.add(*_cell(matrix, row, column, (left + _CELL_WIDTH * column, y), limits=(low, high)))
    for column, test in enumerate(matrix.test):
        x = left + _CELL_WIDTH * (column + 0.5)
        sheet.add(Text(x, top - 10, test, 11.5, "start", upright=True))
    sheet.add(Text(left - 10, top - 30, "tested on", 11, "end", QUIET))
    sheet.add(Text(left - 10, top - 12, "trained on", 11, "end", QUIET))
    sheet.add(*_scale(sheet.width - 76, top, _CELL_HEIGHT * len(matrix.train), (low, high)))
    return sheet


def _limits(matrix: DomainMatrix) -> tuple[float, float]:
    known = matrix.mean[~np.isnan(matrix.mean)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.05, high + 0.05)


def _colour(value: float, limits: tuple[float, float]) -> tuple[str, str]:
    """Return the fill of a value and the colour of text on it."""
    # The darkest fifth of the scale is left out: differences there cannot be seen.
    share = 0.8 * (value - limits[0]) / (limits[1] - limits[0])
    colour = density_colours()[round(share * 255)]
    ink = "#ffffff" if lightness(colour[None])[0] < _DARK_BELOW else INK
    return "#" + "".join(f"{channel:02x}" for channel in colour.tolist()), ink


def _cell(
    matrix: DomainMatrix, row: int, column: int, corner: tuple[float, float], *, limits: tuple[float, float]
) -> list[Shape]:
    x, y = corner
    mean, sd = float(matrix.mean[row, column]), float(matrix.sd[row, column])
    middle = x + _CELL_WIDTH / 2
    if np.isnan(mean):
        tried = (matrix.train[row], matrix.test[column]) in matrix.cells
        return [
            Box(x + 1, y + 1, _CELL_WIDTH - 2, _CELL_HEIGHT - 2, _EMPTY),
            Text(middle, y + _CELL_HEIGHT / 2, "0/0" if tried else "–", 12, "middle", QUIET),
        ]
    fill, ink = _colour(mean, limits)
    shapes: list[Shape] = [Box(x + 1, y + 1, _CELL_WIDTH - 2, _CELL_HEIGHT - 2, fill)]
    if np.isnan(sd):
        return [*shapes, Text(middle, y + _CELL_HEIGHT / 2, f"{mean:.2f}", 14, "middle", ink)]
    return [
        *shapes,
        Text(middle, y + _CELL_HEIGHT / 2 - 7, f"{mean:.2f}", 14, "middle", ink),
        Text(middle, y + _CELL_HEIGHT / 2 + 10, f"± {sd:.2f}", 10.5, "middle", ink),
    ]


def _scale(x: float, top: float, height: float, limits: tuple[float, float]) -> list[Shape]:
    step = height / _SCALE_STEPS
    shapes: list[Shape] = []
    for n in range(_SCALE_STEPS):
        value = limits[1] - (limits[1] - limits[0]) * n / (_SCALE_STEPS - 1)
        shapes.append(Box(x, top + n * step, 14, step + 0.5, _colour(value, limits)[0]))
    ends = ((limits[1], top + 5), (limits[0], top + height - 5))
    return [*shapes, *(Text(x + 20, y, f"{value:.2f}", 10.5) for value, y in ends)]
