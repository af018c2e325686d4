"""Studies that hypothesis makes: every shape, kind, name and gap."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import Label, LabelSet
from mitoscope.store import (
    UNSTATED_ROUND,
    DatasetVersion,
    Domain,
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
    StudyBuilder,
)

LABELS = LabelSet((Label("mitotic figure", "#e03131"), Label("look-alike", "#1c7ed6", ("nmf",))))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
coordinate = st.floats(0, 1e5, allow_nan=False) | st.integers(0, 100_000)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
attributes = st.dictionaries(names, json_values, max_size=2)
gaps = st.just(float("nan"))
domains = st.builds(Domain, *[st.none() | names] * 4)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Return a study of up to three slides, four raters and a dozen cells."""
    builder = StudyBuilder(LABELS)
    slides = [
        builder.slide(
            SlideRecord(
                name,
                draw(st.none() | st.just(SizePx(120_000, 110_000))),
                draw(st.none() | st.just(Mpp(0.25, 0.251))),
                draw(st.none() | st.just("ab" * 32)),
                draw(st.none() | names),
                draw(domains),
                draw(attributes),
            )
        )
        for name in draw(st.lists(names, min_size=1, max_size=3, unique=True))
    ]
    raters = [
        builder.rater(Rater(name, draw(st.sampled_from(RaterKind)), draw(attributes)))
        for name in draw(st.lists(names, min_size=1, max_size=4, unique=True))
    ]
    rounds = [builder.round(UNSTATED_ROUND)]
    for name in draw(st.lists(names.filter(lambda name: name != "unstated"), max_size=2, unique=True)):
        rounds.append(builder.round(Round(name, draw(st.sampled_from(RoundKind)))))
    cells = _cells(draw, builder, slides)
    for _ in range(draw(st.integers(0, 15)) if cells else 0):
        builder.event(
            draw(st.sampled_from(cells)),
            draw(st.sampled_from(raters)),
            draw(st.sampled_from([-1, 0, 1])),
            round_=draw(st.sampled_from(rounds)),
            time_s=draw(gaps | st.floats(0, 2e9)),
            score=draw(gaps | st.floats(0, 1)),
            seconds=draw(gaps | st.floats(0, 1e3)),
            attributes=draw(attributes),
        )
    for _ in range(draw(st.integers(0, 2))):
        vertices = draw(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=6))
        kind = draw(st.sampled_from(RegionKind))
        builder.regions.append(Region(draw(st.sampled_from(slides)), np.array(vertices), kind, draw(names)))
    builder.quarantine.extend(draw(st.lists(st.builds(QuarantineEntry, names, names, names), max_size=2)))
    for number in range(1, 1 + draw(st.integers(0, 2)) if cells else 0):
        chosen = sorted(draw(st.sets(st.sampled_from(cells))))
        labels = [draw(st.integers(0, 1)) for _ in chosen]
        rows = np.array(chosen, np.int64), np.array(labels, np.int64)
        builder.versions.append(DatasetVersion("ODAEL", number, *rows, {0: "train"}))
    return builder.build()


def _cells(draw: st.DrawFn, builder: StudyBuilder, slides: list[int]) -> list[int]:
    cells = []
    for number in range(draw(st.integers(0, 12))):
        x, y, width, height = (draw(coordinate) for _ in range(4))
        kind = draw(st.sampled_from(Shape))
        columns: dict[str, Any] = {
            "z": draw(st.integers(-3, 40)),
            "deleted": draw(st.booleans()),
            "guid": draw(st.none() | st.just(f"guid {number}")),
            "external_id": draw(st.none() | names),
            "attributes": draw(attributes),
        }
        slide = draw(st.sampled_from(slides))
        if kind is Shape.POLYGON:
            vertices = draw(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=6))
            cells.append(builder.polygon(slide, vertices, **columns))
        else:
            corner = (x, y) if kind is Shape.SPOT else (x, y, x + width, y + height)
            cells.append(builder.cell(slide, corner, shape=kind, **columns))
    return cells
