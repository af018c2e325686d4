"""Damage of which the decoder does not complain: found where it spreads, and no other tile suspected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tifffile
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import JpegTileReader, open_slide
from mitoscope.slide.jpeg_tiles import DamagedStreamError, decode_tile, stream_head
from mitoscope.slide.openslide_reader import OpenSlideReader
from mitoscope.slide.seams import SUSPECT_FROM, looks_damaged, seam
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.slide.tiff_reader import TiffReader
from tests.conftest import DATA

Picture = NDArray[np.uint8]
TILE = SizePx(256, 256)
UNITS = {"444": SizePx(8, 8), "422": SizePx(16, 8), "420": SizePx(16, 16)}


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slide") / "slide.tiff"
    write_slide(path, SyntheticSlideConfig(width=1024, height=1024, tile_px=256, tissue_fraction=0.9))
    return path


@pytest.fixture(scope="module")
def tiles(slide: Path) -> list[Picture]:
    with open_slide(slide) as opened:
        return [
            opened.read(BoxPx(x, y, TILE.width, TILE.height)).rgb
            for y in range(0, 1024, TILE.height)
            for x in range(0, 1024, TILE.width)
        ]


def flipped(stream: bytes, random: np.random.Generator) -> bytes:
    """Return a stream with one bit of its coded blocks flipped."""
    scan = stream.index(b"\xff\xda")
    first = scan + 2 + int.from_bytes(stream[scan + 2 : scan + 4], "big")
    changed = bytearray(stream)
    changed[int(random.integers(first, len(stream) - 2))] ^= 1 << int(random.integers(8))
    return bytes(changed)


@pytest.mark.parametrize("subsampling", UNITS)
def test_most_silent_damage_that_spreads_is_found(tiles: list[Picture], subsampling: str) -> None:
    random, head = np.random.default_rng(0), stream_head(None, ycbcr=True)
    spread = found = 0
    for tile in tiles:
        stream = bytes(simplejpeg.encode_jpeg(tile, quality=85, colorsubsampling=subsampling))
        good = decode_tile(stream, head, TILE)
        assert seam(good, UNITS[subsampling]) <= SUSPECT_FROM
        for _ in range(60):
            try:
                bad = decode_tile(flipped(stream, random), head, TILE)
            except ValueError:
                continue  # the decoder complains
            if np.abs(bad.astype(int) - good).mean() > 2:
                spread += 1
                found += seam(bad, UNITS[subsampling]) > SUSPECT_FROM
    assert spread > 20
    assert found >= 0.5 * spread


def test_what_is_straight_in_the_picture_is_no_seam(tiles: list[Picture]) -> None:
    framed = tiles[5].copy()
    framed[32:] = 255 - framed[32:]
    framed[:, :48] = 0
    assert seam(framed, SizePx(16, 16)) <= SUSPECT_FROM


def test_a_tile_too_small_to_be_judged_is_not_suspected() -> None:
    assert seam(np.zeros((16, 256, 3), np.uint8), SizePx(8, 8)) == 0
    assert seam(np.zeros((256, 32, 3), np.uint8), SizePx(8, 8)) == 0


def damage(slide: Path, path: Path) -> BoxPx:
    """Write a slide with one bit flipped, such that a tile changes silently; return its place."""
    with open_slide(slide) as opened:
        assert isinstance(opened, JpegTileReader)
        table, index = opened.table(0), 5
        offset, count = table.place(index)
        data = bytearray(slide.read_bytes())
        stream = bytes(data[offset : offset + count])
        good = decode_tile(stream, table.head, table.tile)
        random = np.random.default_rng(3)
        for _ in range(3000):
            changed = flipped(stream, random)
            try:
                bad = decode_tile(changed, table.head, table.tile)
            except ValueError:
                continue
            reduced = decode_tile(changed, table.head, table.tile, reduction=2)
            seen = seam(bad, SizePx(16, 16)), seam(reduced, SizePx(8, 8))
            if np.abs(bad.astype(int) - good).mean() > 8 and min(seen) > SUSPECT_FROM:
                data[offset : offset + count] = changed
                path.write_bytes(data)
                return table.box(index)
    raise AssertionError("no flipped bit does it")


def test_the_reader_remembers_the_tile(slide: Path, tmp_path: Path) -> None:
    with open_slide(slide) as opened:
        opened.read(BoxPx(0, 0, 1024, 1024))
        assert opened.suspected() == ()
    tile = damage(slide, tmp_path / "damaged.tiff")
    with open_slide(tmp_path / "damaged.tiff") as opened:
        assert opened.read(BoxPx(0, 0, 1024, 1024)).damaged == ()  # nobody complains
        assert opened.suspected() == ((0, tile),)
    with open_slide(tmp_path / "damaged.tiff") as opened:
        opened.read_reduced(BoxPx(0, 0, 512, 512), reduction=2)
        assert opened.suspected() == ((0, tile),)


def test_a_tile_at_the_border_is_looked_at_as_far_as_it_lies_on_the_level(
    slide: Path, tiles: list[Picture]
) -> None:
    random, head = np.random.default_rng(0), stream_head(None, ycbcr=True)
    stream = bytes(simplejpeg.encode_jpeg(tiles[5], quality=85, colorsubsampling="420"))
    whole = looks_damaged(stream, tiles[5], inside=TILE)
    filled = tiles[5].copy()
    filled[150:] = filled[:, 150:] = 0  # by blocks, beside the level
    assert not whole
    assert not looks_damaged(stream, filled, inside=SizePx(150, 150))
    found = 0
    for _ in range(300):
        try:
            bad = decode_tile(flipped(stream, random), head, TILE)
        except ValueError:
            continue
        found += looks_damaged(stream, bad, inside=SizePx(240, 230))
    assert found > 3


def test_a_tile_of_which_the_decoder_complains_is_a_gap(slide: Path, tmp_path: Path) -> None:
    """The control: libtiff, by OpenSlide, makes pixels of it and calls them valid."""
    with open_slide(slide) as opened:
        assert isinstance(opened, JpegTileReader)
        table, index = opened.table(0), 5
    offset, count = table.place(index)
    data = bytearray(slide.read_bytes())
    stream, random = bytes(data[offset : offset + count]), np.random.default_rng(3)
    while True:
        changed = flipped(stream, random)
        try:
            decode_tile(changed, table.head, table.tile)
        except DamagedStreamError:
            break
        except ValueError:
            continue
    data[offset : offset + count] = changed
    path = tmp_path / "damaged.tiff"
    path.write_bytes(data)
    box = table.box(index)
    with OpenSlideReader(path) as control:
        assert control.read(box).valid.all()
    with open_slide(path) as opened:
        assert isinstance(opened, JpegTileReader)
        pixels = opened.read(box)
        assert pixels.damaged == (box,)
        assert not pixels.valid.any()
        reduced = opened.read_reduced(BoxPx(0, 0, 512, 512), reduction=2)
        assert not reduced.valid[box.y // 2 : box.bottom // 2, box.x // 2 : box.right // 2].any()


def test_the_reader_of_stored_tiles_looks_for_seams_too(slide: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.tiff"
    tile = damage(slide, path)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for page in tiff.pages:
            assert isinstance(page, tifffile.TiffPage)
            page.tags["PhotometricInterpretation"].overwrite(2)  # so that OpenSlide would be wrong
    with open_slide(path) as opened:
        assert isinstance(opened, TiffReader)
        opened.read(BoxPx(0, 0, 1024, 1024))
        assert opened.suspected() == ((0, tile),)


@pytest.mark.realdata
def test_no_tile_of_a_real_slide_is_suspected() -> None:
    with open_slide(DATA / "slides" / "cmu-1-small-region.svs") as opened:
        opened.read(BoxPx(0, 0, opened.info.size.width, opened.info.size.height))
        assert opened.suspected() == ()


@pytest.mark.realdata
@pytest.mark.parametrize("subsampling", UNITS)
def test_no_real_field_is_suspected(subsampling: str) -> None:
    fields = sorted((DATA / "midesec").glob("**/*.webp")) + sorted((DATA / "brecahad").glob("**/*.webp"))
    for path in fields:
        with Image.open(path) as image:
            rgb = np.ascontiguousarray(np.asarray(image.convert("RGB"))[3:515, 5:517])
        stream = simplejpeg.encode_jpeg(rgb, quality=75, colorsubsampling=subsampling)
        assert seam(simplejpeg.decode_jpeg(stream), UNITS[subsampling]) <= SUSPECT_FROM, path.name
