from __future__ import annotations

import numpy as np

from mitoscope.slide.pixels import Pixels


def test_transparent_black_becomes_white_and_invalid() -> None:
    rgba = np.array([[[0, 0, 0, 0], [10, 20, 30, 255], [0, 0, 0, 128], [90, 0, 0, 127]]], np.uint8)
    pixels = Pixels.from_rgba(rgba)
    assert pixels.rgb.tolist() == [[[255, 255, 255], [10, 20, 30], [127, 127, 127], [255, 255, 255]]]
    assert pixels.valid.tolist() == [[False, True, True, False]]


def test_opaque_pixels_pass_unchanged() -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    rgba[..., 3] = 255
    pixels = Pixels.from_rgba(rgba)
    assert (pixels.rgb == rgba[..., :3]).all()
    assert pixels.valid.all()
    assert pixels.damaged == ()
