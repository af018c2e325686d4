"""Predictions to be judged: a folder that `detect` wrote, or one CSV of one or many images."""

from __future__ import annotations

from pathlib import Path

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.exchange import detections_csv
from mitoscope.exchange.box_columns import read_points
from mitoscope.exchange.names import match_stems, stem


def read_predictions(path: Path) -> dict[str, Detections]:
    """Read predictions by image.

    Parameters
    ----------
    path : Path
        A folder of ``<stem>.csv``, a CSV with an image column, or the CSV of one image named ``<stem>.csv``;
        a CSV may hold boxes (x1, y1, x2, y2) in place of centres.

    Returns
    -------
    dict
        Detections by the stem of the image's name.

    Raises
    ------
    FormatError
        If there is nothing there, or a file cannot be read.
    """
    if not path.is_dir():
        table = read_points(path, needed=("x", "y", "score"))
        if detections_csv.IMAGE_COLUMN in table.columns:
            return detections_csv.by_image(table, path)
        return {stem(path.name.removesuffix(".csv")): detections_csv.of_table(table, source=path.name)}
    files = {file.name.removesuffix(".csv"): file for file in sorted(path.glob("*.csv"))}
    if not files:
        raise FormatError("no predictions: a folder without .csv files", where=path)
    stems = match_stems(files, where=path)
    return {stems[name]: detections_csv.read(file) for name, file in files.items()}
