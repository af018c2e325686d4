"""MiDeSeC: one CSV an image, each row the outline of one mitotic figure as ``x1,y1,x2,y2,…``.

The published description only says that the borders of the figures are given; that a row is one polygon in
pixels of the image is assumed here.
"""

from __future__ import annotations

from pathlib import Path

from mitoscope.exchange.csv_text import dump_rows, numbers, shortest
from mitoscope.exchange.figures import FigureList, figures, pairs
from mitoscope.exchange.format import Aspect, Content, Format, ReadOptions, WriteOptions
from mitoscope.exchange.mitos2012 import FILLED_MIN, filled
from mitoscope.fsio import atomic_write
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import Cells, Shape, Study


def read(path: Path, options: ReadOptions) -> Study:
    """Read outlines as polygons; a last point that repeats the first is left out.

    Raises
    ------
    FormatError
        If a row is not at least three pairs of numbers.
    """
    found = FigureList(options.slide_name(path), options)
    for where, values in numbers(path):
        points = pairs(values, where, least=3)
        closed = len(points) > 3 and (points[0] == points[-1]).all()
        cell = found.build.polygon(found.slide, points[:-1] if closed else points)
        found.label(cell, MITOTIC_FIGURE)
    return found.study()


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write the outlines of the mitotic figures of a slide; of a box or circle its four corners.

    A spot has no outline and is written as the pixel that holds it.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    rows = [_outline(study.cells, figure.row) for figure in figures(study, options, MITOTIC_FIGURE)]
    with atomic_write(path) as stream:
        stream.write(dump_rows([[shortest(one) for point in row for one in point] for row in rows]))


def _outline(cells: Cells, row: int) -> list[list[float]]:
    if cells.shape[row] == Shape.POLYGON:
        points: list[list[float]] = cells.vertices_px0[row].tolist()
        return points
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    if cells.shape[row] == Shape.SPOT:
        x_min, y_min = float(int(x_min // 1)), float(int(y_min // 1))
        x_max, y_max = x_min + 1, y_min + 1
    return [[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]]


def _recognises(content: Content) -> bool:
    rows = content.numbers
    if not rows or any(len(row) % 2 or len(row) < 6 for row in rows):
        return False
    return all(filled(row) < FILLED_MIN for row in rows)


FORMAT = Format(
    name="midesec",
    title="MiDeSeC CSV: the outline of one mitotic figure a row",
    suffix=".csv",
    recognises=_recognises,
    read=read,
    write=write,
    holds=frozenset({Aspect.SHAPES}),
    one_slide=True,
)
