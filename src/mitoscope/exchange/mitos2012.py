"""MITOS 2012 (ICPR contest): one CSV an image, each row the pixel coordinates of one mitosis.

A row is ``x1,y1,x2,y2,…``: column and row of every pixel that belongs to the figure. Pixel (x, y) spans
[x, x + 1) × [y, y + 1), so the bounds of a cell reach one beyond its largest pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import dump_rows, numbers, shortest
from mitoscope.exchange.figures import FigureList, figures, pairs
from mitoscope.exchange.format import Aspect, Content, Format, ReadOptions, WriteOptions
from mitoscope.fsio import atomic_write
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import Cells, Shape, Study

PIXELS = "mitos2012.pixels"
"""Attribute of a cell: its pixels, [x, y] each."""
FILLED_MIN = 0.3
"""A row lists the pixels of a figure when they fill at least this part of their bounding box; an outline of
some ten vertices fills a few per cent of it."""
_MAX_SIDE_PX = 2048


def read(path: Path, options: ReadOptions) -> Study:
    """Read a list of pixels; each figure is a box with its pixels as attribute.

    Raises
    ------
    FormatError
        If a row is not pairs of numbers.
    """
    found = FigureList(options.slide_name(path), options)
    for where, values in numbers(path):
        pixels = pairs(values, where, least=1)
        bounds = (*pixels.min(axis=0).tolist(), *(pixels.max(axis=0) + 1).tolist())
        attributes = {PIXELS: [[_plain(x), _plain(y)] for x, y in pixels.tolist()]}
        cell = found.build.cell(found.slide, bounds, shape=Shape.BOX, attributes=attributes)
        found.label(cell, MITOTIC_FIGURE)
    return found.study()


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write the mitotic figures of a slide as lists of pixels.

    A figure that came as pixels is written with them; of any other shape those pixels are written whose
    centre lies inside, of a spot the pixel that holds it.

    Raises
    ------
    FormatError
        If a figure is larger than 2048 px.
    OutputError
        If it cannot be written.
    """
    rows = [_pixels(study.cells, figure.row) for figure in figures(study, options, MITOTIC_FIGURE)]
    with atomic_write(path) as stream:
        stream.write(dump_rows([[shortest(float(one)) for pixel in row for one in pixel] for row in rows]))


def _pixels(cells: Cells, row: int) -> Sequence[Sequence[float]]:
    given = cells.attributes.get(row, {}).get(PIXELS)
    if given is not None:
        pixels: Sequence[Sequence[float]] = given
        return pixels
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    if cells.shape[row] == Shape.SPOT:
        return [(np.floor(x_min), np.floor(y_min))]
    if max(x_max - x_min, y_max - y_min) > _MAX_SIDE_PX:
        raise FormatError(f"larger than {_MAX_SIDE_PX} px", where=f"cell {row}", mend="choose another format")
    columns = np.arange(np.floor(x_min), np.ceil(x_max))
    lines = np.arange(np.floor(y_min), np.ceil(y_max))
    x, y = (grid.ravel() for grid in np.meshgrid(columns, lines))
    inside = _inside(cells, row, x + 0.5, y + 0.5)
    points: list[list[float]] = np.column_stack([x, y])[inside].tolist()
    return points or [(np.floor((x_min + x_max) / 2), np.floor((y_min + y_max) / 2))]


def _inside(cells: Cells, row: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    if cells.shape[row] == Shape.CIRCLE:
        u = (2 * x - x_min - x_max) / (x_max - x_min)
        v = (2 * y - y_min - y_max) / (y_max - y_min)
        return np.asarray(u * u + v * v <= 1)
    if cells.shape[row] == Shape.POLYGON:
        return _even_odd(cells.vertices_px0[row], x, y)
    return np.asarray((x >= x_min) & (x < x_max) & (y >= y_min) & (y < y_max))


def _even_odd(
    vertices: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    inside = np.zeros(len(x), dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            inside ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return inside


def _plain(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def filled(values: list[float]) -> float:
    """Return which part of their bounding box the pixels of a row fill, 0 where it is no list of pixels."""
    whole = all(value.is_integer() for value in values)
    if len(values) % 2 or not values or not whole:
        return 0.0
    points = np.unique(np.array(values).reshape(-1, 2), axis=0)
    return float(len(points) / np.prod(np.ptp(points, axis=0) + 1))


def _recognises(content: Content) -> bool:
    rows = content.numbers
    if not rows or all(len(row) <= 4 for row in rows):
        return False
    return all(filled(row) >= FILLED_MIN for row in rows if len(row) > 4) and not any(
        len(row) % 2 for row in rows
    )


FORMAT = Format(
    name="mitos2012",
    title="MITOS 2012 CSV: the pixels of one mitosis a row",
    suffix=".csv",
    recognises=_recognises,
    read=read,
    write=write,
    holds=frozenset({Aspect.SHAPES}),
    one_slide=True,
)
