"""MITOS-ATYPIA 2014: ``x,y,confidence`` a row, in ``*_mitosis.csv`` and ``*_not_mitosis.csv`` beside it.

``x`` and ``y`` are the centre in pixels of the frame, ``confidence`` in [0, 1] is how sure the pathologists
are that it is a mitosis. In a file whose name does not say which list it is, a confidence above 0.5 is read
as a mitosis.
"""

from __future__ import annotations

import math
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import dump_rows, numbers, shortest
from mitoscope.exchange.figures import Figure, FigureList, figures
from mitoscope.exchange.format import Aspect, Content, Format, ReadOptions, WriteOptions
from mitoscope.fsio import atomic_write
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.store import Study

CONFIDENT_ABOVE = 0.5
_LISTS = (("_not_mitosis", LOOK_ALIKE), ("_mitosis", MITOTIC_FIGURE))


def read(path: Path, options: ReadOptions) -> Study:
    """Read spots with their confidence as the score.

    Raises
    ------
    FormatError
        If a row is not three numbers or a confidence lies outside [0, 1].
    """
    stem, label = _which(path)
    found = FigureList(options.slide or stem, options)
    for where, values in numbers(path):
        if len(values) != 3:
            raise FormatError(f"x, y and confidence expected, got {len(values)} numbers", where=where)
        x, y, confidence = values
        if not 0 <= confidence <= 1:
            raise FormatError(f"a confidence of {confidence:g} outside [0, 1]", where=where)
        cell = found.build.cell(found.slide, (x, y))
        own = MITOTIC_FIGURE if confidence > CONFIDENT_ABOVE else LOOK_ALIKE
        found.label(cell, label or own, score=confidence)
    return found.study()


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write the list that the file's name asks for, or both in one where it asks for none.

    A figure without a score has confidence 1, a look-alike without one 0.

    Raises
    ------
    FormatError
        If both lists go into one file and a score contradicts its label.
    OutputError
        If it cannot be written.
    """
    _, label = _which(path)
    wanted = (MITOTIC_FIGURE, LOOK_ALIKE) if label is None else (label,)
    rows = [_row(figure, path, alone=label is not None) for figure in figures(study, options, *wanted)]
    with atomic_write(path) as stream:
        stream.write(dump_rows(rows))


def _which(path: Path) -> tuple[str, Label | None]:
    for end, label in _LISTS:
        if path.stem.endswith(end):
            return path.stem.removesuffix(end), label
    return path.stem, None


def _row(figure: Figure, path: Path, *, alone: bool) -> list[str]:
    is_figure = figure.label == MITOTIC_FIGURE
    confidence = float(is_figure) if math.isnan(figure.score) else figure.score
    if not alone and (confidence > CONFIDENT_ABOVE) != is_figure:
        raise FormatError(
            f"a {figure.label.name} with confidence {confidence:g} would be read as the other label",
            where=path,
            mend="name the file *_mitosis.csv or *_not_mitosis.csv to write one list",
        )
    return [*map(shortest, figure.centre_px0), shortest(confidence)]


def _recognises(content: Content) -> bool:
    rows = content.numbers
    return bool(rows) and all(len(row) == 3 and 0 <= row[2] <= 1 for row in rows or [])


FORMAT = Format(
    name="mitos-atypia-2014",
    title="MITOS-ATYPIA 2014 CSV: x,y,confidence",
    suffix=".csv",
    recognises=_recognises,
    read=read,
    write=write,
    holds=frozenset({Aspect.LOOK_ALIKES, Aspect.SCORES}),
    one_slide=True,
)
