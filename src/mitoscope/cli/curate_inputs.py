"""What the verbs of ``curate`` read: detections by the slides of a study, scores by cell, sides by slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mitoscope.detections import Detections
    from mitoscope.store import Store


def found_on_slides(store: Store, pred: Path, labels: Sequence[str] | None) -> dict[str, Detections]:
    """Return the figures among detections, by the name that the study has for the slide.

    `labels` says what names of classes stand for, each as ``A=B``.

    Raises
    ------
    FormatError
        If they cannot be read, or are of a slide that the study does not know.
    UnknownLabelError
        If a name of a class is not known.
    """
    import numpy as np

    from mitoscope.errors import FormatError
    from mitoscope.exchange import read_any_predictions
    from mitoscope.image_names import match_stems
    from mitoscope.labels import LabelMapping, LabelSet, is_figure

    names = {
        stem: name
        for name, stem in match_stems(
            [slide.name for slide in store.slides().values()], where=store.path
        ).items()
    }
    known = LabelMapping().with_classes(LabelSet(tuple(store.labels().values()))).classes
    detections = read_any_predictions(pred, mapping=LabelMapping.parse(labels or (), classes=known))
    odd = sorted(set(detections) - set(names))
    if odd:
        mend = f"the study has {', '.join(sorted(names)[:5]) or 'none'}"
        raise FormatError(f"the study has no slide {odd[0]!r}", where=pred, mend=mend)
    figures = {stem: [is_figure(name) for name in part.label.tolist()] for stem, part in detections.items()}
    return {names[stem]: part.take(np.array(figures[stem], np.bool_)) for stem, part in detections.items()}


def read_scores(path: Path) -> dict[int, float]:
    """Return the score by cell of a CSV ``cell,score``.

    Raises
    ------
    FormatError
        If it cannot be read or contains a cell twice, with the line.
    """
    from mitoscope.errors import FormatError

    score_of: dict[int, float] = {}
    for line, (cell, score) in _read_columns(path, ("cell", "score")):
        try:
            number, value = int(cell), float(score)
        except ValueError:
            raise FormatError(
                f"line {line}: {cell!r}, {score!r} are not a cell and a score", where=path
            ) from None
        if number in score_of:
            raise FormatError(f"line {line}: cell {number} appears twice", where=path)
        score_of[number] = value
    return score_of


def read_answers(path: Path) -> dict[int, str]:
    """Return the label by cell of a CSV ``cell,label``; cells without an answer are left out.

    Raises
    ------
    FormatError
        If it cannot be read, or a cell has two answers, with the line.
    """
    from mitoscope.errors import FormatError
    from mitoscope.exchange import plain

    found: dict[int, str] = {}
    for line, (cell, label) in _read_columns(path, ("cell", "label")):
        if not cell.isdecimal():
            raise FormatError(f"line {line}: {cell!r} is not the number of a cell", where=path)
        if label and found.setdefault(int(cell), plain(label)) != plain(label):
            raise FormatError(f"line {line}: cell {cell} has two answers", where=path)
    return found


def read_split(path: Path) -> dict[str, str]:
    """Return the side by slide of a CSV ``slide,split``.

    Raises
    ------
    FormatError
        If it cannot be read, or a side is none of train, validation and test.
    """
    from mitoscope.errors import FormatError
    from mitoscope.exchange import plain
    from mitoscope.truth import SIDES

    found: dict[str, str] = {}
    for line, (slide, side) in _read_columns(path, ("slide", "split")):
        if side not in SIDES:
            what = f"line {line}: no side {side!r}"
            raise FormatError(what, where=path, mend=f"one of {', '.join(SIDES)}")
        if found.setdefault(plain(slide), side) != side:
            raise FormatError(f"line {line}: {slide!r} is on two sides", where=path)
    return found


def _read_columns(path: Path, wanted: Sequence[str]) -> list[tuple[int, list[str]]]:
    from mitoscope.errors import FormatError
    from mitoscope.exchange import read_rows

    rows = read_rows(path)
    head = [row.strip().casefold() for row in rows[0][1]] if rows else []
    missing = [name for name in wanted if name not in head]
    if missing:
        raise FormatError(
            f"no column {missing[0]!r}", where=path, mend=f"write {','.join(wanted)} in its first line"
        )
    places = [head.index(name) for name in wanted]
    for line, row in rows[1:]:
        if len(row) <= max(places):
            raise FormatError(f"line {line} has {len(row)} columns", where=path)
    return [(line, [row[place].strip() for place in places]) for line, row in rows[1:]]
