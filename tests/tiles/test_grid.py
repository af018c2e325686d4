"""Promise 16, the grid's half: no place is lost or owned twice, whatever the sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx
from mitoscope.tiles import Tile, TileGrid, owned


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    stride = draw(st.sampled_from([1, 2, 3, 4, 8, 16]))
    whole = st.integers(-50, 200)
    region = BoxPx(draw(whole), draw(whole), draw(st.integers(1, 90)), draw(st.integers(1, 90)))
    return TileGrid(
        region, stride * draw(st.integers(max(1, 6 // stride), 20)), draw(st.integers(0, 40)), stride
    )


@given(grids())
def test_cores_cover_the_region_exactly_once(grid: TileGrid) -> None:
    region = grid.region
    hits = np.zeros((region.height, region.width), dtype=np.int64)
    for tile in grid:
        core = tile.core
        hits[core.y - region.y : core.bottom - region.y, core.x - region.x : core.right - region.x] += 1
        assert core.width * core.height > 0
    assert (hits == 1).all()


@given(grids())
def test_windows_are_aligned_and_reach_beyond_their_core(grid: TileGrid) -> None:
    for tile in grid:
        window, core = tile.window, tile.core
        assert not any(value % grid.stride_px for value in (window.x, window.y, window.width, window.height))
        assert max(window.width, window.height) <= grid.window_px
        assert min(core.x - window.x, window.right - core.right) >= grid.halo_px
        assert min(core.y - window.y, window.bottom - core.bottom) >= grid.halo_px
        assert window.right - core.right < grid.margin_px + grid.stride_px


@given(grids(), st.tuples(*[st.integers(-50, 250)] * 2, *[st.integers(1, 120)] * 2))
def test_a_narrowed_tile_keeps_its_halo_and_its_place_on_the_lattice(
    grid: TileGrid, wanted: tuple[int, int, int, int]
) -> None:
    for tile in grid:
        own = grid.narrowed(tile, BoxPx(*wanted))
        core = tile.core.intersection(BoxPx(*wanted))
        if own is None:
            assert core is None
            continue
        window = own.window
        assert own.core == core
        assert window.intersection(tile.window) == window
        assert not any(value % grid.stride_px for value in (window.x, window.y, window.width, window.height))
        assert min(own.core.x - window.x, window.right - own.core.right) >= grid.halo_px
        assert min(own.core.y - window.y, window.bottom - own.core.bottom) >= grid.halo_px


@given(grids())
def test_a_network_of_one_window_gets_that_window(grid: TileGrid) -> None:
    whole = replace(grid, least_px=grid.window_px)
    for tile, trimmed in zip(whole, grid, strict=True):
        assert tile.window.width == tile.window.height == grid.window_px
        assert tile.core == trimmed.core
        assert (tile.window.x, tile.window.y) == (trimmed.window.x, trimmed.window.y)


@given(grids(), st.integers(0, 2**32 - 1))
def test_a_point_has_exactly_one_owner(grid: TileGrid, seed: int) -> None:
    random, region = np.random.default_rng(seed), grid.region
    points = np.column_stack(
        [random.uniform(region.x, region.right, 20), random.uniform(region.y, region.bottom, 20)]
    )
    seams = np.array([[tile.core.x, tile.core.y] for tile in grid], dtype=np.float64)
    points = np.concatenate([points, np.floor(points), seams])
    assert (np.sum([owned(points, tile) for tile in grid], axis=0) == 1).all()


@given(grids())
def test_nothing_outside_is_owned(grid: TileGrid) -> None:
    region = grid.region
    outside = np.array(
        [[region.right, region.y], [region.x, region.bottom], [region.x - 1e-9, region.y]], dtype=np.float64
    )
    assert not any(owned(outside, tile).any() for tile in grid)


def test_a_grid_that_a_person_can_check() -> None:
    grid = TileGrid(BoxPx(5, 0, 20, 10), tile_px=8, halo_px=3, stride_px=4)
    assert (grid.origin, grid.shape, grid.margin_px, grid.window_px) == ((4, 0), (2, 3), 4, 16)
    assert [tile.core for tile in grid] == [
        BoxPx(5, 0, 7, 8), BoxPx(12, 0, 8, 8), BoxPx(20, 0, 5, 8),
        BoxPx(5, 8, 7, 2), BoxPx(12, 8, 8, 2), BoxPx(20, 8, 5, 2),
    ]  # fmt: skip
    assert grid[1].window == BoxPx(8, -4, 16, 16)
    assert grid[5].window == BoxPx(16, 4, 16, 12)
    assert grid.narrowed(grid[3], BoxPx(0, 9, 11, 50)) == Tile(3, BoxPx(0, 4, 16, 12), BoxPx(5, 9, 6, 1))
    assert grid.narrowed(grid[1], BoxPx(17, 2, 2, 3)) == Tile(1, BoxPx(12, -4, 12, 16), BoxPx(17, 2, 2, 3))
    assert grid.narrowed(grid[0], BoxPx(12, 0, 5, 5)) is None
    with pytest.raises(IndexError):
        grid[6]


@pytest.mark.parametrize(
    ("tile", "halo", "stride"), [(10, 0, 4), (0, 0, 1), (-4, 0, 4), (8, -1, 4), (2, 0, 4)]
)
def test_sizes_that_do_not_fit_are_refused(tile: int, halo: int, stride: int) -> None:
    with pytest.raises(ConfigError):
        TileGrid(BoxPx(0, 0, 9, 9), tile, halo, stride)
