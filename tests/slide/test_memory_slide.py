from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.errors import LevelError, RegionError, SlideFormatError, SlideReadError
from mitoscope.geometry import BoxPx, Mpp
from mitoscope.slide import MemorySlide

RGB = np.random.default_rng(0).integers(0, 250, (13, 17, 3), np.uint8)
MPP = Mpp.square(0.25)


@settings(max_examples=50, deadline=None)
@given(x=st.integers(-30, 30), y=st.integers(-30, 30), width=st.integers(1, 40), height=st.integers(1, 40))
def test_nothing_is_invented_outside(x: int, y: int, width: int, height: int) -> None:
    """Promise 3, against one pixel at a time."""
    pixels = MemorySlide(RGB, mpp=MPP).read(BoxPx(x, y, width, height))
    assert pixels.rgb.shape == (height, width, 3)
    for row in range(height):
        for column in range(width):
            inside = 0 <= x + column < 17 and 0 <= y + row < 13
            expected = RGB[y + row, x + column].tolist() if inside else [255, 255, 255]
            assert pixels.valid[row, column] == inside
            assert pixels.rgb[row, column].tolist() == expected


def test_a_read_does_not_hand_out_the_slide_itself() -> None:
    slide = MemorySlide(RGB.copy(), mpp=MPP)
    slide.read(BoxPx(0, 0, 5, 5)).rgb[:] = 0
    assert (slide.read(BoxPx(0, 0, 17, 13)).rgb == RGB).all()


def test_places_that_were_not_scanned_are_white_and_invalid() -> None:
    valid = np.ones((13, 17), np.bool_)
    valid[3:5, 4:9] = False
    pixels = MemorySlide(RGB, mpp=MPP, valid=valid).read(BoxPx(0, 0, 17, 13))
    assert (pixels.valid == valid).all()
    assert (pixels.rgb[~valid] == 255).all()
    assert (pixels.rgb[valid] == RGB[valid]).all()


def test_closed_slide_and_missing_level_raise() -> None:
    with MemorySlide(RGB, mpp=MPP) as slide:
        with pytest.raises(LevelError, match="no level 1"):
            slide.read(BoxPx(0, 0, 5, 5), level=1)
        with pytest.raises(RegionError, match="too large"):
            slide.read(BoxPx(0, 0, 1 << 15, 1 << 15))
    with pytest.raises(SlideReadError, match="closed"):
        slide.read(BoxPx(0, 0, 5, 5))


@pytest.mark.parametrize(
    "array", [RGB[..., 0], RGB.astype(np.uint16), RGB[:0], np.zeros((4, 4, 4), np.uint8), RGB / 255]
)
def test_arrays_that_are_no_colours_are_refused(array: np.ndarray) -> None:
    with pytest.raises(SlideFormatError, match="expected uint8"):
        MemorySlide(array, mpp=MPP)


def test_fingerprint_tells_content_and_shape_apart() -> None:
    prints = {
        MemorySlide(array, mpp=MPP).info.fingerprint
        for array in (RGB, RGB[:, ::-1], RGB.reshape(17, 13, 3), np.ascontiguousarray(RGB))
    }
    assert len(prints) == 3
