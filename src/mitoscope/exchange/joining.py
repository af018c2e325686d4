"""Studies of several files as one, and the part of a study that is of one slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.store.builder import StudyBuilder
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.records import Attributes, Study


def of_slide(study: Study, slide: int) -> Study:
    """Return the part of a study that is of one slide; labels, raters and rounds stay."""
    kept = study.cells.slide == slide
    new_row = np.cumsum(kept) - 1
    events = study.events.take(kept[study.events.cell])
    cells = study.cells.take(kept)
    return replace(
        study,
        slides=(study.slides[slide],),
        cells=replace(cells, slide=np.zeros_like(cells.slide)),
        events=replace(events, cell=new_row[events.cell]),
        regions=tuple(replace(one, slide=0) for one in study.regions if one.slide == slide),
        versions=(),
        quarantine=tuple(one for one in study.quarantine if one.slide == study.slides[slide].name),
        searches=tuple(one for one in study.searches if one.slide == study.slides[slide].name),
    )


def join(studies: Sequence[Study]) -> Study:
    """Return several studies as one; what has one name in them is one, versions are left aside.

    Raises
    ------
    FormatError
        If a slide, rater, round or label of one name states different things.
    """
    if len(studies) == 1:
        return studies[0]
    build = StudyBuilder()
    cells, events, first = [], [], 0
    for study in studies:
        slides = _index([build.slide(one) for one in study.slides])
        raters = _index([build.rater(one) for one in study.raters])
        rounds = _index([build.round(one) for one in study.rounds])
        labels = _index([build.label(one) for one in study.labels.labels] + [-1])
        cells.append(replace(study.cells, slide=slides[study.cells.slide]))
        events.append(
            replace(
                study.events,
                cell=study.events.cell + first,
                rater=raters[study.events.rater],
                label=labels[study.events.label],  # -1, no label, is the last
                round=rounds[study.events.round],
            )
        )
        build.regions += [replace(one, slide=int(slides[one.slide])) for one in study.regions]
        build.quarantine += study.quarantine
        build.searches += study.searches
        first += len(study.cells)
    return replace(build.build(), cells=_cells(cells), events=_events(events))


def _index(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _cells(parts: Sequence[Cells]) -> Cells:
    columns = ("slide", "bounds_px0", "shape", "z", "deleted", "guid", "external_id")
    joined = (
        {name: np.concatenate([getattr(one, name) for one in parts]) for name in columns} if parts else {}
    )
    vertices: dict[int, NDArray[np.float64]] = {}
    attributes: dict[int, Attributes] = {}
    first = 0
    for one in parts:
        vertices |= {row + first: value for row, value in one.vertices_px0.items()}
        attributes |= {row + first: value for row, value in one.attributes.items()}
        first += len(one)
    return Cells.of(**joined, vertices_px0=vertices, attributes=attributes) if parts else Cells.empty()


def _events(parts: Sequence[LabelEvents]) -> LabelEvents:
    columns = ("cell", "rater", "label", "round", "time_s", "score", "seconds")
    joined = (
        {name: np.concatenate([getattr(one, name) for one in parts]) for name in columns} if parts else {}
    )
    attributes: dict[int, Attributes] = {}
    first = 0
    for one in parts:
        attributes |= {row + first: value for row, value in one.attributes.items()}
        first += len(one)
    return LabelEvents.of(**joined, attributes=attributes) if parts else LabelEvents.empty()
