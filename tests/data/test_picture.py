from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import cut

pytestmark = pytest.mark.train


def test_cut_mirrors_beyond_the_picture_without_doubling_its_border() -> None:
    rgb = np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4)[..., None], 3, axis=2)
    #      0  1  2  3
    #      4  5  6  7
    #      8  9 10 11
    patch = cut(rgb, left=-2, top=-1, side=4)[..., 0]
    assert patch.tolist() == [[6, 5, 4, 5], [2, 1, 0, 1], [6, 5, 4, 5], [10, 9, 8, 9]]


def test_cut_inside_is_the_slice() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    assert np.array_equal(cut(rgb, left=5, top=7, side=20), rgb[7:27, 5:25])


def test_cut_far_outside_folds_back_and_forth() -> None:
    rgb = np.arange(3, dtype=np.uint8).reshape(1, 3, 1).repeat(3, axis=0).repeat(3, axis=2)
    assert cut(rgb, left=-6, top=0, side=10)[0, :, 0].tolist() == [2, 1, 0, 1, 2, 1, 0, 1, 2, 1][::1]
