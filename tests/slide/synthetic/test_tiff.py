from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from mitoscope.geometry import SizePx
from mitoscope.slide.synthetic.pyramid import encode_tile
from mitoscope.slide.synthetic.tiff import JpegTiff, reopened


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
