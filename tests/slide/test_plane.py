from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mitoscope.errors import ConfigError, RegionError, ScaleError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide import MemorySlide, OpenSlideReader, Pixels, Plane, open_slide, read_thumbnail
from mitoscope.slide.plane import SCALE_STEPS, Sampling, best_level, exact_step, read_sampled

RGB = np.random.default_rng(5).integers(0, 256, (300, 420, 3), np.uint8)
SLIDE = MemorySlide(RGB, mpp=Mpp.square(0.25))


def discs(points: list[tuple[float, float]], *, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Return a white field with dark, smooth spots of known sub-pixel centres (continuous px)."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    field = np.zeros(shape)
    for px, py in points:
        field += np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2))
    grey = np.asarray(255 * (1 - np.clip(field, 0, 1)), np.uint8)
    return np.stack([grey] * 3, axis=2)


def centroid(rgb: np.ndarray, near: np.ndarray, radius: int) -> np.ndarray:
    weight = 255.0 - rgb[..., 0]
    y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]] + 0.5
    weight = weight * (np.hypot(x - near[0], y - near[1]) < radius)
    return np.array([(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()])


@pytest.mark.parametrize("mpp", [0.23, 0.25, 0.27])
def test_within_the_tolerance_pixels_are_the_slides_own(mpp: float) -> None:
    plane = Plane(SLIDE, mpp)
    assert (plane.native, plane.scale, plane.size) == (True, (1.0, 1.0), SizePx(420, 300))
    assert (plane.read(BoxPx(0, 0, 420, 300)).rgb == RGB).all()


def test_tolerance_can_be_tightened() -> None:
    assert not Plane(SLIDE, 0.27, tolerance=0.05).native
    with pytest.raises(ConfigError, match="tolerance"):
        Plane(SLIDE, 0.25, tolerance=1.0)
    with pytest.raises(ScaleError):
        Plane(SLIDE, 0.0)


@functools.cache
def whole_plane(mpp: float) -> Pixels:
    plane = Plane(SLIDE, mpp)
    return plane.read(BoxPx(-20, -20, plane.size.width + 200, plane.size.height + 200))


@settings(max_examples=60, deadline=None)
@given(
    mpp=st.sampled_from([0.1, 0.17, 0.31, 0.5, 0.77, 1.0, 1.9]),
    x=st.integers(-20, 300),
    y=st.integers(-20, 200),
    width=st.integers(1, 130),
    height=st.integers(1, 130),
)
def test_windows_agree_bit_for_bit(mpp: float, x: int, y: int, width: int, height: int) -> None:
    plane = Plane(SLIDE, mpp)
    whole = whole_plane(mpp)
    x, y = min(x, plane.size.width + 20), min(y, plane.size.height + 20)
    part = plane.read(BoxPx(x, y, width, height))
    rows, columns = slice(y + 20, y + 20 + height), slice(x + 20, x + 20 + width)
    assert (part.rgb == whole.rgb[rows, columns]).all()
    assert (part.valid == whole.valid[rows, columns]).all()


def test_control_cutting_windows_at_fractions_does_not_agree() -> None:
    """The naive plane: a step of 1.24 px as it comes, one Pillow call a window."""
    step, image = 0.31 / 0.25, Image.fromarray(RGB)

    def read(box: BoxPx) -> np.ndarray:
        source = (box.x * step, box.y * step, box.right * step, box.bottom * step)
        return np.asarray(image.resize((box.width, box.height), Image.Resampling.BICUBIC, box=source))

    whole = read(BoxPx(0, 0, 330, 240))
    differs = sum(
        int((read(BoxPx(x, x, 60, 60)) != whole[x : x + 60, x : x + 60]).sum()) for x in range(1, 170, 3)
    )
    assert differs > 0


@pytest.mark.parametrize("mpp", [0.1, 0.4, 0.5, 0.9])
def test_a_cell_keeps_its_place(mpp: float) -> None:
    """Centres found in the plane, mapped to px0, are those that were drawn: no half-pixel shift."""
    drawn = [(60.3, 70.8), (301.1, 90.4), (170.7, 215.2), (350.5, 240.5)]
    slide = MemorySlide(discs(drawn, shape=(300, 420), sigma=6), mpp=Mpp.square(0.25))
    plane = Plane(slide, mpp)
    rgb = plane.read(BoxPx(0, 0, plane.size.width, plane.size.height)).rgb
    for point in np.array(drawn):
        near = plane.from_px0(point[None])[0]
        found = centroid(rgb, near, math.ceil(25 / plane.scale[0]))
        assert np.abs(plane.to_px0(found[None])[0] - point).max() < 0.1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)), max_size=4))
def test_mapping_there_and_back(points: list[tuple[float, float]]) -> None:
    plane = Plane(SLIDE, Mpp(0.4, 0.41))
    array = np.array(points, float).reshape(-1, 2)
    assert plane.from_px0(plane.to_px0(array)) == pytest.approx(array)
    assert plane.to_px0(array).shape == array.shape


def test_delivered_resolution_is_near_and_stated_exactly() -> None:
    for mpp in (0.05, 0.31, 0.5, 1.234, 4.9):
        plane = Plane(SLIDE, mpp)
        assert plane.mpp[0] == pytest.approx(mpp, rel=3e-3)
        assert plane.scale[0] * 0.25 == plane.mpp[0]
        assert plane.size.width == math.ceil(420 / plane.scale[0])


def test_slide_with_oblong_pixels() -> None:
    slide = MemorySlide(RGB, mpp=Mpp(0.25, 0.26))
    plane = Plane(slide, 0.52)
    assert plane.scale == pytest.approx((2.08, 2.0), rel=1e-3)


def test_uniform_colour_stays_up_to_the_border() -> None:
    slide = MemorySlide(np.full((101, 77, 3), 90, np.uint8), mpp=Mpp.square(0.25))
    for mpp in (0.4, 0.1, 2.0):
        plane = Plane(slide, mpp)
        pixels = plane.read(BoxPx(0, 0, plane.size.width - 1, plane.size.height - 1))
        assert (pixels.rgb == 90).all()
        assert pixels.valid.all()


def test_what_was_not_scanned_stays_invalid() -> None:
    valid = np.ones((300, 420), np.bool_)
    valid[100:200, 100:300] = False
    slide = MemorySlide(np.full_like(RGB, 60), mpp=Mpp.square(0.25), valid=valid)
    pixels = Plane(slide, 0.5).read(BoxPx(0, 0, 210, 150))
    expected = np.ones((150, 210), np.bool_)
    expected[50:100, 50:150] = False
    assert (pixels.valid == expected).all()
    assert (pixels.rgb[~expected] == 255).all()
    assert (pixels.rgb[:40] == 60).all()


@pytest.mark.parametrize(
    ("scanned", "seen"),
    [
        ([[1, 1], [1, 1]], True),
        ([[1, 1], [1, 0]], True),
        ([[1, 1], [0, 0]], True),
        ([[0, 1], [0, 1]], True),
        ([[1, 0], [0, 1]], True),
        ([[1, 0], [0, 0]], False),
        ([[0, 0], [0, 1]], False),
        ([[0, 0], [0, 0]], False),
    ],
)
def test_a_new_pixel_is_valid_where_half_of_what_it_covers_is(scanned: list[list[int]], seen: bool) -> None:
    valid = np.ones((8, 8), np.bool_)
    valid[2:4, 4:6] = np.array(scanned, np.bool_)
    slide = MemorySlide(np.full((8, 8, 3), 60, np.uint8), mpp=Mpp.square(0.25), valid=valid)
    pixels = Plane(slide, 0.5).read(BoxPx(0, 0, 4, 4))
    expected = np.ones((4, 4), np.bool_)
    expected[1, 2] = seen
    assert (pixels.valid == expected).all()
    assert (pixels.rgb[1, 2] == 255).all() == (not seen)


def test_the_finest_level_needed_is_read(pyramid: Any) -> None:
    with OpenSlideReader(pyramid.path) as slide:  # levels of 0.25, 0.5 and 1.0 µm/px
        chosen = {mpp: Plane(slide, mpp) for mpp in (0.1, 0.26, 0.4, 0.48, 0.55, 0.8, 1.05, 3.0)}
        levels = {mpp: (plane.level, plane.native) for mpp, plane in chosen.items()}
        assert chosen[0.48].scale == (2.0, 2.0)
        native = chosen[0.48].read(BoxPx(5, 6, 90, 80))
        assert (native.rgb == slide.read(BoxPx(5, 6, 90, 80), level=1).rgb).all()
    assert levels == {
        0.1: (0, False),
        0.26: (0, True),
        0.4: (0, False),
        0.48: (1, True),
        0.55: (1, True),
        0.8: (1, False),
        1.05: (2, True),
        3.0: (2, False),
    }


def test_where_the_pyramid_lacks_a_level_the_decoder_reduces(
    pyramid: Any, make_tiff: Any, tmp_path: Path
) -> None:
    """Levels of 0.25 and 1 µm/px, as most scanners write: 0.5 comes from level 0, 2 from level 1."""
    made = make_tiff(tmp_path / "quarters.tiff", pyramid.rgb, reductions=(1, 4))
    with open_slide(made.path) as fast, OpenSlideReader(made.path) as slow:
        chosen = {mpp: Plane(fast, mpp) for mpp in (0.25, 0.4, 0.46, 0.5, 0.55, 0.7, 1.0, 2.0, 4.0)}
        assert {mpp: (plane.level, plane.reduction, plane.native) for mpp, plane in chosen.items()} == {
            0.25: (0, 1, True),
            0.4: (0, 1, False),
            0.46: (0, 2, False),
            0.5: (0, 2, False),
            0.55: (0, 2, False),
            0.7: (0, 1, False),
            1.0: (1, 1, True),
            2.0: (1, 2, False),
            4.0: (1, 4, False),
        }
        plane = chosen[0.46]
        assert (plane.scale, plane.mpp, plane.size) == ((2.0, 2.0), (0.5, 0.5), SizePx(512, 512))
        box = BoxPx(-7, 30, 200, 190)
        assert (plane.read(box).rgb == fast.read_reduced(box, reduction=2).rgb).all()
        bicubic = Plane(slow, 0.5)
        assert (bicubic.reduction, bicubic.scale) == (1, (2.0, 2.0))
        assert np.abs(plane.read(box).rgb.astype(int) - bicubic.read(box).rgb).mean() < 1


def test_a_cell_keeps_its_place_where_the_decoder_reduces(make_tiff: Any, tmp_path: Path) -> None:
    drawn = [(60.3, 70.8), (301.1, 90.4), (170.7, 215.2), (350.5, 240.5)]
    rgb = discs(drawn, shape=(300, 420), sigma=6)
    made = make_tiff(tmp_path / "discs.tiff", rgb, reductions=(1,))
    with open_slide(made.path) as slide:
        for mpp in (0.5, 1.0, 2.0):
            plane = Plane(slide, mpp)
            rgb = plane.read(BoxPx(0, 0, plane.size.width, plane.size.height)).rgb
            for point in np.array(drawn):
                found = centroid(rgb, plane.from_px0(point[None])[0], math.ceil(25 / plane.scale[0]))
                assert np.abs(plane.to_px0(found[None])[0] - point).max() < 0.2


def test_damage_is_given_in_plane_pixels(pyramid: Any, tmp_path: Path) -> None:
    data = bytearray(pyramid.path.read_bytes())
    offset, count = pyramid.tile_offset[0][100], pyramid.tile_bytes[0][100]
    data[offset : offset + count] = bytes(count)
    path = tmp_path / "broken.tiff"
    path.write_bytes(data)
    with OpenSlideReader(path) as slide:
        plane = Plane(slide, 0.4)  # px0 256 to 320 and 384 to 448 at 1.6 px0 per plane px
        pixels = plane.read(BoxPx(100, 200, 200, 200))
    (lost,) = pixels.damaged
    left, top = 256 / plane.scale[0], 384 / plane.scale[1]
    assert abs(lost.x - left) <= 1
    assert abs(lost.y - top) <= 1
    assert abs(lost.width - 64 / plane.scale[0]) <= 2
    invalid = np.argwhere(~pixels.valid) + np.array([200, 100])
    assert len(invalid) > 0
    assert invalid.min(axis=0)[0] >= lost.y
    assert invalid.min(axis=0)[1] >= lost.x
    assert invalid.max(axis=0)[0] < lost.bottom
    assert invalid.max(axis=0)[1] < lost.right


def test_large_window_is_read_in_parts(make_tissue: Callable[..., Any]) -> None:
    """A window whose source is larger than one Pillow call equals the same in pieces."""
    rgb = np.tile(make_tissue(512, 512), (1, 12, 1))  # 6144 px wide
    plane = Plane(MemorySlide(rgb, mpp=Mpp.square(0.25)), 0.33)
    whole = plane.read(BoxPx(0, 0, plane.size.width, plane.size.height))
    part = plane.read(BoxPx(3000, 100, 300, 60))
    assert (part.rgb == whole.rgb[100:160, 3000:3300]).all()


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
    thumbnail = read_thumbnail(MemorySlide(rgb, mpp=Mpp.square(0.25)), side)
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
        assert (read_thumbnail(slide, 256).rgb == slide.read(BoxPx(0, 0, 256, 256), level=2).rgb).all()
        assert read_thumbnail(slide, 100).rgb.shape == (100, 100, 3)


def test_thumbnail_reduced_while_it_is_decoded_shows_what_the_whole_pixels_show(pyramid: Any) -> None:
    with open_slide(pyramid.path) as fast, OpenSlideReader(pyramid.path) as whole:
        assert 2 in fast.reductions
        assert not whole.reductions
        ours, theirs = read_thumbnail(fast, 450), read_thumbnail(whole, 450)  # a step of 2.3 on level 0
    assert ours.rgb.shape == theirs.rgb.shape
    difference = ours.rgb.astype(float) - theirs.rgb
    assert ours.valid.all()
    assert abs(difference.mean()) < 1
    assert np.abs(difference).mean() < 6


def test_thumbnail_of_no_pixels_is_refused() -> None:
    slide = MemorySlide(np.zeros((4, 4, 3), np.uint8), mpp=Mpp.square(0.25))
    with pytest.raises(RegionError, match="at least 1 px"):
        read_thumbnail(slide, 0)
