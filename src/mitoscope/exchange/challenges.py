"""The CSV files of the challenges: one an image, no header, one figure a row.

================  ==================================================================================
TUPAC16, AMIDA13  ``row,column`` of the centre: the first number is y
MITOS-ATYPIA      ``x,y,confidence`` in ``*_mitosis.csv`` and ``*_not_mitosis.csv``; in a file whose name does
                  not say which list it is, a confidence above 0.5 is read as a mitosis
MITOS 2012        ``x1,y1,x2,y2,…``: every pixel of the figure. Pixel (x, y) spans [x, x + 1) × [y, y + 1), so
                  the bounds of a cell reach one beyond its largest pixel
MiDeSeC           ``x1,y1,x2,y2,…``: the outline of the figure; the published description only says that the
                  borders are given, that a row is one polygon is assumed here
================  ==================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import dump_rows, numbers, read_rows, shortest
from mitoscope.exchange.figures import Figure, FigureList, figures
from mitoscope.exchange.format import Aspect, Content, Format, ReadOptions, WriteOptions
from mitoscope.fsio import atomic_write
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.store import Cells, Shape, Study

PIXELS = "mitos2012.pixels"
"""Attribute of a cell: its pixels, [x, y] each."""
FILLED_MIN = 0.3
"""A row lists the pixels of a figure when they fill at least this part of their bounding box; an outline of
some ten vertices fills a few per cent of it."""
CONFIDENT_ABOVE = 0.5
_LISTS = (("_not_mitosis", LOOK_ALIKE), ("_mitosis", MITOTIC_FIGURE))
_BOTH = (MITOTIC_FIGURE, LOOK_ALIKE)
_MAX_SIDE_PX = 2048

Numbers = list[float]
RowReader = Callable[[FigureList, Numbers, str, Label | None], None]
RowWriter = Callable[[Study, Figure], Sequence[float]]


def _read(row_reader: RowReader, by_name: bool, path: Path, options: ReadOptions) -> Study:
    stem, label = _which(path) if by_name else (path.stem, MITOTIC_FIGURE)
    named = options.slide or stem
    if by_name and options.slide is not None and PurePosixPath(options.slide).name == path.stem:
        named = PurePosixPath(options.slide).with_name(stem).as_posix()  # both lists are of one image
    figures = FigureList(named, options)
    rows = read_rows(path)
    for line, cells in rows:
        with figures.build.aside(cells, slide=named):
            where = f"{path}:{line}"
            row_reader(figures, numbers(cells, where), where, label)
    if rows and len(figures.build.quarantine) == len(rows):
        first = figures.build.quarantine[0]
        raise FormatError(f"{first.why}, not {','.join(rows[0][1])[:40]}", where=first.where)
    return figures.study()


def _write(row_writer: RowWriter, by_name: bool, study: Study, path: Path, options: WriteOptions) -> None:
    label = _which(path)[1] if by_name else MITOTIC_FIGURE
    rows = []
    for figure in figures(study, options, *(_BOTH if label is None else (label,))):
        row = row_writer(study, figure)
        if label is None and (row[2] > CONFIDENT_ABOVE) != (figure.label == MITOTIC_FIGURE):
            raise FormatError(
                f"a {figure.label.name} with confidence {row[2]:g} would be read as the other label",
                where=path,
                mend="name the file *_mitosis.csv or *_not_mitosis.csv to write one list",
            )
        rows.append([shortest(float(value)) for value in row])
    with atomic_write(path) as stream:
        stream.write(dump_rows(rows))


def _which(path: Path) -> tuple[str, Label | None]:
    """Return the image of a file of MITOS-ATYPIA, and which list it is; None where its name says neither."""
    for end, label in _LISTS:
        if path.stem.endswith(end):
            return path.stem.removesuffix(end), label
    return path.stem, None


def _check_length(values: Numbers, columns: str, where: str) -> None:
    if len(values) != columns.count(",") + 1:
        raise FormatError(f"{columns} expected, got {len(values)} numbers", where=where)


def _pairs(values: Numbers, where: str, *, least: int) -> NDArray[np.float64]:
    if len(values) % 2 or len(values) < 2 * least:
        what = f"pairs of x and y expected, at least {least}, got {len(values)} numbers"
        raise FormatError(what, where=where)
    return np.array(values, dtype=np.float64).reshape(-1, 2)


def _read_centre(found: FigureList, values: Numbers, where: str, label: Label | None) -> None:
    _check_length(values, "row,column", where)
    found.add(values[::-1], label or MITOTIC_FIGURE)


def _centre(_: Study, figure: Figure) -> Sequence[float]:
    return figure.centre_px0[::-1]


def _read_confidence(found: FigureList, values: Numbers, where: str, label: Label | None) -> None:
    _check_length(values, "x,y,confidence", where)
    *centre, confidence = values
    if not 0 <= confidence <= 1:
        raise FormatError(f"a confidence in [0, 1] expected, got {confidence:g}", where=where)
    own = MITOTIC_FIGURE if confidence > CONFIDENT_ABOVE else LOOK_ALIKE
    found.add(centre, label or own, score=confidence)


def _confidence(_: Study, figure: Figure) -> Sequence[float]:
    """Return centre and score; a figure without one has 1, a look-alike without one 0."""
    stated = float(figure.label == MITOTIC_FIGURE) if math.isnan(figure.score) else figure.score
    return (*figure.centre_px0, stated)


def _read_outline(found: FigureList, values: Numbers, where: str, label: Label | None) -> None:
    points = _pairs(values, where, least=3)
    closed = len(points) > 3 and (points[0] == points[-1]).all()
    vertices = points[:-1] if closed else points
    bounds = (*vertices.min(axis=0).tolist(), *vertices.max(axis=0).tolist())
    found.add(bounds, label or MITOTIC_FIGURE, shape=Shape.POLYGON, vertices_px0=vertices)


def _outline(study: Study, figure: Figure) -> Sequence[float]:
    """Return the outline, of a box or circle its four corners, of a spot those of the pixel that holds it."""
    cells, row = study.cells, figure.row
    if cells.shape[row] == Shape.POLYGON:
        return np.ravel(cells.vertices_px0[row]).tolist()
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    if cells.shape[row] == Shape.SPOT:
        x_min, y_min = math.floor(x_min), math.floor(y_min)
        x_max, y_max = x_min + 1, y_min + 1
    return [x_min, y_min, x_max, y_min, x_max, y_max, x_min, y_max]


def _read_pixels(found: FigureList, values: Numbers, where: str, label: Label | None) -> None:
    pixels = _pairs(values, where, least=1)
    bounds = (*pixels.min(axis=0).tolist(), *(pixels.max(axis=0) + 1).tolist())
    listed = [[int(value) if value.is_integer() else value for value in pixel] for pixel in pixels.tolist()]
    found.add(bounds, label or MITOTIC_FIGURE, shape=Shape.BOX, attributes={PIXELS: listed})


def _pixels(study: Study, figure: Figure) -> Sequence[float]:
    """Return the pixels that a figure came with, else those whose centre lies inside.

    Of a spot that is the pixel that holds it.
    """
    cells, row = study.cells, figure.row
    given = cells.attributes.get(row, {}).get(PIXELS)
    if given is not None:
        return [value for pixel in given for value in pixel]
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    if cells.shape[row] == Shape.SPOT:
        return [math.floor(x_min), math.floor(y_min)]
    if max(x_max - x_min, y_max - y_min) > _MAX_SIDE_PX:
        raise FormatError(f"larger than {_MAX_SIDE_PX} px", where=f"cell {row}", mend="choose another format")
    columns = np.arange(math.floor(x_min), math.ceil(x_max))
    lines = np.arange(math.floor(y_min), math.ceil(y_max))
    x, y = (grid.ravel() for grid in np.meshgrid(columns, lines))
    inside = np.column_stack([x, y])[_inside(cells, row, x + 0.5, y + 0.5)]
    if not len(inside):
        return [math.floor((x_min + x_max) / 2), math.floor((y_min + y_max) / 2)]
    return [float(value) for value in inside.ravel()]


def _inside(cells: Cells, row: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    if cells.shape[row] == Shape.CIRCLE:
        u = (2 * x - x_min - x_max) / (x_max - x_min)
        v = (2 * y - y_min - y_max) / (y_max - y_min)
        return np.asarray(u * u + v * v <= 1)
    if cells.shape[row] == Shape.POLYGON:
        # The even-odd rule, by which an outline that crosses itself is filled.
        rings = shapely.make_valid(shapely.Polygon(cells.vertices_px0[row]))
        return np.asarray(shapely.contains_xy(rings, x, y))
    return np.asarray((x >= x_min) & (x < x_max) & (y >= y_min) & (y < y_max))


def _filled(values: Numbers) -> float:
    """Return which part of their bounding box the pixels of a row fill, 0 where it is no list of pixels."""
    if len(values) % 2 or not values or not all(value.is_integer() for value in values):
        return 0.0
    points = np.unique(np.array(values).reshape(-1, 2), axis=0)
    return float(len(points) / np.prod(np.ptp(points, axis=0) + 1))


def _holds_outlines(rows: list[Numbers]) -> bool:
    return all(len(row) % 2 == 0 and len(row) >= 6 and _filled(row) < FILLED_MIN for row in rows)


def _holds_pixels(rows: list[Numbers]) -> bool:
    long = [row for row in rows if len(row) > 4]
    all_even = all(len(row) % 2 == 0 for row in rows)
    return bool(long) and all_even and all(_filled(row) >= FILLED_MIN for row in long)


def _format(
    name: str,
    title: str,
    row_reader: RowReader,
    row_writer: RowWriter,
    recognises: Callable[[list[Numbers]], bool],
    *aspects: Aspect,
) -> Format:
    by_name = Aspect.LOOK_ALIKES in aspects

    def of_content(content: Content) -> bool:
        return content.numbers is not None and recognises(content.numbers)

    return Format(
        name=name,
        title=title,
        suffix=".csv",
        recognises=of_content,
        read=partial(_read, row_reader, by_name),
        write=partial(_write, row_writer, by_name),
        holds=frozenset(aspects),
        one_slide=True,
    )


CHALLENGES = (
    _format(
        "mitos-atypia-2014",
        "MITOS-ATYPIA 2014 CSV: x,y,confidence",
        _read_confidence,
        _confidence,
        lambda rows: all(len(row) == 3 and 0 <= row[2] <= 1 for row in rows),
        Aspect.LOOK_ALIKES,
        Aspect.SCORES,
    ),
    _format(
        "tupac16",
        "AMIDA13 and TUPAC16 CSV: row,column",
        _read_centre,
        _centre,
        lambda rows: all(len(row) == 2 for row in rows),
    ),
    _format(
        "mitos2012",
        "MITOS 2012 CSV: the pixels of one mitosis a row",
        _read_pixels,
        _pixels,
        _holds_pixels,
        Aspect.SHAPES,
    ),
    _format(
        "midesec",
        "MiDeSeC CSV: the outline of one mitotic figure a row",
        _read_outline,
        _outline,
        _holds_outlines,
        Aspect.SHAPES,
    ),
)
"""The formats."""
