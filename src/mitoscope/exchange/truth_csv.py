"""True cells of many images as CSV: ``image,x,y,label[,w,h]``, centres in level-0 pixels.

A row of `image` alone states that the image holds no cell. Further columns that are understood: ``agreement``
(share of the raters, in [0, 1]), ``mpp`` (µm/px), ``case`` or ``patient``, ``tumour_type`` or ``domain``,
``scanner``, ``species``, ``laboratory``, ``split``; each image has one value of those that are not of a cell.
"""

from __future__ import annotations

import math
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.box_columns import read_points
from mitoscope.exchange.detections_csv import IMAGE_COLUMN, group_by_image
from mitoscope.exchange.image_columns import side_of, slide_of
from mitoscope.exchange.table import Row
from mitoscope.labels import IGNORED, LabelMapping
from mitoscope.truth import GroundTruth, SlideTruth, TrueCells

_PLACE = ("x", "y", "label")


def read_ground_truth(path: Path, *, mapping: LabelMapping) -> GroundTruth:
    """Read the true cells of many images.

    Parameters
    ----------
    path : Path
        See the head of this module; boxes may stand as x1, y1, x2, y2 in place of x and y.
    mapping : LabelMapping
        What class names stand for.

    Raises
    ------
    FormatError
        If it cannot be read, with file and line, if two images have one stem, or an image has two cases.
    UnknownLabelError
        If a class name is not known.
    """
    table = read_points(path, needed=(IMAGE_COLUMN, *_PLACE))
    rows_of = {
        image: [row for row in rows if not row.is_blank(_PLACE)]
        for image, rows in group_by_image(table, path).items()
    }
    counts: dict[str, int] = {}
    for row in (row for rows in rows_of.values() for row in rows):
        if not row.text("label"):
            raise row.missing("label")
        counts[row.text("label")] = counts.get(row.text("label"), 0) + 1
    class_of = mapping.map_names(counts, where=path)
    all_rows = group_by_image(table, path)
    slides = tuple(
        _slide_truth(image, _cells(rows, class_of), all_rows[image]) for image, rows in rows_of.items()
    )
    ignored = sum(count for name, count in counts.items() if class_of[name] == IGNORED)
    notes = (f"{ignored} cells of ignored classes are left out",) if ignored else ()
    return GroundTruth(slides, path.name, mapping.classes, None, class_of, notes)


def _cells(rows: list[Row], class_of: dict[str, str]) -> TrueCells:
    kept = [row for row in rows if class_of[row.text("label")] != IGNORED]
    return TrueCells.of(
        [(row.coordinate("x"), row.coordinate("y")) for row in kept],
        [class_of[row.text("label")] for row in kept],
        size_px0=[(_extent(row, "w"), _extent(row, "h")) for row in kept],
        agreement=[1.0 if row.is_blank(("agreement",)) else row.score("agreement") for row in kept],
    )


def _slide_truth(image: str, cells: TrueCells, rows: list[Row]) -> SlideTruth:
    placed = [(row.where, row.cells) for row in rows]
    slide = slide_of(image, placed)
    return SlideTruth(
        name=image,
        cells=cells,
        case=slide.case or "",
        mpp=slide.mpp,
        domain=slide.domain,
        side=side_of(image, placed),
    )


def _extent(row: Row, column: str) -> float:
    if row.is_blank((column,)):
        return math.nan
    extent = row.coordinate(column)
    if extent <= 0:
        what = f"a box of {extent:g} px has no extent"
        raise FormatError(what, where=f"{row.where}, column {column}", mend="correct it or leave it empty")
    return extent
