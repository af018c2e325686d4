from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.pixels import Pixels, block_means, reduced_box, reduced_size


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


def grey(rows: list[list[int]], valid: list[list[int]] | None = None) -> Pixels:
    values = np.array(rows, np.uint8)
    known = np.ones(values.shape, np.bool_) if valid is None else np.array(valid, np.bool_)
    return Pixels(np.repeat(values[..., None], 3, axis=2), known)


def test_means_are_rounded() -> None:
    means = block_means(grey([[0, 1, 10, 20], [1, 0, 30, 40]]), 2)
    assert means.rgb[..., 0].tolist() == [[1, 25]]  # 0.5 goes up
    assert means.valid.all()


def test_the_border_is_continued() -> None:
    means = block_means(grey([[10, 20, 30]]), 2)
    assert means.rgb[..., 0].tolist() == [[15, 255]]  # the second covers a quarter of a block
    assert means.valid.tolist() == [[True, False]]
    column = block_means(grey([[10, 20], [10, 20], [30, 50]]), 2)
    assert column.rgb[..., 0].tolist() == [[15], [40]]


def test_half_of_a_block_is_enough() -> None:
    means = block_means(grey([[8, 8, 8, 8], [8, 8, 8, 8]], [[1, 1, 1, 0], [0, 0, 0, 0]]), 2)
    assert means.valid.tolist() == [[True, False]]
    assert means.rgb[..., 0].tolist() == [[8, 255]]


def test_damage_is_scaled_outwards() -> None:
    damaged = (BoxPx(3, 4, 2, 3),)
    pixels = Pixels(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.bool_), damaged)
    assert block_means(pixels, 2).damaged == (BoxPx(1, 2, 2, 2),)


@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([2, 4, 8]), st.integers(0, 99))
def test_it_agrees_with_means_block_by_block(width: int, height: int, factor: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rgb, valid = rng.integers(0, 256, (height, width, 3), np.uint8), rng.random((height, width)) < 0.7
    means = block_means(Pixels(rgb, valid), factor)
    size = reduced_size(SizePx(width, height), factor)
    assert means.rgb.shape == (size.height, size.width, 3)
    for y in range(height // factor):  # whole blocks
        for x in range(width // factor):
            rows, columns = (slice(at * factor, (at + 1) * factor) for at in (y, x))
            assert means.valid[y, x] == (valid[rows, columns].mean() >= 0.5)
            if means.valid[y, x]:
                assert np.abs(means.rgb[y, x] - rgb[rows, columns].mean(axis=(0, 1))).max() <= 0.5


@pytest.mark.parametrize(("box", "expected"), [((0, 0, 8, 8), (0, 0, 2, 2)), ((3, 5, 2, 1), (0, 1, 2, 1))])
def test_boxes(box: tuple[int, int, int, int], expected: tuple[int, int, int, int]) -> None:
    assert reduced_box(BoxPx(*box), 4) == BoxPx(*expected)
