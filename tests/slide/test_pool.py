"""Promise 4: reading in parallel equals reading alone."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tifffile

from mitoscope.errors import ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx
from mitoscope.slide import acquire, open_slide
from mitoscope.slide.pool import Pool

BOX = BoxPx(100, 100, 200, 200)


def run(method: str, path: Path, *, repeats: int = 1) -> list[str]:
    script = Path(__file__).with_name("parallel_script.py")
    command = [sys.executable, str(script), method, str(path), "2", str(repeats)]
    child = subprocess.run(command, capture_output=True, timeout=120, check=True)
    hashes: list[str] = json.loads(child.stdout)
    return hashes


@pytest.fixture(scope="module")
def alone(pyramid: Any) -> list[str]:
    return run("alone", pyramid.path)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn", "threads"])
def test_reading_in_parallel_equals_reading_alone(method: str, pyramid: Any, alone: list[str]) -> None:
    assert len(set(alone)) == 256  # no two tiles alike, so that a wrong tile is seen
    assert run(method, pyramid.path, repeats=2) == alone * 2


def test_so_it_does_through_openslide(pyramid: Any, tmp_path: Path) -> None:
    """The same slide without loss, which is none for the fast reader."""
    path = tmp_path / "lossless.tiff"
    tifffile.imwrite(
        path,
        pyramid.rgb,
        tile=(64, 64),
        photometric="rgb",
        compression="zlib",
        resolution=(40_000, 40_000),
        resolutionunit="CENTIMETER",
    )
    assert acquire(path).info.reader.startswith("openslide")
    assert run("fork", path) == run("alone", path)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_control_a_handle_shared_over_fork_reads_wrong_bytes(pyramid: Any) -> None:
    """The naive reader: one tifffile handle, opened before the fork and used by all children."""
    data = pyramid.path.read_bytes()
    tiles = list(zip(pyramid.tile_offset[0], pyramid.tile_bytes[0], strict=True))

    def count_wrong(handle: Any, seed: int) -> int:
        wrong = 0
        for index in range(30_000):
            offset, count = tiles[(index * 37 + seed * 101) % 256]
            handle.seek(offset)
            wrong += handle.read(count) != data[offset : offset + count]
            if wrong > 9:
                break
        return wrong

    with tifffile.TiffFile(pyramid.path) as shared:
        children = []
        for seed in range(4):
            child = os.fork()
            if child == 0:
                os._exit(min(count_wrong(shared.filehandle, seed), 99))
            children.append(child)
        wrong = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert wrong > 0


def test_a_slide_is_opened_once(pyramid: Any) -> None:
    pool = Pool()
    first = pool.acquire(pyramid.path)
    assert pool.acquire(pyramid.path) is first
    assert pool.acquire(pyramid.path, 0.5).info.mpp == first.info.mpp
    assert pool.acquire(pyramid.path, 0.5, mpp_override=True) is not first
    assert pool.acquire(pyramid.path, 0.5, mpp_override=True).info.mpp_source == "--mpp"


def test_closing_a_shared_slide_hurts_nobody(pyramid: Any) -> None:
    with acquire(pyramid.path) as slide:
        before = slide.read(BOX).rgb
    assert (slide.read(BOX).rgb == before).all()
    assert (acquire(pyramid.path).read(BOX).rgb == before).all()


def test_a_shared_slide_reads_reduced(pyramid: Any) -> None:
    slide = acquire(pyramid.path)
    assert slide.reductions == (2, 4, 8)
    with open_slide(pyramid.path) as alone:
        assert (slide.read_reduced(BOX, reduction=2).rgb == alone.read_reduced(BOX, reduction=2).rgb).all()


def test_a_slide_that_changed_is_opened_anew(pyramid: Any, tmp_path: Path) -> None:
    path = tmp_path / "slide.tiff"
    shutil.copy(pyramid.path, path)
    pool = Pool()
    first = pool.acquire(path)
    os.utime(path, ns=(1, 1))
    assert pool.acquire(path) is not first


def test_the_pool_keeps_few_slides_and_gives_descriptors_back(pyramid: Any, tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    pool = Pool(capacity=2)
    gc.collect()  # what other tests let go of
    before = descriptors()
    kept = []
    for index in range(6):
        path = tmp_path / f"{index}.tiff"
        shutil.copy(pyramid.path, path)
        slide = pool.acquire(path)
        slide.read(BOX)
        kept.append(slide)
    assert len(pool) == 2
    assert kept[0].read(BOX).valid.all()  # dropped by the pool, but alive as long as it is held
    kept.clear()
    del slide
    pool.clear()
    gc.collect()
    assert len(pool) == 0
    assert descriptors() <= before


def test_errors_of_opening_pass_through(tmp_path: Path, pyramid: Any) -> None:
    with pytest.raises(SlideFormatError, match="cannot be read"):
        acquire(tmp_path / "none.svs")
    with pytest.raises(ScaleError):
        acquire(pyramid.path, 99.0)
