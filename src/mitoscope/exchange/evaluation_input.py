"""What an evaluation reads: predictions and truth, in any format that the project knows."""

from __future__ import annotations

from pathlib import Path

from mitoscope.detections import Detections
from mitoscope.exchange import truth_csv
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.judged import read_detections, read_truth
from mitoscope.exchange.predictions import is_result, is_table, read_results
from mitoscope.exchange.truth_csv import Truth
from mitoscope.geometry import Mpp


def read_any_predictions(path: Path, *, mpp: Mpp | None = None) -> dict[str, Detections]:
    """Read predictions by the stem of the image's name.

    Parameters
    ----------
    path : Path
        A folder that `detect` wrote, a CSV ``image,x,y,score`` or ``x,y,score`` (or of boxes: x1, y1, x2, y2
        in place of x and y), or any format of `registry`.
    mpp : Mpp, optional
        Resolution, for formats in millimetres.

    Raises
    ------
    FormatError, ScaleError
        If it cannot be read.
    """
    if is_result(path):
        return {name: result.candidates for name, result in read_results(path, mpp=mpp).items()}
    return read_detections(path, options=ReadOptions(mpp=mpp))


def read_any_truth(path: Path, *, mpp: Mpp | None = None) -> dict[str, Truth]:
    """Read the true cells by the stem of the image's name.

    Parameters
    ----------
    path : Path
        A CSV ``image,x,y,label[,w,h]`` with centres in level-0 px (or of boxes: x1, y1, x2, y2 in place of x
        and y), or any format of `registry`.
    mpp : Mpp, optional
        Resolution, for formats in millimetres.

    Raises
    ------
    FormatError, ScaleError
        If it cannot be read.
    """
    return truth_csv.read(path) if is_table(path) else read_truth(path, options=ReadOptions(mpp=mpp))
