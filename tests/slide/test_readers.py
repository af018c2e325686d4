"""What every reader of whole slides keeps to: OpenSlide and the fast one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.errors import LevelError, SlideReadError
from mitoscope.geometry import BoxPx
from mitoscope.slide import OpenSlideReader, Slide

from .broken_slide import tile_box, tiles_lost

ALL = BoxPx(0, 0, 1024, 1024)
Opener = Callable[..., Slide]


@pytest.fixture(scope="module")
def whole(pyramid: Any) -> np.ndarray:
    with OpenSlideReader(pyramid.path) as slide:
        return slide.read(ALL).rgb


# Promise 2: one bad tile costs one tile.


def test_one_bad_tile_costs_one_tile(open_reader: Opener, broken: Path) -> None:
    with open_reader(broken) as slide:
        assert tiles_lost(slide.read) == 1
        assert tiles_lost(slide.read) == 1


def test_a_box_over_the_bad_tile_keeps_the_rest(open_reader: Opener, broken: Path, whole: np.ndarray) -> None:
    with open_reader(broken) as slide:
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


def test_a_bad_tile_of_a_level_costs_that_level_alone(open_reader: Opener, broken: Path) -> None:
    with open_reader(broken) as slide:
        assert slide.read(BoxPx(10, 10, 100, 100), level=1).damaged == (BoxPx(10, 10, 54, 54),)
        assert slide.read(BoxPx(10, 10, 100, 100)).damaged == ()
        assert slide.read(BoxPx(0, 0, 256, 256), level=2).damaged == ()


def test_threads_reading_beside_a_bad_tile_lose_nothing(
    open_reader: Opener, broken: Path, whole: np.ndarray
) -> None:
    """A handle that one thread's bad tile killed must not cost another thread its good tile."""
    failures: list[int] = []

    def work(slide: Slide, seed: int) -> None:
        for tile in np.random.default_rng(seed).permutation(256).tolist():
            box = tile_box(tile)
            pixels = slide.read(box)
            right = (pixels.rgb == whole[box.y : box.bottom, box.x : box.right]).all()
            if bool(pixels.damaged) != (tile == 100) or not (right or tile == 100):
                failures.append(tile)

    for round_ in range(3):
        with open_reader(broken) as slide:
            threads = [threading.Thread(target=work, args=(slide, 10 * round_ + n)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert failures == []


# Promise 3: nothing is invented outside of the slide.


def test_outside_is_white_and_invalid(open_reader: Opener, pyramid: Any, whole: np.ndarray) -> None:
    with open_reader(pyramid.path) as slide:
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
def test_a_level_that_does_not_exist_raises(open_reader: Opener, pyramid: Any, level: int) -> None:
    with open_reader(pyramid.path) as slide, pytest.raises(LevelError, match="levels 0 to 2"):
        slide.read(BoxPx(0, 0, 8, 8), level=level)


# Lifetime.


def test_closed_slide_cannot_be_read(open_reader: Opener, pyramid: Any) -> None:
    slide = open_reader(pyramid.path)
    slide.close()
    slide.close()
    with pytest.raises(SlideReadError, match="closed"):
        slide.read(BoxPx(0, 0, 8, 8))


def test_descriptors_are_given_back(open_reader: Opener, broken: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(30):
        with open_reader(broken) as slide:
            assert slide.read(BoxPx(300, 420, 80, 80)).damaged
    assert count() == before


def test_slide_that_vanishes_while_open(open_reader: Opener, broken: Path) -> None:
    with open_reader(broken) as slide:
        assert slide.read(tile_box(0)).valid.all()
        broken.unlink()
        with pytest.raises(SlideReadError, match="can no longer be opened"):
            slide.read(tile_box(100))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_child_of_a_fork_reads_with_handles_of_its_own(
    open_reader: Opener, broken: Path, whole: np.ndarray
) -> None:
    with open_reader(broken) as slide:
        slide.read(tile_box(100))
        child = os.fork()
        if child == 0:
            box = tile_box(7)
            right = (slide.read(box).rgb == whole[box.y : box.bottom, box.x : box.right]).all()
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
