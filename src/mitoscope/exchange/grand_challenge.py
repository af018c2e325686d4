"""Grand Challenge "multiple points" JSON: what the MIDOG challenge containers exchange, in millimetres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.classes import CONSENSUS, LabelFinder
from mitoscope.exchange.figures import figures
from mitoscope.exchange.format import Aspect, Content, Format, ReadOptions, WriteOptions, needed_mpp
from mitoscope.exchange.json_text import a_list, a_mapping, a_number, a_share, a_text, dump_json, read_json
from mitoscope.fsio import atomic_write
from mitoscope.geometry import Mpp
from mitoscope.labels import DEFAULT_LABELS, LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.store import Rater, RaterKind, SlideRecord, Study, StudyBuilder

OLD_PROBABILITY = 0.5
"""Probability of a model's point that states none (MIDOG 2021, FACTS F1)."""
NAMES = {MITOTIC_FIGURE.name: "mitotic figure", LOOK_ALIKE.name: "non-mitotic figure"}
"""The two names that the challenge accepts."""
_TYPE = "Multiple points"
_DECIMALS_PX0 = 6
_MAX_Z = 2**31
_MODEL = Rater("model", RaterKind.MODEL)


def read(path: Path, options: ReadOptions) -> Study:
    """Read points as spots of one rater.

    Where a probability lies between 0 and 1, the points are those of a model, with their probability as the
    score, 0.5 where there is none (the old format). Where all are 0, 1 or missing, they are labels of a
    consensus, or of ``options.rater``. A point without a name is a mitotic figure.
    Coordinates are rounded to 1e-6 px, far below their meaning, so that writing and reading is exact.

    Raises
    ------
    FormatError
        If it is not such a file.
    ScaleError
        If ``options.mpp`` is not given.
    """
    document = a_mapping(read_json(path), str(path))
    if document.get("type", _TYPE) != _TYPE:
        raise FormatError(f"type {_TYPE!r} expected, got {document.get('type')!r}", where=path)
    mpp = needed_mpp(options.mpp, "coordinates in mm", path)
    names, slide, build = LabelFinder(), options.slide_name(path), StudyBuilder(DEFAULT_LABELS)
    index = build.slide(SlideRecord(slide))
    points = []
    for place, item in enumerate(a_list(document.get("points"), f"{path}: points")):
        with build.aside(item, slide=slide):
            points.append(_point(item, mpp, names, f"{path}: points[{place}]"))
    by_model = any(0 < point.probability < 1 for point in points)
    rater = build.rater(options.speaker(_MODEL if by_model else CONSENSUS))
    for point in points:
        score = OLD_PROBABILITY if math.isnan(point.probability) else point.probability
        cell = build.cell(index, point.centre_px0, z=point.plane, attributes=point.attributes)
        build.event(cell, rater, build.label(point.label), score=score if by_model else math.nan)
    return build.build()


@dataclass(frozen=True, slots=True)
class _Point:
    centre_px0: tuple[float, float]
    plane: int
    label: Label
    probability: float
    attributes: dict[str, Any]


def _point(item: Any, mpp: Mpp, names: LabelFinder, where: str) -> _Point:
    point = a_mapping(item, where)
    numbers = [a_number(value, where) for value in a_list(point.get("point"), where)]
    if len(numbers) not in (2, 3):
        raise FormatError(f"x, y and z expected, got {len(numbers)} numbers", where=where)
    x, y, z = (*numbers, 0.0)[:3]
    plane = int(z) if abs(z) < _MAX_Z else 0
    name = point.get("name")
    return _Point(
        (_to_px0(x, mpp.x), _to_px0(y, mpp.y)),
        plane,
        MITOTIC_FIGURE if name is None else names.find(a_text(name, f"{where}.name")),
        a_share(point.get("probability"), f"{where}.probability"),
        {} if plane == z else {"grand-challenge.z": None if math.isnan(z) else z},
    )


def _to_px0(millimetres: float, mpp: float) -> float:
    return round(millimetres * 1000 / mpp, _DECIMALS_PX0)


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write the mitotic figures and look-alikes of a slide as points in mm.

    The probability is the score of a model; what people or a consensus said has 1 and 0.

    Raises
    ------
    ScaleError
        If neither the slide nor ``options.mpp`` says the resolution.
    OutputError
        If it cannot be written.
    """
    stated = study.slides[0].mpp if study.slides else None
    mpp = needed_mpp(options.mpp or stated, "coordinates in mm", path)
    points = []
    people = [place for place, rater in enumerate(study.raters) if rater.kind is not RaterKind.MODEL]
    by_people = set(study.events.cell[np.isin(study.events.rater, people)].tolist())
    for figure in figures(study, options, MITOTIC_FIGURE, LOOK_ALIKE, models=True):
        by_model = figure.row not in by_people and not math.isnan(figure.score)
        score = figure.score if by_model else float(figure.label == MITOTIC_FIGURE)
        x, y = figure.centre_px0
        point = [x * mpp.x / 1000, y * mpp.y / 1000, int(study.cells.z[figure.row])]
        points.append({"name": NAMES[figure.label.name], "point": point, "probability": score})
    document = {
        "name": "mitotic figures",
        "type": _TYPE,
        "points": points,
        "version": {"major": 1, "minor": 0},
    }
    with atomic_write(path) as stream:
        stream.write(dump_json(document))


def _recognises(content: Content) -> bool:
    return "points" in content.keys and content.json.get("type", _TYPE) == _TYPE


FORMAT = Format(
    name="grand-challenge",
    title="Grand Challenge multiple points JSON, in mm",
    suffix=".json",
    recognises=_recognises,
    read=read,
    write=write,
    holds=frozenset({Aspect.LOOK_ALIKES, Aspect.SCORES, Aspect.PLANES}),
    one_slide=True,
)
