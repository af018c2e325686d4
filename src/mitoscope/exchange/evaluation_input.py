"""What an evaluation reads: predictions and truth, in any format that the project knows."""

from __future__ import annotations

from pathlib import Path

from mitoscope.detections import Detections
from mitoscope.exchange import truth_csv
from mitoscope.exchange.judged import read_detections, read_truth
from mitoscope.exchange.predictions import read_predictions
from mitoscope.exchange.truth_csv import Truth


def read_any_predictions(path: Path) -> dict[str, Detections]:
    """Read predictions by the stem of the image's name.

    Parameters
    ----------
    path : Path
        A folder that `detect` wrote, a CSV ``image,x,y,score`` or ``x,y,score``, or any format of `registry`.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    return read_predictions(path) if path.is_dir() or _is_csv(path) else read_detections(path)


def read_any_truth(path: Path) -> dict[str, Truth]:
    """Read the true cells by the stem of the image's name.

    Parameters
    ----------
    path : Path
        A CSV ``image,x,y,label[,w,h]`` with centres in level-0 px, or any format of `registry`.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    return truth_csv.read(path) if _is_csv(path) else read_truth(path)


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"
