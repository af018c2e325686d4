from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.errors import LevelError, SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import JpegTileReader, MemorySlide, OpenSlideReader, Pixels, open_slide
from mitoscope.slide import jpeg_tile_reader as module
from mitoscope.slide.jpeg_tile_reader import SHARED, DecodedTileCache
from mitoscope.slide.jpeg_tiles import REDUCTIONS, PositionalFile, decode_tile
from mitoscope.slide.pixels import block_means, reduced_size

from .broken_slide import BAD, TILE, tile_box
from .jpeg_kinds import JpegKind
from .jpeg_tiff import tissue_like, write_tiff

WIDTH, HEIGHT = 523, 381  # no multiple of anything


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JpegTileReader]:
    """Return a slide of 523 × 381 px in tiles of 64 px whose cache holds two of them."""
    path = tmp_path_factory.mktemp("uneven") / "slide.tiff"
    write_tiff(path, tissue_like(HEIGHT, WIDTH), reductions=(1,), kind=JpegKind(subsampling="420"))
    with JpegTileReader(OpenSlideReader(path), cache=DecodedTileCache(2 * 64 * 64 * 3)) as slide:
        yield slide


@functools.cache
def everything(slide: JpegTileReader, reduction: int) -> Pixels:
    """Read the slide with 20 px around it."""
    size = reduced_size(slide.info.size, reduction)
    return read(slide, BoxPx(-20, -20, size.width + 40, size.height + 40), reduction)


def read(slide: JpegTileReader, box: BoxPx, reduction: int) -> Pixels:
    return slide.read(box) if reduction == 1 else slide.read_reduced(box, reduction=reduction)


@settings(max_examples=80, deadline=None)
@given(
    reduction=st.sampled_from([1, *REDUCTIONS]),
    x=st.integers(-20, WIDTH),
    y=st.integers(-20, HEIGHT),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
)
def test_windows_agree_bit_for_bit(
    uneven: JpegTileReader, reduction: int, x: int, y: int, width: int, height: int
) -> None:
    whole = everything(uneven, reduction)
    x, y = min(x, whole.rgb.shape[1] - 21), min(y, whole.rgb.shape[0] - 21)
    width, height = min(width, whole.rgb.shape[1] - 20 - x), min(height, whole.rgb.shape[0] - 20 - y)
    part = read(uneven, BoxPx(x, y, width, height), reduction)
    rows, columns = slice(y + 20, y + 20 + height), slice(x + 20, x + 20 + width)
    assert (part.rgb == whole.rgb[rows, columns]).all()
    assert (part.valid == whole.valid[rows, columns]).all()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reduced_pixels_are_near_the_means_of_whole_ones(uneven: JpegTileReader, reduction: int) -> None:
    size = reduced_size(uneven.info.size, reduction)
    box = BoxPx(0, 0, size.width, size.height)
    reduced = uneven.read_reduced(box, reduction=reduction)
    means = block_means(uneven.read(BoxPx(0, 0, WIDTH, HEIGHT)), reduction)
    assert (reduced.valid == means.valid).all()
    off = np.abs(reduced.rgb.astype(int) - means.rgb)
    assert off.max() <= 12
    assert off.mean() < 1
    inside = WIDTH // TILE * TILE // reduction
    assert (off[:, inside:] == 0).all()  # tiles that reach beyond the slide are averaged


def test_what_lies_beyond_the_slide_never_shows(tmp_path: Path) -> None:
    """Tiles are filled up with white; in a dark slide no reduced pixel may be brighter for it."""
    made = write_tiff(tmp_path / "dark.tiff", np.full((100, 100, 3), 40, np.uint8), reductions=(1,))
    with open_slide(made.path) as slide:
        own = slide.read(BoxPx(0, 0, 100, 100)).rgb.max()
        for reduction in slide.reductions:
            side = -(-100 // reduction)
            pixels = slide.read_reduced(BoxPx(0, 0, side, side), reduction=reduction)
            assert pixels.rgb[pixels.valid].max() <= own
            covered = np.minimum(100 - np.arange(side) * reduction, reduction) / reduction
            assert (pixels.valid == (np.outer(covered, covered) >= 0.5)).all()


def test_reductions_that_do_not_exist(uneven: JpegTileReader, pyramid: Any) -> None:
    with pytest.raises(LevelError, match="reduced by 3"):
        uneven.read_reduced(BoxPx(0, 0, 8, 8), reduction=3)
    with pytest.raises(LevelError, match="no level 1"):
        uneven.read_reduced(BoxPx(0, 0, 8, 8), reduction=2, level=1)
    with OpenSlideReader(pyramid.path) as slide, pytest.raises(LevelError, match="reduced by 2"):
        slide.read_reduced(BoxPx(0, 0, 8, 8), reduction=2)
    memory = MemorySlide(np.zeros((9, 9, 3), np.uint8), mpp=uneven.info.mpp)
    assert memory.reductions == ()


# Damage: asked of OpenSlide, which loses one tile (promise 2).


def test_a_tile_only_openslide_can_read_is_read_by_openslide(
    pyramid: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """libjpeg-turbo complains about every tile that begins like tile 5: the pixels are right all the same."""
    start = pyramid.path.read_bytes()[pyramid.tile_offset[0][5] :][: pyramid.tile_bytes[0][5]]
    decode = decode_tile

    def complain(stream: bytes, *rest: Any, **more: Any) -> np.ndarray:
        if stream == start:
            raise ValueError("an odd marker")
        return decode(stream, *rest, **more)

    monkeypatch.setattr(module, "decode_tile", complain)
    caplog.set_level(logging.INFO, "mitoscope.slide")
    with JpegTileReader(OpenSlideReader(pyramid.path)) as slide, OpenSlideReader(pyramid.path) as theirs:
        for _ in range(2):
            box = BoxPx(300, 10, 100, 100)
            assert (slide.read(box).rgb == theirs.read(box).rgb).all()
            assert slide.read(box).valid.all()
    assert caplog.messages == ["pyramid.tiff: tile 5 of level 0 is left to OpenSlide: an odd marker"]


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_damage_in_reduced_pixels(broken: Path, reduction: int) -> None:
    with JpegTileReader(OpenSlideReader(broken)) as slide:
        side = 1024 // reduction
        pixels = slide.read_reduced(BoxPx(0, 0, side, side), reduction=reduction)
        bad = tile_box(BAD)
        lost = BoxPx(bad.x // reduction, bad.y // reduction, TILE // reduction, TILE // reduction)
        assert pixels.damaged == (lost,)
        expected = np.ones((side, side), np.bool_)
        expected[lost.y : lost.bottom, lost.x : lost.right] = False
        assert (pixels.valid == expected).all()
        assert (pixels.rgb[~expected] == 255).all()
        beside = slide.read_reduced(BoxPx(lost.x - 3, lost.y, 5, 4), reduction=reduction)
        assert beside.damaged == (BoxPx(lost.x, lost.y, 2, 4),)


def test_a_fault_of_the_disk_that_passes_costs_nothing(pyramid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with JpegTileReader(OpenSlideReader(pyramid.path)) as slide:
        with monkeypatch.context() as patch:
            patch.setattr(PositionalFile, "read", lambda *_: (_ for _ in ()).throw(OSError(5, "I/O")))
            assert slide.read(tile_box(3)).valid.all()  # through OpenSlide
            assert slide.tile(0, 3) is None
        assert slide.tile(0, 3) is not None


# Decoding once.


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    decode = decode_tile

    def counted(*arguments: Any, **more: Any) -> np.ndarray:
        calls.append(1)
        return decode(*arguments, **more)

    monkeypatch.setattr(module, "decode_tile", counted)
    return calls


def test_a_tile_that_windows_cut_is_decoded_once(pyramid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_decoded(monkeypatch)
    with JpegTileReader(OpenSlideReader(pyramid.path), cache=DecodedTileCache()) as slide:
        for x in range(0, 500, 50):
            slide.read(BoxPx(x, 20, 100, 90))
        assert len(calls) == 9 * 2  # columns 0 to 8, rows 0 and 1
        slide.read(BoxPx(0, 0, 9 * TILE, 3 * TILE))
        assert len(calls) == 9 * 3


def test_a_tile_that_a_window_takes_whole_pushes_none_out(pyramid: Any) -> None:
    cache = DecodedTileCache()
    with JpegTileReader(OpenSlideReader(pyramid.path), cache=cache) as slide:
        slide.read(BoxPx(TILE, TILE, 6 * TILE, 5 * TILE))
        assert cache.bytes == 0
        slide.read(BoxPx(TILE, TILE, 6 * TILE + 1, 5 * TILE))
        assert cache.bytes == 5 * TILE * TILE * 3


def test_windows_can_be_written_to_without_harm(pyramid: Any) -> None:
    with JpegTileReader(OpenSlideReader(pyramid.path)) as slide:
        before = slide.read(tile_box(9))
        kept = before.rgb.copy()
        before.rgb[:] = 0
        before.valid[:] = False
        again = slide.read(tile_box(9))
        assert (again.rgb == kept).all()
        assert again.valid.all()


def test_a_closed_slide_leaves_no_tiles(pyramid: Any) -> None:
    cache = DecodedTileCache()
    slide = JpegTileReader(OpenSlideReader(pyramid.path), cache=cache)
    slide.read(BoxPx(5, 5, 9, 9))
    assert cache.bytes == TILE * TILE * 3
    slide.close()
    assert cache.bytes == 0


def test_threads_read_right_through_a_small_cache(pyramid: Any) -> None:
    with OpenSlideReader(pyramid.path) as theirs:
        whole = theirs.read(BoxPx(0, 0, 1024, 1024)).rgb
    wrong: list[BoxPx] = []

    def work(slide: JpegTileReader, seed: int) -> None:
        for x, y in np.random.default_rng(seed).integers(0, 900, (150, 2)).tolist():
            if (slide.read(BoxPx(x, y, 100, 100)).rgb != whole[y : y + 100, x : x + 100]).any():
                wrong.append(BoxPx(x, y, 100, 100))

    with JpegTileReader(OpenSlideReader(pyramid.path), cache=DecodedTileCache(10 * TILE * TILE * 3)) as slide:
        threads = [threading.Thread(target=work, args=(slide, seed)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


# What it takes.


def test_associated_images_are_no_level(pyramid: Any, tmp_path: Path) -> None:
    macro = tissue_like(128, 192, seed=9)
    description = "Aperio Image Library v11|AppMag = 40|MPP = 0.25"
    made = write_tiff(
        tmp_path / "slide.svs", pyramid.rgb[:512], reductions=(1,), description=description, macro=macro
    )
    with OpenSlideReader(made.path) as reference:
        levels = [level.size for level in reference.info.levels]
        slide = JpegTileReader(reference)
        assert slide.info.vendor == "aperio"
        assert [level.size for level in slide.info.levels] == levels
        assert levels[0] == SizePx(1024, 512)


def test_the_vendors_formats_are_left_to_openslide(make_leica: Any, tmp_path: Path) -> None:
    made = make_leica(tmp_path / "slide.scn")
    with OpenSlideReader(made.path) as reference:
        with pytest.raises(SlideFormatError, match=r"is a slide of leica, not a plain tiled TIFF"):
            JpegTileReader(reference)
        assert reference.read(BoxPx(300, 600, 9, 9)).valid.all()  # it stays usable


def tile(side: int, value: int = 0) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_what_was_put_is_there_and_cannot_be_changed() -> None:
    cache = DecodedTileCache(1000)
    cache.put((0, 0, 0, 1), tile(10, 7))
    kept = cache.get((0, 0, 0, 1))
    assert kept is not None
    assert (kept == 7).all()
    assert cache.get((0, 0, 0, 2)) is None
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1


def test_the_tile_used_longest_ago_goes_first() -> None:
    cache = DecodedTileCache(900)  # three tiles of 300 bytes
    for index in range(3):
        cache.put((0, 0, index, 1), tile(10))
    cache.get((0, 0, 0, 1))
    cache.put((0, 0, 3, 1), tile(10))
    assert [index for index in range(4) if cache.get((0, 0, index, 1)) is not None] == [0, 2, 3]


def test_a_tile_larger_than_the_room_is_not_kept() -> None:
    cache = DecodedTileCache(900)
    cache.put((0, 0, 0, 1), tile(20))
    assert (cache.get((0, 0, 0, 1)), cache.bytes) == (None, 0)


def test_a_reader_takes_its_tiles_along() -> None:
    cache = DecodedTileCache(10_000)
    for reader in (1, 2):
        cache.put((reader, 0, 0, 1), tile(10))
    cache.forget(1)
    assert cache.get((1, 0, 0, 1)) is None
    assert cache.get((2, 0, 0, 1)) is not None
    assert cache.bytes == 300


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12)), max_size=40))
def test_it_never_holds_more_than_it_may(puts: list[tuple[int, int]]) -> None:
    cache = DecodedTileCache(1500)
    for index, side in puts:
        cache.put((0, 0, index, 1), tile(side))
        kept = [cache.get((0, 0, index, 1)) for index in range(7)]
        assert cache.bytes == sum(each.nbytes for each in kept if each is not None) <= 1500


def test_threads_share_it() -> None:
    cache = DecodedTileCache(3000)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for index in np.random.default_rng(seed).integers(0, 40, 2000).tolist():
            kept = cache.get((0, 0, index, 1))
            if kept is None:
                cache.put((0, 0, index, 1), tile(10, index))
            elif (kept != index).any():
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.bytes <= 3000


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_child_begins_with_an_empty_cache_though_the_lock_was_held() -> None:
    SHARED.put((-1, 0, 0, 1), tile(10))
    with SHARED._lock:
        child = os.fork()
        if child == 0:
            empty = SHARED.get((-1, 0, 0, 1)) is None and SHARED.bytes == 0
            os._exit(0 if empty else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    SHARED.forget(-1)
