import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.errors import RegionError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.region import Region
from mitoscope.tissue import TissueMask

# A slide of 25 × 14 px0 under a mask of 10 px0 a pixel: the last column covers 5 px0, the last row 4.
GRID = np.array([[1, 0, 1], [0, 1, 1]], dtype=np.bool_)


def small() -> TissueMask:
    return TissueMask(GRID, (10.0, 10.0), Mpp.square(1.0), SizePx(25, 14))


def test_area_is_cut_off_at_the_slides_edge() -> None:
    # 10·10 + 5·10 in the first row, 10·4 + 5·4 in the second.
    assert small().area_mm2 == pytest.approx((100 + 50 + 40 + 20) * 1e-6)


def test_contains_is_half_open_and_false_outside() -> None:
    inside = [[0, 0], [9.99, 9.99], [10, 10], [24.9, 13.9]]
    outside = [[10, 9.99], [25, 5], [-0.1, 0], [5, 14], [1e300, 1]]
    assert small().contains(np.array(inside)).all()
    assert not small().contains(np.array(outside)).any()
    assert small().contains(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("box", "expected_px"),
    [
        ((0, 0, 25, 14), 210),
        ((-50, -50, 200, 200), 210),
        ((2.5, 2.5, 5, 5), 25),
        ((5, 5, 10, 9), 5 * 5 + 5 * 4),
        ((30, 0, 5, 5), 0),
        ((10, 0, 10, 10), 0),
    ],
)
def test_area_in_a_box_is_exact_to_the_part_of_a_pixel(
    box: tuple[float, float, float, float], expected_px: float
) -> None:
    assert small().area_in(BoxPx0(*box)) == pytest.approx(expected_px * 1e-6, abs=1e-15)
    assert (small().bounds_in(BoxPx0(*box)) is not None) == (expected_px > 0)


def test_bounds_in_a_box_are_those_of_its_tissue() -> None:
    assert small().bounds_in(BoxPx0(-5, -5, 50, 50)) == BoxPx0(0, 0, 25, 14)
    assert small().bounds_in(BoxPx0(4, 3, 12, 20)) == BoxPx0(4, 3, 12, 11)
    assert small().bounds_in(BoxPx0(12, 2, 13, 12)) == BoxPx0(12, 2, 13, 12)
    assert small().bounds_in(BoxPx0(12, 2, 7, 12)) == BoxPx0(12, 10, 7, 4)
    assert small().bounds_in(BoxPx0(10, 0, 10, 10)) is None
    assert small().bounds_in(BoxPx0(30, 0, 5, 5)) is None


@settings(deadline=None)
@given(
    grid=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=5),
    x=st.integers(-5, 30),
    y=st.integers(-5, 30),
    width=st.integers(1, 20),
    height=st.integers(1, 20),
)
def test_area_equals_counting_pixels(grid: list[list[bool]], x: int, y: int, width: int, height: int) -> None:
    mask = np.array(grid, dtype=np.bool_)
    tissue = TissueMask(mask, (5.0, 6.0), Mpp(0.5, 0.5), SizePx(18, mask.shape[0] * 6 - 2))
    counted = brute_force_px(tissue, x, y, width, height)
    box = BoxPx0(x, y, width, height)
    assert tissue.area_in(box) == pytest.approx(counted * 0.25e-6, abs=1e-12)
    bounds = tissue.bounds_in(box)
    assert (bounds is None) == (counted == 0)
    if bounds is not None:
        assert bounds.intersection(box) == bounds
        assert tissue.area_in(bounds) == pytest.approx(counted * 0.25e-6, abs=1e-12)


def brute_force_px(tissue: TissueMask, x: int, y: int, width: int, height: int) -> int:
    full: NDArray[np.bool_] = np.kron(tissue.mask, np.ones((6, 5), np.bool_)).astype(np.bool_)
    full = full[: tissue.slide_size.height, : tissue.slide_size.width]
    return int(full[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)].sum())


def test_a_mask_that_does_not_cover_the_slide_is_refused() -> None:
    with pytest.raises(RegionError, match="covers 30 × 20 px of a slide of 60 × 14 px"):
        TissueMask(GRID, (10.0, 10.0), Mpp.square(1.0), SizePx(60, 14))
    with pytest.raises(RegionError, match="h, w > 0"):
        TissueMask(np.zeros((0, 3), np.bool_), (1.0, 1.0), Mpp.square(1.0), SizePx(3, 3))


def test_the_mask_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        small().mask[0, 0] = False


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 60)), min_size=3, max_size=3, unique=True))
def test_within_a_region_are_the_pixels_whose_centre_is_inside(ring: list[tuple[int, int]]) -> None:
    corners = np.array(ring, dtype=np.float64) + np.array((0.21731337, 0.33917719))  # no edge meets a centre
    assume(abs(np.linalg.det(corners[1:] - corners[0])) > 1)
    region = Region.of_polygon(corners)
    tissue = TissueMask(np.ones((12, 16), np.bool_), (5.0, 5.0), Mpp.square(1.0), SizePx(80, 60))
    rows, columns = np.mgrid[:12, :16]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1) * 5.0 + 2.5
    assert np.array_equal(tissue.within(region).mask.ravel(), region.contains(centres))


def test_the_mask_of_a_region_has_its_area() -> None:
    angle = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    circle = np.stack([1000 + 800 * np.cos(angle), 900 + 800 * np.sin(angle)], axis=1)
    region = Region.of_polygon(circle)
    mask = TissueMask.of_region(region, mpp=Mpp.square(0.5), slide_size=SizePx(2001, 1903))
    assert mask.px0_per_pixel == (16.0, 16.0)
    assert mask.area_mm2 == pytest.approx(region.area_mm2(Mpp.square(0.5)), rel=0.005)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    corners=st.lists(st.tuples(st.integers(-50, 450), st.integers(-50, 350)), min_size=3, max_size=3),
    box=st.tuples(*(st.integers(-40, 400) for _ in range(2)), *(st.integers(1, 500) for _ in range(2))),
)
def test_the_area_inside_of_a_region_is_that_of_all_pixels_clipped(
    seed: int, corners: list[tuple[int, int]], box: tuple[int, int, int, int]
) -> None:
    assume(len({*corners}) == 3)
    shape = shapely.Polygon(corners)
    assume(shape.area > 1)
    grid = np.random.default_rng(seed).random((30, 41)) < 0.6
    mask = TissueMask(grid, (10.0, 10.0), Mpp.square(1.0), SizePx(405, 296))
    window = BoxPx0(*box)
    rows, columns = np.nonzero(grid)
    pixels = shapely.box(columns * 10, rows * 10, np.minimum(columns * 10 + 10, 405), rows * 10 + 10)
    slide = shapely.box(0, 0, 405, 296)
    part = shape.intersection(slide).intersection(
        shapely.box(window.x, window.y, window.right, window.bottom)
    )
    expected = float(shapely.area(shapely.intersection(pixels, part)).sum()) * 1e-6
    assert mask.area_inside(Region(shape), window) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_a_region_narrower_than_a_mask_pixel_has_its_own_area() -> None:
    grid = np.ones((40, 48), np.bool_)
    grid[:, 24:] = False
    mask = TissueMask(grid, (32.0, 32.0), Mpp.square(0.25), SizePx(1536, 1280))
    everywhere = BoxPx0(0, 0, 1536, 1280)
    for strip, right_px in [
        (BoxPx0(0, 0, 16, 1280), 16 * 1280),
        (BoxPx0(5, 5, 995, 15), 15 * (768 - 5)),
        (BoxPx0(20, 20, 1, 1), 1),
        (BoxPx0(800, 0, 16, 1280), 0),
    ]:
        found = mask.area_inside(Region.of_box(strip), everywhere)
        assert found == pytest.approx(right_px * 0.0625e-6, rel=1e-9, abs=1e-15)
