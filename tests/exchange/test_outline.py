"""Outlines that cross themselves, against brute force."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.exchange.outline import area_is_doubtful, crosses_itself, set_aside_crossed
from mitoscope.store import Cells, LabelEvents, Rater, Region, Shape, SlideRecord, Study

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], dtype=float)
BOW_TIE = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], dtype=float)


def crossing(a: Any, b: Any, c: Any, d: Any) -> bool:
    def side(p: Any, q: Any, r: Any) -> int:
        value = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        return int(value > 0) - int(value < 0)

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=8))
def test_crossing_equals_brute_force(points: list[tuple[int, int]]) -> None:
    edges = list(zip(points, points[1:] + points[:1], strict=True))
    expected = any(crossing(*one, *other) for one, other in combinations(edges, 2))
    assert crosses_itself(np.array(points, dtype=float)) == expected


def test_a_hand_drawn_outline_with_a_tiny_loop_keeps_its_area() -> None:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    outline = np.column_stack([np.cos(angle), np.sin(angle)]) * 20_000 + 30_000
    outline[[100, 101]] = outline[[101, 100]]  # the line turns back for a moment
    assert crosses_itself(outline)
    assert not area_is_doubtful(outline)
    assert area_is_doubtful(BOW_TIE * 1000)
    assert not area_is_doubtful(SQUARE)


def test_crossed_polygons_are_set_aside_with_their_labels() -> None:
    both = np.vstack([SQUARE, BOW_TIE])
    study = Study(
        (SlideRecord("a.svs"),),
        raters=(Rater("expert 1"),),
        cells=Cells.of(
            [0, 0],
            [[0, 0, 10, 10]] * 2,
            shape=[Shape.POLYGON] * 2,
            vertices_px0={0: both[:4], 1: both[4:]},
        ),
        events=LabelEvents.of([0, 1], [0, 0], [-1, -1]),
        regions=(Region(0, SQUARE), Region(0, BOW_TIE, name="tumour 2")),
    )
    found = set_aside_crossed(study, source="a.geojson")
    assert len(found.cells) == 1
    assert len(found.events) == 1
    assert found.regions == (Region(0, SQUARE),)
    assert [(one.where, one.why, one.slide) for one in found.quarantine] == [
        ("a.geojson: cell 1", "a polygon that crosses itself", "a.svs"),
        ("a.geojson: region 1", "a polygon that crosses itself", "a.svs"),
    ]
    assert '"tumour 2"' in found.quarantine[1].what
    assert "expert 1" in found.quarantine[0].what


@pytest.mark.timeout(20)
def test_a_polygon_of_many_vertices_is_judged_in_time() -> None:
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    assert not crosses_itself(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert not crosses_itself(np.zeros((100_000, 2)))
