"""Text of YOLO: a box a line, as class, centre and size in shares of the picture, and a confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.foreign.findings import FindingList, ForeignFindings, Unit
from mitoscope.fsio import open_regular

_BOX, _WITH_CONFIDENCE = 5, 6


def is_yolo(head: str) -> bool:
    """Return whether a text begins as such a file: with a class and shares of the picture."""
    first = next((line.split() for line in head.splitlines() if line.strip()), [])
    try:
        row = [float(cell) for cell in first]
    except ValueError:
        return False
    return (
        len(row) >= _BOX and row[0] == int(row[0]) >= 0 and all(-0.5 <= number <= 1.5 for number in row[1:5])
    )


def read_yolo_findings(path: Path) -> ForeignFindings:
    """Read boxes, or outlines (class and pairs of x and y), of one picture.

    Raises
    ------
    FormatError
        If a line is something else.
    """
    found = FindingList(path)
    found.unit = Unit.SHARE
    with open_regular(path) as stream:
        for number, raw in enumerate(stream, start=1):
            cells, where = raw.split(), f"line {number}"
            if not cells:
                continue
            try:
                name, values = str(int(float(cells[0]))), [float(cell) for cell in cells[1:]]
            except ValueError:
                raise _bad(path, where) from None
            if len(cells) in (_BOX, _WITH_CONFIDENCE):
                score = values[4] if len(values) > 4 else None
                found.add(values[0], values[1], score=score, label=name, where=where)
            elif len(cells) > _WITH_CONFIDENCE:
                score = values.pop() if len(values) % 2 else None
                outline = np.array(values).reshape(-1, 2)
                x, y = (outline.min(axis=0) / 2 + outline.max(axis=0) / 2).tolist()
                found.add(x, y, score=score, label=name, where=where)
            else:
                raise _bad(path, where)
    return found.finish("YOLO")


def _bad(path: Path, where: str) -> FormatError:
    return FormatError(
        "no line of YOLO: class, x, y, width, height and perhaps a confidence expected",
        where=f"{path}: {where}",
        mend="write it with save_txt and save_conf",
    )
