import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.count import Polygon, Region
from mitoscope.errors import RegionError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.tissue import TissueMask

SQUARE = np.array([[10, 10], [30, 10], [30, 30], [10, 30]], dtype=np.float64)
HOLE = np.array([[15, 15], [25, 15], [25, 25], [15, 25]], dtype=np.float64)


def crossing_rule(point: tuple[float, float], rings: list[list[tuple[float, float]]]) -> bool:
    """Follow a ray to the right edge by edge: the textbook's even-odd rule."""
    inside = False
    for ring in rings:
        for (x_a, y_a), (x_b, y_b) in zip(ring, ring[1:] + ring[:1], strict=True):
            if (y_a <= point[1]) != (y_b <= point[1]):
                x = x_a + (point[1] - y_a) * (x_b - x_a) / (y_b - y_a)
                inside ^= point[0] < x
    return inside


def test_a_hole_is_outside() -> None:
    region = Region((Polygon(SQUARE, (HOLE,)),))
    assert region.contains([[12, 12], [20, 20], [29, 29], [31, 20], [-5, 20]]).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert region.area_mm2(Mpp.square(1.0)) == pytest.approx((400 - 100) * 1e-6)
    assert region.bounds_px0 == BoxPx0(10, 10, 20, 20)


def test_each_point_of_a_tiling_belongs_to_one_tile() -> None:
    left, right = Polygon(SQUARE), Polygon(SQUARE + np.array([20, 0]))
    points = np.array([[x, y] for x in range(8, 54) for y in range(8, 34)], dtype=np.float64)
    assert (left.contains(points).astype(int) + right.contains(points)).sum() == 40 * 20


def test_polygons_that_overlap_are_one_region() -> None:
    region = Region((Polygon(SQUARE), Polygon(SQUARE + 5)))
    assert region.contains([[20, 20], [32, 32], [12, 32]]).tolist() == [True, True, False]


@settings(deadline=None)
@given(
    ring=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=9, unique=True),
    x=st.integers(-1, 21),
    y=st.integers(-1, 21),
)
def test_equals_the_textbook_for_any_ring(ring: list[tuple[int, int]], x: int, y: int) -> None:
    # Off the corners' lattice, so that no point lies on an edge.
    point = (x + 0.3217, y + 0.1723)
    polygon = Polygon(np.array(ring, dtype=np.float64))
    textbook = crossing_rule(point, [[(float(a), float(b)) for a, b in ring]])
    assert polygon.contains(np.array([point]))[0] == textbook


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 80), st.floats(0, 60)), min_size=3, max_size=8, unique=True))
def test_the_mask_holds_the_pixels_whose_centre_is_inside(ring: list[tuple[float, float]]) -> None:
    tissue = TissueMask(np.ones((12, 16), np.bool_), (5.0, 5.0), Mpp.square(1.0), SizePx(80, 60))
    region = Region((Polygon(np.array(ring)),))
    rows, columns = np.mgrid[:12, :16]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1) * 5.0 + 2.5
    assert np.array_equal(region.restrict(tissue).mask.ravel(), region.contains(centres))


def test_the_mask_of_a_region_has_its_area() -> None:
    angle = np.linspace(0, 2 * np.pi, 500)
    circle = np.stack([1000 + 800 * np.cos(angle), 900 + 800 * np.sin(angle)], axis=1)
    region = Region((Polygon(circle),))
    mask = region.mask(mpp=Mpp.square(0.5), slide_size=SizePx(2001, 1903))
    assert mask.px0_per_pixel == (16.0, 16.0)
    assert mask.area_mm2 == pytest.approx(region.area_mm2(Mpp.square(0.5)), rel=0.005)


def test_many_points_and_corners_are_fast_enough_to_wait_for() -> None:
    angle = np.linspace(0, 2 * np.pi, 5000)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 40_000 + 50_000
    points = np.random.default_rng(1).random((100_000, 2)) * 100_000
    inside = Region((Polygon(ring),)).contains(points)
    distance = np.hypot(*(points - 50_000).T)
    # The polygon's edges lie up to 0.01 px inside of the circle.
    clear = np.abs(distance - 40_000) > 0.1
    assert np.array_equal(inside[clear], distance[clear] < 40_000)


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        ([[0, 0], [1, 1]], "2 corners"),
        ([[0, 0], [1, 1], [0, 0]], "2 corners"),
        ([[0, 0], [1, float("nan")], [2, 2]], "NaN"),
    ],
)
def test_a_ring_without_area_is_refused(ring: list[list[float]], message: str) -> None:
    with pytest.raises(RegionError, match=message):
        Polygon(np.array(ring))
    with pytest.raises(RegionError, match="without a polygon"):
        Region(())
