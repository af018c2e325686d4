"""True cells of many images as CSV: ``image,x,y,label[,w,h]``, centres in level-0 pixels.

A row of `image` alone states that the image holds no cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.exchange.box_columns import read_points
from mitoscope.exchange.detections_csv import IMAGE_COLUMN, group_by_image
from mitoscope.exchange.table import Row
from mitoscope.labels import DEFAULT_LABELS, LabelSet


@dataclass(frozen=True, eq=False)
class Truth:
    """The labelled cells of one image.

    Parameters
    ----------
    points_px0 : ndarray of float64, shape (n, 2)
        Centres in level-0 pixels.
    label : ndarray of str, shape (n,)
        Canonical names.
    size_px0 : ndarray of float64, shape (n, 2)
        Width and height in level-0 pixels; NaN where not given.
    """

    points_px0: NDArray[np.float64]
    label: NDArray[np.str_]
    size_px0: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    def labelled(self, label: str) -> NDArray[np.float64]:
        """Return the centres of the cells of one label, shape (k, 2)."""
        return np.asarray(self.points_px0[self.label == label])


def read(path: Path, *, labels: LabelSet = DEFAULT_LABELS) -> dict[str, Truth]:
    """Read the true cells of many images.

    Parameters
    ----------
    path : Path
        With columns image, x, y and label, in any order; w and h if known, or boxes as x1, y1, x2, y2 in
        place of x and y; further columns are left out.
    labels : LabelSet
        Gives labels their canonical names ("Mitosis" → "mitotic figure"); a name that it does not know stays.

    Returns
    -------
    dict
        Cells by the stem of the image's name, in the order of the file.

    Raises
    ------
    FormatError
        If it cannot be read, with file and line, or if two images have one stem.
    """
    table = read_points(path, needed=(IMAGE_COLUMN, "x", "y", "label"))
    return {image: _truth(rows, labels) for image, rows in group_by_image(table, path).items()}


def _truth(rows: list[Row], labels: LabelSet) -> Truth:
    cells = [row for row in rows if not row.is_blank(("x", "y", "label"))]
    for row in cells:
        if not row.text("label"):
            raise row.missing("label")
    points = [(row.coordinate("x"), row.coordinate("y")) for row in cells]
    sizes = [(_extent(row, "w"), _extent(row, "h")) for row in cells]
    canonical = {name: labels.canonical(name) for name in {row.text("label") for row in cells}}
    return Truth(
        np.array(points, dtype=np.float64).reshape(-1, 2),
        np.array([canonical[row.text("label")] for row in cells], dtype=np.str_),
        np.array(sizes, dtype=np.float64).reshape(-1, 2),
    )


def _extent(row: Row, column: str) -> float:
    return math.nan if row.is_blank((column,)) else row.coordinate(column)
