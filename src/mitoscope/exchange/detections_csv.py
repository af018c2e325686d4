"""Detections as CSV: ``x,y,score,label`` of one slide, or ``image,x,y,score[,label]`` of many.

Coordinates are the centres of cells in level-0 pixels of the full slide, scores lie in [0, 1]. Numbers are
written so that they read back as the same numbers. A row of `image` alone states that nothing was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mitoscope.detections import Detections
from mitoscope.exchange.csv_text import dump_rows, inert, shortest
from mitoscope.exchange.names import match_stems
from mitoscope.exchange.table import Row, Table, read_table
from mitoscope.fsio import atomic_write
from mitoscope.labels import DEFAULT_LABELS, MITOTIC_FIGURE, LabelSet

COLUMNS = ("x", "y", "score", "label")
IMAGE_COLUMN = "image"
_NUMBERS = ("x", "y", "score")


def write(path: Path, detections: Detections) -> None:
    """Write the detections of one slide, in their order.

    Raises
    ------
    OutputError
        If the file cannot be written; an earlier file then stays as it was.
    """
    with atomic_write(path) as stream:
        stream.write(dump_rows([COLUMNS, *_rows(detections)]))


def write_many(path: Path, detections: Mapping[str, Detections]) -> None:
    """Write the detections of many images, by image in the order given.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    rows: list[Sequence[object]] = [(IMAGE_COLUMN, *COLUMNS)]
    for image, found in detections.items():
        name = inert(image)
        rows += [(name, *row) for row in _rows(found)] or [(name, "", "", "", "")]
    with atomic_write(path) as stream:
        stream.write(dump_rows(rows))


def _rows(detections: Detections) -> list[tuple[str, str, str, str]]:
    columns = (detections.x_px0, detections.y_px0, detections.score)
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    return [
        (shortest(x), shortest(y), shortest(score), inert(label))
        for (x, y, score), label in zip(numbers, detections.label.tolist(), strict=True)
    ]


def read(path: Path, *, source: str | None = None, labels: LabelSet = DEFAULT_LABELS) -> Detections:
    """Read the detections of one slide.

    Parameters
    ----------
    path : Path
        With columns x, y, score and, if wanted, label; without a label all are mitotic figures.
    source : str, optional
        Who said so; the file's name if not given.
    labels : LabelSet
        Gives labels their canonical names.

    Raises
    ------
    FormatError
        If it cannot be read, with file and line.
    """
    return of_table(
        read_table(path, needed=_NUMBERS), source=path.name if source is None else source, labels=labels
    )


def of_table(table: Table, *, source: str, labels: LabelSet = DEFAULT_LABELS) -> Detections:
    """Return the detections of a table of one slide; see `read`."""
    return _detections(table.rows, source=source, labels=labels)


def read_many(
    path: Path, *, source: str | None = None, labels: LabelSet = DEFAULT_LABELS
) -> dict[str, Detections]:
    """Read the detections of many images.

    Returns
    -------
    dict
        Detections by the stem of the image's name, in the order of the file.

    Raises
    ------
    FormatError
        If it cannot be read, with file and line, or if two images have one stem.
    """
    return by_image(read_table(path, needed=(IMAGE_COLUMN, *_NUMBERS)), path, source=source, labels=labels)


def by_image(
    table: Table, path: Path, *, source: str | None = None, labels: LabelSet = DEFAULT_LABELS
) -> dict[str, Detections]:
    """Return the detections of each image of a table that was read from a file; see `read_many`."""
    groups = group_by_image(table, path)
    name = path.name if source is None else source
    return {
        image: _detections([row for row in rows if not row.is_blank(_NUMBERS)], source=name, labels=labels)
        for image, rows in groups.items()
    }


def group_by_image(table: Table, path: Path) -> dict[str, list[Row]]:
    """Return the rows of each image by its stem.

    Raises
    ------
    FormatError
        If a row names no image or two images have one stem.
    """
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(row.text(IMAGE_COLUMN), []).append(row)
    if "" in groups:
        raise groups[""][0].missing(IMAGE_COLUMN)
    stems = match_stems(groups, where=path)
    return {stems[image]: rows for image, rows in groups.items()}


def _detections(rows: list[Row], *, source: str, labels: LabelSet) -> Detections:
    canonical = {name: labels.canonical(name) for name in {row.text("label") for row in rows}}
    canonical[""] = MITOTIC_FIGURE.name
    numbers = [(row.coordinate("x"), row.coordinate("y"), row.score()) for row in rows]
    x, y, score = np.array(numbers, dtype=np.float64).reshape(-1, 3).T
    label = np.array([canonical[row.text("label")] for row in rows], dtype=np.str_)
    return Detections(x, y, score, label, np.full(len(rows), source))
