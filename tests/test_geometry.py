from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import RegionError, ScaleError
from mitoscope.geometry import Aspect, BoxPx, BoxPx0, Mpp, SizePx


@pytest.mark.parametrize("value", [0.0, 0.049, 5.01, -0.25, math.nan, math.inf])
def test_an_implausible_resolution_is_refused_and_names_the_option(value: float) -> None:
    with pytest.raises(ScaleError, match="--mpp"):
        Mpp.square(value)


def test_resolutions_that_differ_by_more_than_five_percent_are_refused() -> None:
    assert Mpp(0.25, 0.26).mean == pytest.approx(math.sqrt(0.25 * 0.26))
    with pytest.raises(ScaleError, match="differ"):
        Mpp(0.25, 0.27)


def test_the_area_of_a_pixel() -> None:
    assert Mpp.square(0.25).pixel_area_mm2 * 4_000_000 == pytest.approx(0.25)


boxes = st.builds(BoxPx, st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 60), st.integers(1, 60))


@given(boxes, boxes)
def test_an_intersection_holds_exactly_the_common_pixels(a: BoxPx, b: BoxPx) -> None:
    def pixels(box: BoxPx) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box.x, box.right) for y in range(box.y, box.bottom)}

    common = a.intersection(b)
    assert (set() if common is None else pixels(common)) == pixels(a) & pixels(b)


def test_empty_boxes_are_refused() -> None:
    with pytest.raises(RegionError):
        BoxPx(0, 0, 0, 5)
    with pytest.raises(RegionError):
        BoxPx0(0, 0, 1, -1)
    with pytest.raises(RegionError):
        BoxPx0(math.nan, 0, 1, 1)
    with pytest.raises(RegionError):
        SizePx(3, 0)


def test_padding_and_area() -> None:
    assert BoxPx(10, 20, 5, 6).padded(2) == BoxPx(8, 18, 9, 10)
    assert BoxPx0(0, 0, 4000, 4000).area_mm2(Mpp.square(0.25)) == pytest.approx(1.0)


def test_ten_high_power_fields_have_the_published_size() -> None:
    width, height = Aspect(4, 3).size_um(2.37)
    assert width * height == pytest.approx(2.37e6)
    assert (int(width / 0.2533), int(height / 0.2533)) == (7017, 5263)


@pytest.mark.parametrize("text", ["", "4", "4:", "4:0", "a:b", "4:3:2", "nan:1", "-4:3"])
def test_a_bad_aspect_is_refused(text: str) -> None:
    with pytest.raises(RegionError):
        Aspect.parse(text)
