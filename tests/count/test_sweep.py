import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.count.hot_spot import _extents
from mitoscope.count.sweep import most_in_window, prune

GRID = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=25)
FLOATS = st.lists(
    st.tuples(st.floats(0, 10, allow_subnormal=False), st.floats(0, 10, allow_subnormal=False)),
    min_size=1,
    max_size=15,
)


def brute_force(points: NDArray[np.float64], width: float, height: float) -> tuple[int, list[float]]:
    """Count in every window whose left and upper edge touch a point."""
    counts: dict[float, int] = {}
    for y in points[:, 1].tolist():
        for x in points[:, 0].tolist():
            held = (points[:, 0] >= x) & (points[:, 0] < x + width)
            held &= (points[:, 1] >= y) & (points[:, 1] < y + height)
            counts[y] = max(counts.get(y, 0), int(held.sum()))
    most = max(counts.values())
    return most, sorted(y for y, count in counts.items() if count == most)


def on_the_grid_only(points: NDArray[np.float64], width: float, height: float) -> int:
    """Count in windows on a fixed grid, as a heat map does: the naive way."""
    columns, rows = (points // [width, height]).astype(int).T
    return int(np.bincount(rows * 1000 + columns).max())


def fullest_sets(points: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    count, upper_edges = most_in_window(points, width=width, height=height)
    return _extents(points, upper_edges, width=width, height=height, count=count)


@settings(deadline=None)
@given(points=GRID | FLOATS, width=st.integers(1, 8), height=st.integers(1, 8))
def test_equals_brute_force(points: list[tuple[float, float]], width: int, height: int) -> None:
    array = np.array(points, dtype=np.float64)
    count, upper_edges = most_in_window(array, width=width, height=height)
    assert (count, upper_edges.tolist()) == brute_force(array, width, height)


def test_windows_on_a_grid_miss_the_fullest_one() -> None:
    points = np.array([[9.0, 9.0], [11.0, 9.0], [9.0, 11.0], [11.0, 11.0]])
    assert most_in_window(points, width=10, height=10)[0] == 4
    assert on_the_grid_only(points, 10, 10) == 1  # control


def test_the_window_is_half_open() -> None:
    points = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert most_in_window(points, width=10, height=1)[0] == 1
    assert most_in_window(points, width=10.001, height=1)[0] == 2
    assert most_in_window(points[:, ::-1].copy(), width=1, height=10)[0] == 1


def test_equal_points_count_each() -> None:
    assert most_in_window(np.full((7, 2), 3.5), width=1, height=1)[0] == 7
    assert most_in_window(np.empty((0, 2)), width=1, height=1)[0] == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("window", [(3.0, 4.0), (30.0, 20.0), (400.0, 300.0), (0.01, 0.01)])
def test_pruning_keeps_every_fullest_window(seed: int, window: tuple[float, float]) -> None:
    random = np.random.default_rng(seed)
    spread = random.random((1500, 2)) * 300
    cluster = random.normal(150, 8, (seed * 100, 2))
    points = np.concatenate([spread, cluster])
    width, height = window

    def most(some: NDArray[np.float64]) -> int:
        return most_in_window(some, width=width, height=height)[0]

    kept = prune(points, width=width, height=height, most=most)
    assert most(kept) == most(points)
    assert np.array_equal(fullest_sets(kept, width, height), fullest_sets(points, width, height))
    if seed == 5 and width == 30:
        assert len(kept) < len(points) / 2
