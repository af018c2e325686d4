"""Slides that the tests write themselves, and the readers they are read with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.slide import JpegTileReader, OpenSlideReader, Slide

from .jpeg_tiff import SIZE_PX, TiffMap, tissue_like, write_leica, write_tiff


@pytest.fixture(scope="session")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> TiffMap:
    """Return a whole slide of 1024 × 1024 px, 256 tiles at level 0, three levels, 0.25 µm/px."""
    path = tmp_path_factory.mktemp("slide") / "pyramid.tiff"
    return write_tiff(path, tissue_like(SIZE_PX, SIZE_PX))


@pytest.fixture
def broken(pyramid: TiffMap, tmp_path: Path) -> Path:
    """Return that slide with tile 100 of level 0 and tile 0 of level 1 zeroed."""
    data = bytearray(pyramid.path.read_bytes())
    for level, tile in ((0, 100), (1, 0)):
        offset, count = pyramid.tile_offset[level][tile], pyramid.tile_bytes[level][tile]
        data[offset : offset + count] = bytes(count)
    path = tmp_path / "broken.tiff"
    path.write_bytes(data)
    return path


@pytest.fixture(scope="session")
def make_leica() -> Callable[..., TiffMap]:
    """Return the writer of slides that state bounds and an objective power."""
    return write_leica


@pytest.fixture(scope="session")
def make_tiff() -> Callable[..., TiffMap]:
    """Return the writer, for tests that need a slide of their own."""
    return write_tiff


@pytest.fixture(scope="session")
def make_tissue() -> Callable[..., NDArray[np.uint8]]:
    """Return the maker of textures."""
    return tissue_like


@pytest.fixture(scope="session")
def real_slides() -> Path:
    """Return the folder of real slides."""
    root = os.environ.get("MITOSCOPE_DATA")
    folder = (Path(root) if root else Path(__file__).parents[3] / "shared" / "data") / "slides"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set MITOSCOPE_DATA")
    return folder


def open_fast(path: Path, *, mpp: float | None = None) -> JpegTileReader:
    """Open a slide with the fast reader, whatever OpenSlide would say."""
    return JpegTileReader(OpenSlideReader(path, mpp=mpp))


@pytest.fixture(params=["openslide", "jpeg tiles"])
def open_reader(request: pytest.FixtureRequest) -> Callable[..., Slide]:
    """Return what opens a slide with each of the readers of whole slides."""
    if request.param == "openslide":
        return OpenSlideReader
    return open_fast
