"""Detections as CSV: ``x,y,score,label`` of one slide, or ``image,x,y,score[,label]`` of many.

Coordinates are the centres of cells in level-0 pixels of the full slide, scores lie in [0, 1]. Numbers are
written so that they read back as the same numbers. A row of `image` alone states that nothing was found.
What lies below the threshold of its search is labelled *mitotic figure candidate*, so that who counts the
class mitotic figure counts right; read back, it is a mitotic figure of its score below that threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from mitoscope.detections import NOT_STATED, Detections, Searched
from mitoscope.exchange.csv_text import dump_rows, inert, shortest
from mitoscope.exchange.table import COLUMN_NAMES, Row, Table, read_table
from mitoscope.fsio import atomic_write
from mitoscope.image_names import match_stems
from mitoscope.labels import CANDIDATE, FIELD_LABELS, IGNORED, MITOTIC_FIGURE, LabelMapping, is_candidate

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
    columns = (detections.x_px0, detections.y_px0, detections.score, detections.stated_label)
    rows = [
        (shortest(x), shortest(y), shortest(score), inert(label))
        for x, y, score, label in zip(*(column.tolist() for column in columns), strict=True)
    ]
    with atomic_write(path) as stream:
        stream.write(dump_rows([COLUMNS, *rows]))


def read(
    path: Path,
    *,
    source: str | None = None,
    mapping: LabelMapping | None = None,
    searched: Searched = NOT_STATED,
) -> Detections:
    """Read the detections of one slide.

    Parameters
    ----------
    path : Path
        With columns x, y, score and, if wanted, label; without a label all are mitotic figures.
    source : str, optional
        Who said so; the file's name if not given.
    mapping : LabelMapping, optional
        What class names stand for; without it, names that the field does not know stay as they are.
    searched : Searched
        What is known of the search.

    Raises
    ------
    FormatError
        If it cannot be read, with file and line.
    UnknownLabelError
        If a mapping is given and does not know a name.
    """
    table = read_table(path, needed=_NUMBERS, names=COLUMN_NAMES)
    name = path.name if source is None else source
    return of_rows(table.rows, name, classes_of(table, path, mapping), searched)


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


def classes_of(table: Table, path: Path, mapping: LabelMapping | None) -> dict[str, str]:
    """Return the class of each name in a table, or ``ignore``; no name (``""``) is a mitotic figure.

    Raises
    ------
    UnknownLabelError
        If a mapping is given and does not know a name.
    """
    counts: dict[str, int] = {}
    for row in table.rows:
        if not row.is_blank(_NUMBERS):
            counts[row.text("label")] = counts.get(row.text("label"), 0) + 1
    counts.pop("", None)
    candidates = {name: CANDIDATE.name for name in counts if is_candidate(name)}
    named = {name: count for name, count in counts.items() if name not in candidates}
    if mapping is None:
        known = {name: FIELD_LABELS.canonical(name) for name in named}
    else:
        known = mapping.map_names(named, where=path)
    return {**known, **candidates, "": MITOTIC_FIGURE.name}


def of_rows(
    rows: Iterable[Row], source: str, class_of: Mapping[str, str], searched: Searched = NOT_STATED
) -> Detections:
    """Return the detections of the rows of one slide; see `read`, for the classes `classes_of`.

    Raises
    ------
    FormatError
        If a row cannot be read, with file and line.
    """
    named = [row for row in rows if IMAGE_COLUMN not in row.cells or not row.is_blank(_NUMBERS)]
    kept = [row for row in named if class_of[row.text("label")] != IGNORED]
    numbers = [
        (row.coordinate("x"), row.coordinate("y"), row.score() if "score" in row.cells else 1.0)
        for row in kept
    ]
    x, y, score = np.array(numbers, dtype=np.float64).reshape(-1, 3).T
    label = np.array([class_of[row.text("label")] for row in kept], dtype=np.str_)
    found = Detections(x, y, score, label, np.full(len(kept), source), searched)
    return found.with_candidates_as_figures()
