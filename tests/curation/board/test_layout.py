"""Each crop finds its place: exactly by trying all ways, greedily by looking at all places."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.curation.board import Grid, lay_out, on_grid
from mitoscope.curation.board.layout import FreePlaces, densest_first
from mitoscope.errors import ConfigError, FormatError, NonFiniteError
from mitoscope.geometry import SizePx

fraction = st.floats(0, 1)


def test_the_board_of_cmc() -> None:
    grid = Grid.of_size(SizePx(80_000, 60_000))
    assert (grid.columns, grid.rows) == (625, 468)
    fitting = Grid.for_crops(50_286)
    assert (fitting.columns, fitting.rows) == pytest.approx((625, 468), abs=2)
    assert Grid.for_crops(7, occupancy=1).places >= 7
    for odd in (0.0, 1.5):
        with pytest.raises(ConfigError, match="a share"):
            Grid.for_crops(7, occupancy=odd)
    with pytest.raises(ConfigError, match="places of 128 px on a board of 100 × 100"):
        Grid.of_size(SizePx(100, 100))


def test_coordinates_are_stretched_over_the_board() -> None:
    placed = on_grid(np.array([[0.0, 5.0], [1.0, 5.0], [4.0, 5.0]]), Grid(9, 5))
    assert placed.tolist() == [[0, 2], [2, 2], [8, 2]]


@given(st.lists(st.tuples(fraction, fraction), min_size=1, max_size=20), st.integers(4, 6), st.integers(4, 6))
def test_the_nearest_free_place_is_that_of_a_plain_search(
    points: list[tuple[float, float]], columns: int, rows: int
) -> None:
    places = FreePlaces(Grid(columns, rows))
    free = {(column, row) for column in range(columns) for row in range(rows)}
    for x, y in points[: columns * rows]:
        column, row = x * (columns - 1), y * (rows - 1)
        taken = places.take_nearest(column, row)
        best = min((c - column) ** 2 + (r - row) ** 2 for c, r in free)
        assert (taken[0] - column) ** 2 + (taken[1] - row) ** 2 == pytest.approx(best)
        free.remove(taken)


def test_a_full_board_is_filled_to_the_last_place() -> None:
    layout = lay_out(np.random.default_rng(0).normal(size=(35, 2)), Grid(7, 5), method="greedy")
    assert len({*zip(layout.column.tolist(), layout.row.tolist(), strict=True)}) == 35


@given(st.lists(st.tuples(fraction, fraction), min_size=1, max_size=5))
@settings(max_examples=25)
def test_the_exact_layout_is_the_best_of_all(points: list[tuple[float, float]]) -> None:
    grid = Grid(3, 2)
    layout = lay_out(np.array(points), grid, method="exact")
    places = [(column, row) for row in range(2) for column in range(3)]
    best = min(
        sum((c - x) ** 2 + (r - y) ** 2 for (c, r), (x, y) in zip(way, layout.wanted.tolist(), strict=True))
        for way in permutations(places, len(points))
    )
    assert (layout.shift**2).sum() == pytest.approx(best)


def test_greedy_is_near_the_exact_one() -> None:
    points = np.random.default_rng(3).normal(size=(150, 2))
    exact, greedy = (lay_out(points, Grid(30, 30), method=method) for method in ("exact", "greedy"))
    assert (exact.shift**2).sum() <= (greedy.shift**2).sum() < 1.5 * (exact.shift**2).sum()
    assert lay_out(points, Grid(30, 30)).method == "exact"


def test_the_hearts_of_clusters_come_first() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 10, (30, 2)), rng.normal(50, 0.1, (30, 2))])
    assert set(densest_first(points)[:30].tolist()) == set(range(30, 60))
    assert densest_first(points[:1]).tolist() == [0]


def test_what_does_not_fit_is_refused() -> None:
    points = np.zeros((7, 2))
    with pytest.raises(ConfigError, match="7 crops on a board of 3 × 2 places"):
        lay_out(points, Grid(3, 2))
    with pytest.raises(ConfigError, match="too many for the exact method"):
        lay_out(points, Grid(4_000, 4_000), method="exact")
    with pytest.raises(FormatError, match=r"shape \(n, 2\) expected"):
        lay_out(np.zeros((7, 3)), Grid(3, 3))
    with pytest.raises(NonFiniteError, match="row 0"):
        lay_out(np.full((7, 2), np.nan), Grid(3, 3))
    assert lay_out(np.empty((0, 2)), Grid(3, 3)).points.shape == (0, 2)
