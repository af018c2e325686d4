from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.geometry import BoxPx

pytestmark = pytest.mark.train


def _grey(values: np.ndarray) -> Picture:
    return Picture("p", "s", "c", np.repeat(values.astype(np.uint8)[..., None], 3, axis=2))


def test_beyond_the_picture_lies_its_mirror_image() -> None:
    picture = _grey(np.arange(12).reshape(3, 4))
    #      0  1  2  3
    #      4  5  6  7
    #      8  9 10 11
    shown = picture.window(BoxPx(-2, -1, 4, 4))[..., 0]
    assert shown.tolist() == [[1, 0, 0, 1], [1, 0, 0, 1], [5, 4, 4, 5], [9, 8, 8, 9]]


def test_inside_it_is_the_slice() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    picture = Picture("p", "s", "c", rgb)
    assert np.array_equal(picture.window(BoxPx(5, 7, 20, 10)), rgb[7:17, 5:25])


def test_far_outside_it_folds_back_and_forth() -> None:
    picture = _grey(np.arange(3).reshape(1, 3).repeat(3, axis=0))
    assert picture.window(BoxPx(-6, 0, 10, 3))[0, :, 0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1, 2, 2]
    assert picture.window(BoxPx(20, 0, 4, 3))[0, :, 0].tolist() == [2, 2, 1, 0]
