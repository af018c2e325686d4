from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import openslide
import pytest
import simplejpeg
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.geometry import SizePx
from mitoscope.slide.synthetic.pyramid import (
    JpegTiff,
    ReducedLevel,
    encode_tile,
    level_sizes,
    reduce_tile,
    reopened,
    tiles_across,
)


@given(width=st.integers(1, 100_000), height=st.integers(1, 100_000), tile_px=st.sampled_from([256, 512]))
def test_levels_shrink_by_four_to_one_tile(width: int, height: int, tile_px: int) -> None:
    sizes = level_sizes(SizePx(width, height), tile_px)
    assert sizes[0] == SizePx(width, height)
    assert max(sizes[-1].width, sizes[-1].height) <= tile_px
    for low, high in pairwise(sizes):
        assert max(low.width, low.height) > tile_px
        assert high.width == -(-low.width // 4)
        assert high.height == -(-low.height // 4)


def test_a_reduced_tile_is_the_mean_of_blocks() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    expected = rgb.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(reduce_tile(rgb) - expected).max() <= 0.5


def test_a_level_gathers_its_tiles_and_leaves_glass_where_nothing_came(tmp_path: Path) -> None:
    glass = np.array([246, 243, 242], dtype=np.uint8)
    level = ReducedLevel(SizePx(300, 200), tile_px=256, quality=95, glass=glass, folder=tmp_path, above=None)
    level.put(np.full((64, 64, 3), 90, dtype=np.uint8), column=1, row=2)
    for row in range(4):
        level.end_row_below(row, last=row == 3)
    tiles = [simplejpeg.decode_jpeg(tile) for tile in level.tiles()]
    level.close()
    assert len(tiles) == np.prod(tiles_across(SizePx(300, 200), 256)) == 2
    assert np.abs(tiles[0][132:188, 68:124].astype(int) - 90).max() <= 3
    assert np.abs(tiles[0][:120].astype(int) - glass).max() <= 3
    assert np.abs(tiles[1].astype(int) - glass).max() <= 1
    assert list(tmp_path.iterdir()) == []


def test_tiles_are_whole_jpeg_streams_with_halved_colour() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    height, width, _, subsampling = simplejpeg.decode_jpeg_header(encode_tile(rgb, 85))
    assert (height, width, subsampling) == (64, 64, "420")


def _write(path: Path, sizes: list[SizePx], mpp: float) -> bytes:
    tile = encode_tile(np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8), 85)
    with path.open("w+b") as stream, reopened(stream) as file:
        tiff = JpegTiff(file, size=sizes[0], tile_px=256, mpp=mpp, description="a test")
        for size in sizes:
            count = -(-size.width // 256) * -(-size.height // 256)
            tiff.add_level(iter([tile] * count), size)
        tiff.finish()
    return tile


@pytest.mark.parametrize("mpp", [0.1, 0.2208, 0.243, 0.25, 0.4990, 1.0])
def test_the_scale_is_kept_to_a_millionth(tmp_path: Path, mpp: float) -> None:
    _write(tmp_path / "a.tiff", [SizePx(300, 200), SizePx(75, 50)], mpp)
    with openslide.OpenSlide(tmp_path / "a.tiff") as slide:
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(mpp, rel=1e-6)
        assert slide.level_dimensions == ((300, 200), (75, 50))


def test_tiles_are_stored_as_they_came(tmp_path: Path) -> None:
    tile = _write(tmp_path / "a.tiff", [SizePx(500, 256)], 0.25)
    with tifffile.TiffFile(tmp_path / "a.tiff") as tiff:
        page = tiff.pages.first
        assert page.compression == tifffile.COMPRESSION.JPEG
        assert page.tags["ImageDescription"].value == "a test"
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            tiff.filehandle.seek(offset)
            assert tiff.filehandle.read(count) == tile
