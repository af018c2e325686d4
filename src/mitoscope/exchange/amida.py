"""AMIDA13 and TUPAC16: one CSV an image, ``row,column`` of the centre of one mitotic figure a row.

The row comes first: the first number is y. Numbers are taken as they stand, as level-0 pixels.
"""

from __future__ import annotations

from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import dump_rows, numbers, shortest
from mitoscope.exchange.figures import FigureList, figures
from mitoscope.exchange.format import Content, Format, ReadOptions, WriteOptions
from mitoscope.fsio import atomic_write
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import Study


def read(path: Path, options: ReadOptions) -> Study:
    """Read the centres of mitotic figures as spots.

    Raises
    ------
    FormatError
        If a row is not two numbers.
    """
    found = FigureList(options.slide_name(path), options)
    for where, values in numbers(path):
        if len(values) != 2:
            raise FormatError(f"row and column expected, got {len(values)} numbers", where=where)
        y, x = values
        found.label(found.build.cell(found.slide, (x, y)), MITOTIC_FIGURE)
    return found.study()


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write the centres of the mitotic figures of a slide.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    rows = [
        [shortest(y), shortest(x)]
        for x, y in (figure.centre_px0 for figure in figures(study, options, MITOTIC_FIGURE))
    ]
    with atomic_write(path) as stream:
        stream.write(dump_rows(rows))


def _recognises(content: Content) -> bool:
    return content.numbers is not None and all(len(row) == 2 for row in content.numbers)


FORMAT = Format(
    name="tupac16",
    title="AMIDA13 and TUPAC16 CSV: row,column",
    suffix=".csv",
    recognises=_recognises,
    read=read,
    write=write,
    one_slide=True,
)
