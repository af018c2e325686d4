"""The results published with CMC and CCMCT: pickled boxes of each slide, mostly packed by bzip2."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.format import Aspect, Content, Format, ReadOptions
from mitoscope.exchange.pickled import finished, is_pickle, read_pickle
from mitoscope.labels import DEFAULT_LABELS, MITOTIC_FIGURE
from mitoscope.store import Rater, RaterKind, SlideRecord, Study, StudyBuilder

BOXES_MOST: Final = 5_000_000
"""A pickle may state one box many times over."""
_COLUMNS: Final = 6
_NAME_SHOWN: Final = 60
_MEND: Final = "write it as CSV image,x,y,score"
_MODEL: Final = Rater("model", RaterKind.MODEL)


def read(path: Path, options: ReadOptions) -> Study:
    """Read the middle of each box as a spot that a model found, with its score.

    A row is x1, y1, x2, y2 in level-0 px, the class 0 and the score; of two stages the second one's.

    Raises
    ------
    FormatError
        If it is no such file, or holds anything but data.
    """
    value = read_pickle(path)
    if not isinstance(value, dict):
        raise FormatError("boxes by slide expected", where=path, mend=_MEND)
    build, boxes = StudyBuilder(DEFAULT_LABELS), 0
    rater, label = build.rater(options.speaker(_MODEL)), build.label(MITOTIC_FIGURE)
    for slide, stated in value.items():
        where = f"{path}: {slide[:_NAME_SHOWN]!r}"
        index, rows = build.slide(SlideRecord(slide)), _rows(stated, where)
        boxes += len(rows)
        if boxes > BOXES_MOST:
            raise FormatError(f"more than {BOXES_MOST:,} boxes", where=path, mend=_MEND)
        for place, row in enumerate(rows):
            x1, y1, x2, y2, number, score = _numbers(row, f"{where}[{place}]")
            if number != 0 or not 0 <= score <= 1:
                what = f"class 0 and a score of 0 to 1 expected, got class {number:g} and score {score:g}"
                raise FormatError(what, where=f"{where}[{place}]", mend=_MEND)
            cell = build.cell(index, ((x1 + x2) / 2, (y1 + y2) / 2))
            build.event(cell, rater, label, score=score)
    return build.build()


def _rows(value: Any, where: str) -> Any:
    try:
        rows = finished(value)
    except (TypeError, ValueError) as error:
        raise FormatError(str(error), where=where) from None
    if isinstance(rows, np.ndarray) and (rows.ndim == 2 or not rows.size):
        return rows if rows.size else ()
    if not isinstance(rows, list | tuple):
        raise FormatError("a list of boxes expected", where=where, mend=_MEND)
    return rows


def _numbers(row: Any, where: str) -> list[float]:
    """Return the six numbers of a row; of a list each may be an array of one."""
    numbers = []
    with suppress(TypeError, ValueError, OverflowError):
        held = finished(row)
        if len(held) == _COLUMNS:
            numbers = [float(np.asarray(finished(one), np.float64).reshape(())) for one in held]
    if not numbers or not all(map(math.isfinite, numbers)):
        what = "x1, y1, x2, y2, class and score expected, six finite numbers"
        raise FormatError(what, where=where, mend=_MEND)
    return numbers


def _recognises(content: Content) -> bool:
    return is_pickle(content.head)


FORMAT = Format(
    name="pickled-boxes",
    title="detections published with CMC and CCMCT: pickled boxes, .p or .p.bz2",
    suffix=".p.bz2",
    recognises=_recognises,
    read=read,
    holds=frozenset({Aspect.SCORES}),
)
