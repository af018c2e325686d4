from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.errors import LevelError, RegionError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide import MemorySlide, Pixels, Slide, open_slide
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.web.deep_zoom import TILE_PX, encode_jpeg, level_size, max_level, read_scaled, read_tile


@pytest.fixture(scope="module")
def slide() -> MemorySlide:
    y, x = np.mgrid[0:700, 0:1000]
    rgb = np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    return MemorySlide(rgb, mpp=Mpp.square(0.25))


def test_levels_halve_down_to_one_pixel() -> None:
    size = SizePx(1000, 700)
    assert max_level(size) == 10
    assert level_size(size, 10) == size
    assert level_size(size, 9) == SizePx(500, 350)
    assert level_size(size, 0) == SizePx(1, 1)
    assert max_level(SizePx(1, 1)) == 0
    assert max_level(SizePx(1024, 3)) == 10
    for level in (-1, 11):
        with pytest.raises(LevelError):
            level_size(size, level)


def test_the_tiles_of_full_size_are_the_slide(slide: MemorySlide) -> None:
    whole = slide.read(BoxPx(0, 0, 1000, 700)).rgb
    rows = [
        np.concatenate([read_tile(slide, 10, column, row) for column in range(4)], axis=1) for row in range(3)
    ]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


@pytest.mark.parametrize("level", [9, 8, 7, 4])
def test_a_coarser_level_is_the_slide_in_small(level: int) -> None:
    rng = np.random.default_rng(0)
    smooth = np.asarray(
        Image.fromarray(rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)).resize(
            (1024, 768), Image.Resampling.BICUBIC
        )
    )
    slide = MemorySlide(smooth, mpp=Mpp.square(0.25))
    size = level_size(SizePx(1024, 768), level)
    columns, rows = -(-size.width // TILE_PX), -(-size.height // TILE_PX)
    joined = np.concatenate(
        [np.concatenate([read_tile(slide, level, c, r) for c in range(columns)], axis=1) for r in range(rows)]
    )
    assert joined.shape == (size.height, size.width, 3)
    factor = 1 << (10 - level)
    means = smooth.reshape(size.height, factor, size.width, factor, 3).mean((1, 3))
    assert np.abs(joined.astype(float) - means).mean() < 3


@pytest.mark.parametrize("place", [(10, 4, 0), (10, 0, 3), (10, -1, 0), (0, 1, 0)])
def test_a_tile_beyond_the_slide_is_refused(slide: MemorySlide, place: tuple[int, int, int]) -> None:
    with pytest.raises(RegionError):
        read_tile(slide, *place)


def test_what_lies_beyond_the_slide_is_white(slide: MemorySlide) -> None:
    crop = read_scaled(slide, BoxPx(-64, -64, 128, 128), SizePx(128, 128))
    assert (crop[:64] == 255).all()
    assert (crop[:, :64] == 255).all()
    np.testing.assert_array_equal(crop[64:, 64:], slide.read(BoxPx(0, 0, 64, 64)).rgb)


def test_a_tile_is_a_jpeg_of_its_size(slide: MemorySlide) -> None:
    content = encode_jpeg(read_tile(slide, 10, 3, 2))
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (1000 - 3 * TILE_PX, 700 - 2 * TILE_PX))


def test_a_tile_between_two_levels_of_a_file_is_reduced_while_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made.tiff"
    write_slide(path, SyntheticSlideConfig(width=1024, height=700, tissue_fraction=1.0, seed=3))
    with open_slide(path, probe=False) as slide:
        whole = slide.read(BoxPx(0, 0, 1024, 700)).rgb.astype(float)
        factors: list[int] = []
        read = type(slide).read_reduced

        def noted(self: Slide, box: BoxPx, *, reduction: int, level: int = 0) -> Pixels:
            factors.append(reduction)
            return read(self, box, reduction=reduction, level=level)

        monkeypatch.setattr(type(slide), "read_reduced", noted)
        rows = [
            np.concatenate([read_tile(slide, max_level(slide.info.size) - 1, c, r) for c in (0, 1)], axis=1)
            for r in (0, 1)
        ]
    joined = np.concatenate(rows)
    assert joined.shape == (350, 512, 3)
    assert set(factors) == {2}
    assert np.abs(joined - whole.reshape(350, 2, 512, 2, 3).mean((1, 3))).mean() < 1.5
