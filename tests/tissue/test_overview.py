import numpy as np
import pytest

from mitoscope.geometry import BoxPx, Mpp
from mitoscope.slide.memory_slide import MemorySlide
from mitoscope.tissue import overview
from mitoscope.tissue.overview import read_overview

from .painting import PyramidSlide


def gradient(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype(np.uint8)


def test_without_a_pyramid_it_is_the_mean_of_level_0_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = gradient(130, 70)
    slide = PyramidSlide(rgb, mpp=1.0, factors=(1,))
    whole = read_overview(slide, mpp=8.0)
    assert whole.rgb.shape == (9, 17, 3)
    assert whole.px0_per_pixel == (8.0, 8.0)
    assert whole.rgb[1, 2].tolist() == pytest.approx(rgb[8:16, 16:24].mean(axis=(0, 1)).tolist(), abs=0.6)
    assert len(slide.reads) == 1

    monkeypatch.setattr(overview, "BLOCK_SIDE_PX", 40)
    slide.reads.clear()
    in_blocks = read_overview(slide, mpp=8.0)
    assert np.array_equal(in_blocks.rgb, whole.rgb)
    assert max(max(box.width, box.height) for _, box in slide.reads) <= 40


@pytest.mark.parametrize(
    ("factors", "level", "scale"),
    [
        ((1, 4, 16), 2, 32.0),
        ((1, 4, 32), 2, 32.0),
        ((1, 40), 1, 40.0),
        ((1, 4, 128), 1, 32.0),
        ((1,), 0, 32.0),
    ],
)
def test_the_nearest_level_that_is_not_too_coarse_is_read(
    factors: tuple[int, ...], level: int, scale: float
) -> None:
    slide = PyramidSlide(gradient(640, 1280), mpp=0.25, factors=factors)
    assert read_overview(slide, mpp=8.0).px0_per_pixel == (scale, scale)
    assert {n for n, _ in slide.reads} == {level}


def test_blocks_follow_the_files_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "BLOCK_SIDE_PX", 100)
    slide = PyramidSlide(gradient(200, 100), mpp=1.0, factors=(1,), tile=16)
    read_overview(slide, mpp=8.0)
    assert {(box.x % 16, box.y % 16) for _, box in slide.reads} == {(0, 0)}


def test_pixels_that_were_not_scanned_do_not_enter_the_mean() -> None:
    rgb = np.full((16, 16, 3), 100, np.uint8)
    valid = np.ones((16, 16), np.bool_)
    valid[:, 5:] = False
    seen = read_overview(MemorySlide(rgb, mpp=Mpp.square(1.0), valid=valid), mpp=8.0)
    assert seen.valid.tolist() == [[True, False], [True, False]]
    assert seen.rgb[0, 0].tolist() == pytest.approx([100] * 3, abs=2)
    assert seen.rgb[0, 1].tolist() == [255] * 3


def test_what_is_damaged_on_the_level_is_read_from_level_0() -> None:
    rgb = gradient(256, 256)
    slide = PyramidSlide(rgb, mpp=1.0, factors=(1, 8))
    sound = read_overview(slide, mpp=8.0)
    slide.damaged[1] = [BoxPx(8, 8, 8, 8)]
    mended = read_overview(slide, mpp=8.0)
    assert mended.unread_px0 == []
    assert mended.valid.all()
    assert np.abs(mended.rgb.astype(int) - sound.rgb).max() <= 1


def test_what_is_damaged_on_all_levels_is_named() -> None:
    slide = PyramidSlide(gradient(256, 256), mpp=1.0, factors=(1, 8))
    slide.damaged = {1: [BoxPx(8, 8, 8, 8)], 0: [BoxPx(64, 64, 64, 32)]}
    seen = read_overview(slide, mpp=8.0)
    assert [(box.x, box.y, box.width, box.height) for box in seen.unread_px0] == [(64, 64, 64, 32)]
    assert not seen.valid[8:12, 8:16].any()
    assert np.count_nonzero(~seen.valid) == 4 * 8


def test_damage_without_a_pyramid_is_named() -> None:
    slide = PyramidSlide(gradient(64, 64), mpp=1.0, factors=(1,))
    slide.damaged = {0: [BoxPx(0, 0, 16, 16)]}
    assert len(read_overview(slide, mpp=8.0).unread_px0) == 1
