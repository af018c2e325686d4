"""Promise 16, the merge's half: what is near is found once, and the order of the parts says nothing."""

from __future__ import annotations

import time
from importlib import import_module
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx
from mitoscope.tiles import TileGrid, merge, owned, suppress

# Whole coordinates on a small square: many ties, many pairs exactly at the radius.
candidates = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.2, 0.5, 0.9])), max_size=60
)
radii = st.sampled_from([0.0, 1.0, 2**0.5, 2.0, 5**0.5, 3.0, 5.0, 13.0])


def _detections(rows: list[tuple[int, int, float]]) -> Detections:
    points = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Detections.of(points, [row[2] for row in rows], source="test 1.0.0")


def _brute_force(points: NDArray[np.float64], radius: float) -> list[int]:
    kept: list[int] = []
    for index, point in enumerate(points):
        if all(((points[other] - point) ** 2).sum() > radius * radius for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("few", [0, 512], ids=["by a tree", "each with each"])
@given(rows=candidates, radius=radii)
def test_suppression_equals_brute_force(rows: list[tuple[int, int, float]], radius: float, few: int) -> None:
    detections = _detections(rows).sort()
    expected = detections.take(np.array(_brute_force(detections.points_px0, radius), dtype=np.intp))
    with mock.patch.object(import_module("mitoscope.tiles.merge"), "_FEW", few):
        assert suppress(detections, radius_px0=radius) == expected


@given(candidates, radii, st.randoms(use_true_random=False))
def test_the_order_of_the_parts_says_nothing(
    rows: list[tuple[int, int, float]], radius: float, random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    parts = [_detections(shuffled[start::3]) for start in range(3)]
    assert merge(parts, radius_px0=radius) == merge([_detections(rows)], radius_px0=radius)


@settings(max_examples=50)
@given(st.integers(3, 40), st.integers(0, 10), st.integers(0, 2**32 - 1))
def test_no_point_is_lost_or_doubled_at_a_seam(tile_px: int, halo_px: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    points = np.concatenate([random.uniform(0, 60, (30, 2)), random.integers(0, 60, (30, 2)).astype(float)])
    truth = Detections.of(points, random.uniform(0, 1, len(points)), source="test 1.0.0")
    grid = TileGrid(BoxPx(0, 0, 60, 60), tile_px, halo_px, 1)
    parts = [truth.take(owned(truth.points_px0, tile)) for tile in grid]
    assert merge(parts, radius_px0=-1) == truth.sort()
    assert merge(parts, radius_px0=3) == suppress(truth.sort(), radius_px0=3)


def test_a_chain_keeps_every_second_point() -> None:
    rows = [(0, 0, 0.9), (3, 0, 0.8), (6, 0, 0.7), (9, 0, 0.6)]
    assert merge([_detections(rows)], radius_px0=3).x_px0.tolist() == [0, 6]


def test_nothing_in_nothing_out() -> None:
    assert len(merge([], radius_px0=5)) == 0
    assert len(merge([Detections.empty()], radius_px0=5)) == 0


def test_a_hundred_thousand_points_take_seconds_at_most() -> None:
    random = np.random.default_rng(0)
    spread = random.uniform(0, 100_000, (50_000, 2))
    crowd = random.uniform(50_000, 50_500, (50_000, 2))
    detections = Detections.of(
        np.concatenate([spread, crowd]), random.uniform(0, 1, 100_000), source="test 1.0.0"
    )
    start = time.process_time()
    kept = merge([detections], radius_px0=30)
    assert time.process_time() - start < 15  # seconds of computing, not of waiting: measured, below 1
    assert 49_000 < len(kept) < 51_000
