from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.errors import RegionError
from mitoscope.geometry import BoxPx, Mpp
from mitoscope.slide import MemorySlide, OpenSlideReader
from mitoscope.slide.resample import SCALE_STEPS, Sampling, best_level, exact_step, read_sampled


@settings(deadline=None)
@given(st.floats(0.001, 5000))
def test_steps_are_exact_in_single_precision(step: float) -> None:
    exact = exact_step(step)
    assert exact * SCALE_STEPS == round(exact * SCALE_STEPS)
    assert abs(exact - step) <= 0.5 / SCALE_STEPS or step < 1 / SCALE_STEPS
    assert float(np.float32(exact)) == exact


def test_halving_is_the_mean_at_a_reduction_of_four() -> None:
    """Small enough to check by hand: 8 × 8 in four quarters to 2 × 2."""
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:4, :4], rgb[:4, 4:], rgb[4:, :4], rgb[4:, 4:] = 40, 80, 120, 200
    rgb[0, 0] = 56  # one of 16 pixels is 16 higher: the mean is 41
    slide = MemorySlide(rgb, mpp=Mpp.square(0.25))
    pixels = read_sampled(slide, BoxPx(0, 0, 2, 2), sampling=Sampling(0, 4.0, 4.0))
    assert pixels.rgb[..., 0].tolist() == [[41, 80], [120, 200]]


@pytest.mark.parametrize("side", [1, 7, 64, 199, 200, 201, 1000])
def test_thumbnail_fits(side: int) -> None:
    rgb = np.full((123, 200, 3), 77, np.uint8)
    thumbnail = MemorySlide(rgb, mpp=Mpp.square(0.25)).thumbnail(side)
    height, width = thumbnail.rgb.shape[:2]
    assert width == min(side, 200) or width == min(side, 200) - 1
    assert height == pytest.approx(width * 123 / 200, abs=1.01)
    assert (thumbnail.rgb[thumbnail.valid] == 77).all()


def test_thumbnail_comes_from_the_pyramid(pyramid: Any) -> None:
    with OpenSlideReader(pyramid.path) as slide:
        assert [best_level(slide, factor) for factor in (0.5, 1, 1.9, 2, 3.9, 4, 100)] == [
            0,
            0,
            0,
            1,
            1,
            2,
            2,
        ]
        assert (slide.thumbnail(256).rgb == slide.read(BoxPx(0, 0, 256, 256), level=2).rgb).all()
        assert slide.thumbnail(100).rgb.shape == (100, 100, 3)


def test_thumbnail_of_no_pixels_is_refused() -> None:
    slide = MemorySlide(np.zeros((4, 4, 3), np.uint8), mpp=Mpp.square(0.25))
    with pytest.raises(RegionError, match="at least 1 px"):
        slide.thumbnail(0)
