"""Promise 5: two readers agree. Lossless exact, JPEG at most 2 grey levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from mitoscope.geometry import BoxPx
from mitoscope.slide import ImageSlide, JpegTileReader, OpenSlideReader, Slide, open_slide
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

from .jpeg_kinds import JpegKind
from .jpeg_tiff import tissue_like, write_tiff

TILES = 200
KINDS = {
    "4:4:4": JpegKind(),
    "4:2:2": JpegKind(subsampling="422"),
    "4:2:0": JpegKind(tile_px=256, subsampling="420"),
    "rgb": JpegKind(tile_px=128, rgb=True),
    "rgb, shared tables": JpegKind(tile_px=256, rgb=True, shared_tables=True),
    "tiles of 240, shared tables": JpegKind(tile_px=240, subsampling="422", shared_tables=True),
    "tiles of 512": JpegKind(tile_px=512, subsampling="420"),
    "tiles of 1024": JpegKind(tile_px=1024, subsampling="420"),
}


def worst_of_random_tiles(ours: Slide, theirs: Slide, *, seed: int, side: int = 64) -> int:
    """Compare descriptions and 200 random boxes over all levels; return the largest difference."""
    assert (ours.info.size, ours.info.levels) == (theirs.info.size, theirs.info.levels)
    assert (ours.info.mpp, ours.info.mpp_source) == (theirs.info.mpp, theirs.info.mpp_source)
    assert (ours.info.bounds, ours.info.fingerprint) == (theirs.info.bounds, theirs.info.fingerprint)
    rng, worst = np.random.default_rng(seed), 0
    for _ in range(TILES):
        level = int(rng.integers(len(ours.info.levels)))
        size = ours.info.levels[level].size
        x, y = int(rng.integers(-20, size.width)), int(rng.integers(-20, size.height))
        box = BoxPx(x, y, side, side)
        one, other = ours.read(box, level=level), theirs.read(box, level=level)
        assert (one.valid == other.valid).all()
        assert one.damaged == other.damaged == ()
        worst = max(worst, int(np.abs(one.rgb.astype(int) - other.rgb).max()))
    return worst


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_on_every_kind_of_jpeg_tile(kind: JpegKind, tmp_path: Path) -> None:
    made = write_tiff(tmp_path / "slide.tiff", tissue_like(776, 1304), reductions=(1, 2, 4), kind=kind)
    with open_slide(made.path) as ours, OpenSlideReader(made.path) as theirs:
        assert isinstance(ours, JpegTileReader)
        assert worst_of_random_tiles(ours, theirs, seed=1) <= 2
        whole = ours.read(BoxPx(0, 0, 1304, 776))
    assert whole.valid.all()
    assert np.abs(whole.rgb.astype(int) - made.rgb).mean() < 3  # and it is what was written


def test_on_a_synthetic_slide(tmp_path: Path) -> None:
    path = tmp_path / "synthetic.tiff"
    write_slide(path, SyntheticSlideConfig.of(width=1500, height=1100, seed=3, tissue_fraction=0.8))
    with open_slide(path) as ours, OpenSlideReader(path) as theirs:
        assert isinstance(ours, JpegTileReader)
        assert worst_of_random_tiles(ours, theirs, seed=2, side=200) <= 2


def test_on_a_lossless_slide(tmp_path: Path) -> None:
    """OpenSlide and Pillow: exact."""
    rgb = tissue_like(400, 500)
    path = tmp_path / "lossless.tiff"
    tifffile.imwrite(path, rgb, tile=(64, 64), photometric="rgb", compression="zlib", metadata=None)
    with open_slide(path, mpp=0.25) as ours, ImageSlide(path, mpp=0.25) as theirs:
        assert isinstance(ours, OpenSlideReader)
        rng = np.random.default_rng(0)
        for _ in range(TILES):
            box = BoxPx(int(rng.integers(-20, 500)), int(rng.integers(-20, 400)), 64, 64)
            one, other = ours.read(box), theirs.read(box)
            assert (one.rgb == other.rgb).all()
            assert (one.valid == other.valid).all()


def test_where_the_vendor_states_bounds(make_leica: Any, tmp_path: Path) -> None:
    """Coordinates count from the whole slide's corner, whoever reads."""
    made = make_leica(tmp_path / "slide.scn")
    with open_slide(made.path) as ours, OpenSlideReader(made.path) as theirs:
        assert ours.info.bounds == BoxPx(256, 512, 1024, 1024)
        assert worst_of_random_tiles(ours, theirs, seed=4) == 0


@pytest.mark.realdata
def test_on_a_slide_of_a_scanner(real_slides: Path) -> None:
    path = real_slides / "cmu-1-small-region.svs"
    with open_slide(path) as ours, OpenSlideReader(path) as theirs:
        assert isinstance(ours, JpegTileReader)
        assert worst_of_random_tiles(ours, theirs, seed=5, side=256) <= 2
        everything = BoxPx(0, 0, 2220, 2967)
        assert np.abs(ours.read(everything).rgb.astype(int) - theirs.read(everything).rgb).max() <= 2
