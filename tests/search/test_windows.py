"""Windows: mirrored at the slide's border, cut from one read, with what is missing known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx, Mpp
from mitoscope.search import read_windows
from mitoscope.slide import MemorySlide, Pixels, Plane
from mitoscope.tiles import TileGrid


def _plane(rgb: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> Plane:
    return Plane(MemorySlide(rgb, mpp=Mpp.square(0.25), valid=valid), 0.25)


def _grid(plane: Plane, *, tile_px: int, halo_px: int) -> TileGrid:
    return TileGrid(BoxPx(0, 0, plane.size.width, plane.size.height), tile_px, halo_px, 1)


def _boxes(grid: TileGrid) -> list[BoxPx]:
    return [tile.window for tile in grid]


@settings(max_examples=40)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 24),
    st.integers(0, 30),
    st.integers(0, 2**32 - 1),
)
def test_windows_are_those_of_the_mirrored_slide(
    height: int, width: int, tile_px: int, halo_px: int, seed: int
) -> None:
    rgb = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    plane = _plane(rgb)
    grid = _grid(plane, tile_px=tile_px, halo_px=halo_px)
    margin = ((halo_px, halo_px), (halo_px, halo_px), (0, 0))
    mirrored = np.pad(rgb, margin, mode="symmetric")
    beyond = ((0, tile_px), (0, tile_px), (0, 0))
    expected = np.pad(mirrored, beyond, constant_values=255)
    block = read_windows(plane, _boxes(grid), mirror_px=grid.margin_px)
    for window, tile in zip(block.windows, grid, strict=True):
        y, x = tile.window.y + halo_px, tile.window.x + halo_px
        np.testing.assert_array_equal(window, expected[y : y + tile.window.height, x : x + tile.window.width])


def test_without_a_margin_the_windows_are_white_beyond_the_slide() -> None:
    rgb = np.random.default_rng(3).integers(0, 200, (30, 45, 3)).astype(np.uint8)
    plane = _plane(rgb)
    grid = _grid(plane, tile_px=16, halo_px=8)
    expected = np.pad(rgb, ((8, 32), (8, 32), (0, 0)), constant_values=255)
    for window, tile in zip(read_windows(plane, _boxes(grid), mirror_px=0).windows, grid, strict=True):
        y, x = tile.window.y + 8, tile.window.x + 8
        np.testing.assert_array_equal(window, expected[y : y + tile.window.height, x : x + tile.window.width])


def test_control_without_the_mirror_the_border_is_white() -> None:
    """The naive reader pads with white: not what the mirrored slide has."""
    rgb = np.full((20, 20, 3), 90, dtype=np.uint8)
    plane = _plane(rgb)
    tile = _grid(plane, tile_px=20, halo_px=4)[0]
    naive = plane.read(tile.window).rgb
    assert (naive != 90).any()
    assert (read_windows(plane, [tile.window], mirror_px=4).windows[0] == 90).all()


def test_one_pixel_is_a_slide() -> None:
    plane = _plane(np.full((1, 1, 3), 7, dtype=np.uint8))
    block = read_windows(plane, _boxes(_grid(plane, tile_px=4, halo_px=3)), mirror_px=3)
    assert (block.windows[0][:7, :7] == 7).all()
    assert block.box == BoxPx(0, 0, 1, 1)


def test_a_point_knows_whether_it_lies_on_a_pixel() -> None:
    valid = np.ones((10, 12), dtype=np.bool_)
    valid[4, 5] = False
    plane = _plane(np.zeros((10, 12, 3), dtype=np.uint8), valid)
    block = read_windows(plane, _boxes(_grid(plane, tile_px=12, halo_px=2)), mirror_px=2)
    points = np.array([[5.5, 4.5], [5.0, 4.999], [6.0, 4.5], [-0.1, 3], [12.0, 3], [11.9, 9.9]])
    assert block.valid_at(points).tolist() == [False, False, True, False, False, True]


def test_neighbours_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = _plane(np.zeros((64, 64, 3), dtype=np.uint8))
    reads: list[BoxPx] = []
    read = plane.read

    def counted(box: BoxPx) -> Pixels:
        reads.append(box)
        return read(box)

    monkeypatch.setattr(plane, "read", counted)
    read_windows(plane, _boxes(_grid(plane, tile_px=16, halo_px=8)), mirror_px=8)
    assert reads == [BoxPx(0, 0, 64, 64)]
