"""Studies made by hypothesis, and what of them must come back from a file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS, LOOK_ALIKE, MITOTIC_FIGURE, Label, LabelSet
from mitoscope.store import (
    UNSTATED_ROUND,
    Cells,
    DatasetVersion,
    Domain,
    LabelEvents,
    QuarantineEntry,
    Rater,
    RaterKind,
    Region,
    RegionKind,
    Round,
    RoundKind,
    Shape,
    SlideRecord,
    Study,
)

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "'quoted'",
    'say "hi", twice',
    "<script>alert(1)</script>",
    "Zellkern ß é 有丝分裂 🔬",
    "a;b\tc",
    "two\nlines",
    "'=1",
    "Robert'); DROP TABLE Slides;--",
    " leading and trailing ",
)
"""Names that break careless writers: formulas, quotes, HTML, SQL, Unicode, separators."""

letters = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
names = st.one_of(st.sampled_from(HOSTILE), letters.filter(str.strip))
coordinates = st.one_of(
    st.integers(0, 100_000).map(float), st.floats(0, 1e5, allow_nan=False, allow_subnormal=False)
)
maybe_nan = st.one_of(st.just(math.nan), st.floats(0, 1, allow_subnormal=False))
EXTRA_LABELS = (Label("granulocyte", "#2f9e44"), Label("tumour cell", "#f08c00", ("neoplastic cell",)))


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    x, y = draw(coordinates), draw(coordinates)
    return [x, y, x + draw(st.integers(1, 300)), y + draw(st.integers(1, 300))]


@st.composite
def polygons(draw: st.DrawFn) -> np.ndarray[Any, np.dtype[np.float64]]:
    points = draw(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=6, unique=True))
    return np.array(points, dtype=np.float64)


@st.composite
def slides(draw: st.DrawFn, *, most: int = 3) -> tuple[SlideRecord, ...]:
    size = st.builds(SizePx, st.integers(1, 10**6), st.integers(1, 10**6))
    records = st.builds(
        SlideRecord,
        name=names,
        size=st.none() | size,
        mpp=st.none() | st.floats(0.1, 1).map(Mpp.square),
        sha256=st.none() | st.just("ab" * 32),
        case=st.none() | names,
        domain=st.builds(Domain, st.none() | names, st.none() | names),
    )
    return tuple(draw(st.lists(records, min_size=1, max_size=most, unique_by=lambda one: one.name)))


@st.composite
def cells(draw: st.DrawFn, n_slides: int, *, shapes: tuple[Shape, ...] = tuple(Shape)) -> Cells:
    rows = draw(st.lists(st.tuples(st.integers(0, n_slides - 1), st.sampled_from(shapes)), max_size=6))
    bounds, vertices = [], {}
    for row, (_, shape) in enumerate(rows):
        if shape is Shape.POLYGON:
            vertices[row] = draw(polygons())
            bounds.append([*vertices[row].min(axis=0), *vertices[row].max(axis=0)])
        else:
            box = draw(boxes())
            bounds.append([*box[:2], *box[:2]] if shape is Shape.SPOT else box)
    guids = draw(st.lists(st.uuids().map(str), min_size=len(rows), max_size=len(rows), unique=True))
    return Cells.of(
        [slide for slide, _ in rows],
        bounds,
        shape=[shape for _, shape in rows],
        z=[draw(st.integers(-3, 30)) for _ in rows],
        deleted=[draw(st.booleans()) for _ in rows],
        guid=np.array([*guids, None], dtype=object)[:-1],
        external_id=np.array([*(str(row + 1) for row in range(len(rows))), None], dtype=object)[:-1],
        vertices_px0=vertices,
    )


@st.composite
def studies(draw: st.DrawFn, *, most_slides: int = 3) -> Study:
    """Studies with everything that a study can hold."""
    records = draw(slides(most=most_slides))
    kept = draw(cells(len(records)))
    labels = LabelSet((MITOTIC_FIGURE, LOOK_ALIKE, *EXTRA_LABELS[: draw(st.integers(0, 2))]))
    raters = draw(st.lists(st.builds(Rater, names, st.sampled_from(RaterKind)), min_size=1, max_size=3))
    raters = list({one.name: one for one in raters}.values())
    rounds = (UNSTATED_ROUND, Round("second read", RoundKind.SECOND_READ))
    regions = draw(
        st.lists(
            st.builds(
                Region,
                st.integers(0, len(records) - 1),
                polygons(),
                st.sampled_from(RegionKind),
                names,
            ),
            max_size=2,
        )
    )
    version = DatasetVersion(
        "MEL", 1, np.arange(len(kept)), np.zeros(len(kept), dtype=np.int64), {0: "train"}
    )
    return Study(
        records,
        labels,
        tuple(raters),
        rounds,
        kept,
        draw(events(len(kept), len(raters), len(labels.labels), n_rounds=2)),
        tuple(regions),
        draw(st.sampled_from([(), (version,)])),
        draw(st.sampled_from([(), (QuarantineEntry("file: 3", "NaN or infinity", "{}", None),)])),
    )


@st.composite
def events(draw: st.DrawFn, n_cells: int, n_raters: int, n_labels: int, *, n_rounds: int = 1) -> LabelEvents:
    n = draw(st.integers(0, 8)) if n_cells else 0
    times = st.one_of(st.just(math.nan), st.floats(0, 2e9, allow_subnormal=False))
    return LabelEvents.of(
        [draw(st.integers(0, n_cells - 1)) for _ in range(n)],
        [draw(st.integers(0, n_raters - 1)) for _ in range(n)],
        [draw(st.integers(-1, n_labels - 1)) for _ in range(n)],
        round=[draw(st.integers(0, n_rounds - 1)) for _ in range(n)],
        time_s=[draw(times) for _ in range(n)],
        score=[draw(maybe_nan) for _ in range(n)],
        seconds=[draw(maybe_nan) for _ in range(n)],
    )


@st.composite
def spotted(draw: st.DrawFn, *, score: bool = False) -> Study:
    """One slide of spots, each with one label of a consensus: what the challenge CSVs hold."""
    points = draw(st.lists(st.tuples(coordinates, coordinates), max_size=6, unique=True))
    label = [draw(st.integers(0, 1)) for _ in points]
    scores = [(draw(st.floats(0.51, 1)) if one == 0 else draw(st.floats(0, 0.5))) for one in label]
    return Study(
        (SlideRecord("slide"),),
        DEFAULT_LABELS,
        (Rater("consensus", RaterKind.CONSENSUS),),
        cells=Cells.spots(np.zeros(len(points)), np.array(points).reshape(-1, 2)),
        events=LabelEvents.of(
            np.arange(len(points)), np.zeros(len(points)), label, score=scores if score else None
        ),
    )


def content(study: Study) -> dict[str, Any]:
    """What a study says, by names instead of indexes."""
    cells, events = study.cells, study.events
    return {
        "slides": {(one.name, one.size) for one in study.slides},
        "cells": [
            (
                study.slides[cells.slide[row]].name,
                int(cells.shape[row]),
                tuple(cells.bounds_px0[row].tolist()),
                int(cells.z[row]),
                bool(cells.deleted[row]),
                cells.guid[row],
                cells.external_id[row],
                tuple(map(tuple, cells.vertices_px0.get(row, np.empty((0, 2))).tolist())),
            )
            for row in range(len(cells))
        ],
        "events": [
            (
                int(events.cell[row]),
                study.raters[events.rater[row]].name,
                study.raters[events.rater[row]].kind,
                None if events.label[row] < 0 else study.labels.labels[events.label[row]].name,
                study.rounds[events.round[row]],
                *(str(float(column[row])) for column in (events.time_s, events.score, events.seconds)),
            )
            for row in range(len(events))
        ],
        "regions": [
            (study.slides[one.slide].name, one.kind, one.vertices_px0.tolist()) for one in study.regions
        ],
    }
