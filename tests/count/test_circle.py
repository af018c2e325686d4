"""The circle that holds the most points, against all circles that could."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.count import MitoticCount, Window, WindowShape, find_hot_spot, mitotic_count, window_size
from mitoscope.count.circle import fullest_circles
from mitoscope.detections import Detections
from mitoscope.errors import IncompleteRunError, RegionError
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx
from mitoscope.region import RegionKind, join_outlines, outline
from mitoscope.tissue import TissueMask

CIRCLE = WindowShape.CIRCLE
SQUARE = Aspect(1, 1)
SLIDE = SizePx(60, 40)


def _crossings(points: NDArray[np.float64], radius: float, slide: SizePx) -> list[tuple[float, float]]:
    """Return where the circles around points cross each other and the edges of what is allowed."""
    low, right, bottom = radius, slide.width - radius, slide.height - radius
    found = [(x, y) for x in (low, right) for y in (low, bottom)]
    found += [(min(max(x, low), right), min(max(y, low), bottom)) for x, y in points]
    for a, b in itertools.combinations(points, 2):
        apart = math.dist(a, b)
        if 0 < apart <= 2 * radius:
            out = math.sqrt(radius**2 - apart**2 / 4) / apart
            for side in (-1, 1):
                turn = np.array([a[1] - b[1], b[0] - a[0]]) * out * side
                found.append(tuple((a + b) / 2 + turn))
    for x, y in points:
        for at in (low, right):
            if abs(at - x) <= radius:
                out = math.sqrt(radius**2 - (at - x) ** 2)
                found += [(at, y - out), (at, y + out)]
        for at in (low, bottom):
            if abs(at - y) <= radius:
                out = math.sqrt(radius**2 - (at - y) ** 2)
                found += [(x - out, at), (x + out, at)]
    return [(x, y) for x, y in found if low - 1e-9 <= x <= right + 1e-9 and low - 1e-9 <= y <= bottom + 1e-9]


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 39)), min_size=1, max_size=14),
    st.integers(4, 20),
)
def test_no_circle_on_the_slide_holds_more(points: list[tuple[int, int]], half: int) -> None:
    array = np.array(points, dtype=np.float64)
    window = SizePx(2 * half, 2 * half)
    found = find_hot_spot(array, window=window, slide_size=SLIDE, shape=CIRCLE)
    box = found.box_px0
    assert int(found.window.holds(array).sum()) == found.count
    assert box.x >= -1e-9
    assert box.y >= -1e-9
    assert box.right <= SLIDE.width + 1e-9
    assert box.bottom <= SLIDE.height + 1e-9
    most = max(
        int(Window(BoxPx0(x - half, y - half, 2 * half, 2 * half), CIRCLE).holds(array).sum())
        for x, y in _crossings(array, half, SLIDE)
    )
    assert found.count == most


def test_a_circle_cannot_reach_into_the_corner_of_the_slide() -> None:
    """Control: a rectangle can be moved onto the slide without losing a point; a circle cannot."""
    corner = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [40.0, 20.0]])
    window = SizePx(20, 20)
    assert find_hot_spot(corner, window=window, slide_size=SLIDE).count == 3
    assert find_hot_spot(corner, window=window, slide_size=SLIDE, shape=CIRCLE).count == 1


def test_pixels_that_are_not_square_make_an_ellipse_of_the_circle() -> None:
    mpp = Mpp(0.25, 0.26)
    size = window_size(0.1, aspect=SQUARE, mpp=mpp, shape=CIRCLE)
    assert size.width == pytest.approx(1.04 * size.height, abs=1)
    window = Window(BoxPx0(0, 0, size.width, size.height), CIRCLE)
    assert window.area_mm2(mpp) == pytest.approx(0.1, rel=2e-3)
    assert window.region.area_mm2(mpp) == pytest.approx(window.area_mm2(mpp), rel=1e-9)
    top, bottom, right = 2000 - size.height / 2, 2000 + size.height / 2, 2000 + size.width / 2
    points = np.array([[2000.0, top], [2000.0, bottom], [right, 2000.0]])
    found = find_hot_spot(points, window=size, slide_size=SizePx(4000, 4000), shape=CIRCLE)
    assert found.count == 3, "of a circle of pixels as high as this only two would be held"


def test_a_count_in_a_circle_states_area_gaps_and_what_lies_outside_of_the_tumour() -> None:
    mpp, slide = Mpp.square(0.5), SizePx(2000, 1500)
    found = Detections.of([[500, 500], [560, 500], [700, 700], [300, 500]], [0.9] * 4)
    tumour = [[400.0, 0.0], [2000.0, 0.0], [2000.0, 1500.0], [400.0, 1500.0]]
    regions = join_outlines([(RegionKind.TUMOUR, outline(tumour))])
    diameter = window_size(0.05, aspect=SQUARE, mpp=mpp, shape=CIRCLE).width
    box = BoxPx0(400 - diameter / 2, 500 - diameter / 2, diameter, diameter)

    def count(**options: Any) -> MitoticCount:
        values: dict[str, Any] = {"mpp": mpp, "slide_size": slide, "area_mm2": 0.05, "threshold": 0.5}
        return mitotic_count(found, **{**values, "shape": CIRCLE, **options})

    placed = count(regions=regions, window=box)
    assert (placed.count, placed.left_out) == (2, 1)
    assert placed.area_mm2 == pytest.approx(0.05, rel=2e-3)
    assert placed.covered_mm2 == pytest.approx(placed.area_mm2 / 2, rel=1e-6), (
        "half lies outside of the tumour"
    )
    assert regions.tumour is not None
    tissue = TissueMask.of_region(regions.tumour, mpp=mpp, slide_size=slide)
    on_tissue = count(tissue=tissue, window=box)
    assert on_tissue.covered_mm2 == pytest.approx(placed.covered_mm2, rel=0.05)
    corner = BoxPx0(box.x, box.y, 20, 20)
    assert count(window=box, gaps=[corner]), "the corner of the box around a circle is not in it"
    with pytest.raises(IncompleteRunError, match="no count"):
        count(window=box, gaps=[BoxPx0(400, 500, 20, 20)])
    with pytest.raises(RegionError, match="partly outside the slide"):
        count(window=BoxPx0(-10, 0, diameter, diameter))
    with pytest.raises(RegionError, match="does not fit on the slide"):
        count(area_mm2=0.5)


def test_points_that_no_fullest_circle_touches_are_left_out_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(11)
    slide = SizePx(1800, 1300)
    sets = [
        rng.random((250, 2)) * [1799, 1299],
        np.clip(rng.normal((40, 700), 90, (250, 2)), 0, [1799, 1299]),
        rng.integers(0, 9, (250, 2)) * [200.0, 140.0],
        rng.integers(0, [1800, 1300], (250, 2)).astype(np.float64),
    ]
    for points in sets:
        for side in (30, 240, 1300):
            window = SizePx(side, side)
            monkeypatch.setattr("mitoscope.count.circle.PRUNE_FROM", 1000)
            most, corners = fullest_circles(points, window=window, slide_size=slide)
            monkeypatch.setattr("mitoscope.count.circle.PRUNE_FROM", 1)
            found, others = fullest_circles(points, window=window, slide_size=slide)
            assert found == most
            assert np.array_equal(others, corners)
