from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import simplejpeg

from mitoscope.errors import LevelError, ScaleError, SlideFormatError, SlideReadError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide import Level, OpenSlideReader
from mitoscope.slide.pixels import Pixels

TILE = 64
ALL = BoxPx(0, 0, 1024, 1024)


@pytest.fixture(scope="module")
def whole(pyramid: Any) -> np.ndarray:
    with OpenSlideReader(pyramid.path) as slide:
        return slide.read(ALL).rgb


@pytest.fixture
def broken(pyramid: Any, tmp_path: Path) -> Path:
    """Return the slide with tile 100 of level 0 (column 4, row 6) and tile 0 of level 1 zeroed."""
    data = bytearray(pyramid.path.read_bytes())
    for level, tile in ((0, 100), (1, 0)):
        offset, count = pyramid.tile_offset[level][tile], pyramid.tile_bytes[level][tile]
        data[offset : offset + count] = bytes(count)
    path = tmp_path / "broken.tiff"
    path.write_bytes(data)
    return path


def tile_box(tile: int) -> BoxPx:
    return BoxPx(tile % 16 * TILE, tile // 16 * TILE, TILE, TILE)


def test_description(pyramid: Any) -> None:
    with OpenSlideReader(pyramid.path) as slide:
        info = slide.info
    tile = SizePx(TILE, TILE)
    assert info.size == SizePx(1024, 1024)
    assert info.levels == (
        Level(SizePx(1024, 1024), 1.0, 1.0, tile),
        Level(SizePx(512, 512), 2.0, 2.0, tile),
        Level(SizePx(256, 256), 4.0, 4.0, tile),
    )
    assert (info.mpp, info.mpp_source) == (Mpp(0.25, 0.25), "openslide.mpp-x")
    assert info.reader == f"openslide {openslide.__library_version__}"
    assert (info.name, info.path, info.vendor) == ("pyramid.tiff", pyramid.path, "generic-tiff")
    assert (info.objective_power, info.bounds) == (None, None)


def test_two_readers_agree(pyramid: Any) -> None:
    """Promise 5: OpenSlide against libjpeg-turbo on the file's own tiles, at most 2 grey levels apart."""
    data = pyramid.path.read_bytes()
    with OpenSlideReader(pyramid.path) as slide:
        for level, across in ((0, 16), (1, 8), (2, 4)):
            for tile in np.random.default_rng(level).integers(0, across**2, 40).tolist():
                offset, count = pyramid.tile_offset[level][tile], pyramid.tile_bytes[level][tile]
                decoded = simplejpeg.decode_jpeg(data[offset : offset + count]).astype(int)
                pixels = slide.read(
                    BoxPx(tile % across * TILE, tile // across * TILE, TILE, TILE), level=level
                )
                assert np.abs(pixels.rgb - decoded).max() <= 2
                assert pixels.valid.all()


# Promise 2: one bad tile costs one tile.


class NaiveReader:
    """Control: OpenSlide without reopening."""

    def __init__(self, path: Path) -> None:
        self._slide = openslide.OpenSlide(path)

    def read(self, box: BoxPx) -> Pixels:
        try:
            image = self._slide.read_region((box.x, box.y), 0, (box.width, box.height))
        except openslide.OpenSlideError:
            lost = Pixels.nothing(box.width, box.height)
            return Pixels(lost.rgb, lost.valid, (box,))
        return Pixels.from_rgba(np.asarray(image))


def tiles_lost(read: Callable[[BoxPx], Pixels]) -> int:
    order = [100, *(tile for tile in range(256) if tile != 100)]
    return sum(bool(read(tile_box(tile)).damaged) for tile in order)


def test_one_bad_tile_costs_one_tile(broken: Path) -> None:
    with OpenSlideReader(broken) as slide:
        assert tiles_lost(slide.read) == 1
        assert tiles_lost(slide.read) == 1


def test_control_without_reopening_the_slide_is_lost(broken: Path) -> None:
    assert tiles_lost(NaiveReader(broken).read) == 256


def test_a_box_over_the_bad_tile_keeps_the_rest(broken: Path, whole: np.ndarray) -> None:
    with OpenSlideReader(broken) as slide:
        for box in (ALL, BoxPx(300, 400, 200, 100), BoxPx(-50, -50, 400, 600)):
            pixels = slide.read(box)
            bad = tile_box(100).intersection(box)
            assert bad is not None
            assert pixels.damaged == (bad,)
            inside = box.intersection(ALL)
            assert inside is not None
            expected = np.zeros((box.height, box.width), np.bool_)
            expected[inside.y - box.y : inside.bottom - box.y, inside.x - box.x : inside.right - box.x] = True
            expected[bad.y - box.y : bad.bottom - box.y, bad.x - box.x : bad.right - box.x] = False
            assert (pixels.valid == expected).all()
            assert (pixels.rgb[~expected] == 255).all()
            window = whole[inside.y : inside.bottom, inside.x : inside.right]
            got = pixels.rgb[
                inside.y - box.y : inside.bottom - box.y, inside.x - box.x : inside.right - box.x
            ]
            good = expected[inside.y - box.y : inside.bottom - box.y, inside.x - box.x : inside.right - box.x]
            assert (got[good] == window[good]).all()


def test_a_bad_tile_of_a_level_costs_that_level_alone(broken: Path) -> None:
    with OpenSlideReader(broken) as slide:
        assert slide.read(BoxPx(10, 10, 100, 100), level=1).damaged == (BoxPx(10, 10, 54, 54),)
        assert slide.read(BoxPx(10, 10, 100, 100)).damaged == ()
        assert slide.read(BoxPx(0, 0, 256, 256), level=2).damaged == ()


def test_threads_reading_beside_a_bad_tile_lose_nothing(broken: Path, whole: np.ndarray) -> None:
    """A handle that one thread's bad tile killed must not cost another thread its good tile."""
    failures: list[int] = []

    def work(slide: OpenSlideReader, seed: int) -> None:
        for tile in np.random.default_rng(seed).permutation(256).tolist():
            box = tile_box(tile)
            pixels = slide.read(box)
            right = (pixels.rgb == whole[box.y : box.bottom, box.x : box.right]).all()
            if bool(pixels.damaged) != (tile == 100) or not (right or tile == 100):
                failures.append(tile)

    for round_ in range(3):
        with OpenSlideReader(broken) as slide:
            threads = [threading.Thread(target=work, args=(slide, 10 * round_ + n)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert failures == []


# Promise 3: nothing is invented outside of the slide.


def test_outside_is_white_and_invalid(pyramid: Any, whole: np.ndarray) -> None:
    with OpenSlideReader(pyramid.path) as slide:
        pixels = slide.read(BoxPx(-10, 1000, 60, 50))
        far = slide.read(BoxPx(50_000, -70_000, 9, 5), level=2)
    assert pixels.valid[:24, 10:].all()
    assert (pixels.rgb[:24, 10:] == whole[1000:, :50]).all()
    assert not pixels.valid[24:].any()
    assert not pixels.valid[:, :10].any()
    assert (pixels.rgb[~pixels.valid] == 255).all()
    assert not far.valid.any()
    assert (far.rgb == 255).all()


@pytest.mark.parametrize("level", [-1, 3, 10])
def test_a_level_that_does_not_exist_raises(pyramid: Any, level: int) -> None:
    with OpenSlideReader(pyramid.path) as slide, pytest.raises(LevelError, match="levels 0 to 2"):
        slide.read(BoxPx(0, 0, 8, 8), level=level)


def test_bounds_and_what_was_not_scanned(make_leica: Callable[..., Any], tmp_path: Path) -> None:
    made = make_leica(tmp_path / "slide.scn")
    with OpenSlideReader(made.path) as slide:
        assert slide.info.size == SizePx(2048, 3072)
        assert slide.info.bounds == BoxPx(256, 512, 1024, 1024)
        assert (slide.info.vendor, slide.info.objective_power) == ("leica", 40.0)
        pixels = slide.read(BoxPx(0, 0, 2048, 3072))
    scanned = np.zeros((3072, 2048), np.bool_)
    scanned[512:1536, 256:1280] = True
    assert (pixels.valid == scanned).all()
    assert (pixels.rgb[~scanned] == 255).all()
    assert np.abs(pixels.rgb[512:1536, 256:1280].astype(int) - made.rgb).mean() < 2
    assert pixels.damaged == ()


def test_resolution_that_contradicts_the_objective(make_leica: Callable[..., Any], tmp_path: Path) -> None:
    made = make_leica(tmp_path / "slide.scn", power="20")
    with pytest.raises(ScaleError, match=r"openslide\.mpp-x: 0\.25 µm/px contradicts .* 20x .*--mpp"):
        OpenSlideReader(made.path)
    assert OpenSlideReader(made.path, mpp=0.5).info.mpp_source == "--mpp"


def test_a_pixel_of_an_uneven_level_has_one_value(
    make_tiff: Callable[..., Any], make_tissue: Callable[..., Any], tmp_path: Path
) -> None:
    """Level 1 of a slide of 999 px has 333 px, but 1000 / 334: OpenSlide interpolates between windows."""
    made = make_tiff(tmp_path / "uneven.tiff", make_tissue(1000, 1000), reductions=(1, 3))
    with OpenSlideReader(made.path) as slide:
        whole = slide.read(BoxPx(0, 0, 334, 334), level=1)
        for x, y, side in ((1, 1, 100), (37, 90, 200), (101, 200, 130), (64, 63, 65)):
            part = slide.read(BoxPx(x, y, side, side), level=1)
            assert (part.rgb == whole.rgb[y : y + side, x : x + side]).all()
    raw = openslide.OpenSlide(made.path)
    factor = raw.level_downsamples[1]
    windows = [
        np.asarray(raw.read_region((round(x * factor), round(x * factor)), 1, (100, 100))) for x in (100, 101)
    ]
    assert (windows[0][1:, 1:] != windows[1][:-1, :-1]).any()  # control: what OpenSlide gives by itself


# Lifetime.


def test_closed_slide_cannot_be_read(pyramid: Any) -> None:
    slide = OpenSlideReader(pyramid.path)
    slide.close()
    slide.close()
    with pytest.raises(SlideReadError, match="closed"):
        slide.read(BoxPx(0, 0, 8, 8))


def test_descriptors_are_given_back(broken: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(30):
        with OpenSlideReader(broken) as slide:
            assert slide.read(BoxPx(300, 420, 80, 80)).damaged
    assert count() == before


def test_slide_that_vanishes_while_open(broken: Path) -> None:
    with OpenSlideReader(broken) as slide:
        assert slide.read(tile_box(0)).valid.all()
        broken.unlink()
        with pytest.raises(SlideReadError, match="can no longer be opened"):
            slide.read(tile_box(100))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_child_of_a_fork_reads_with_handles_of_its_own(broken: Path, whole: np.ndarray) -> None:
    with OpenSlideReader(broken) as slide:
        slide.read(tile_box(100))
        child = os.fork()
        if child == 0:
            box = tile_box(7)
            right = (slide.read(box).rgb == whole[box.y : box.bottom, box.x : box.right]).all()
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_openslide_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "text.svs"
    path.write_text("no slide")
    with pytest.raises(SlideFormatError, match=r"text\.svs: not a slide that OpenSlide knows"):
        OpenSlideReader(path)


def test_slide_beyond_belief_is_refused(pyramid: Any, tmp_path: Path) -> None:
    """A width of 5 million px: OpenSlide opens the file when the tile table seems to fit."""
    data = bytearray(pyramid.path.read_bytes())
    for level in range(3):
        struct.pack_into("<I", data, pyramid.value[level, 256], 5_000_000)
        struct.pack_into("<I", data, pyramid.value[level, 322], 5_000_000 // 16 // 16 * 16)
    path = tmp_path / "wide.tiff"
    path.write_bytes(data)
    with pytest.raises(SlideFormatError):
        OpenSlideReader(path)
