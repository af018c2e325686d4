"""What is a candidate, and in which bin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.curation.candidates import bin_of, candidates
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError


def test_what_is_within_25_px_of_a_known_cell_is_no_candidate() -> None:
    found = Detections.of(
        [[100.0, 100.0], [125.0, 100.0], [125.01, 100.0], [100.0, 200.0]], [0.9, 0.8, 0.7, 0.6]
    )
    left = candidates(found, [[100, 100]])
    assert left.points_px0.tolist() == [[125.01, 100], [100, 200]]


def test_of_two_candidates_at_one_place_the_better_is_kept() -> None:
    found = Detections.of([[100, 100], [110, 100], [130, 100], [300, 300]], [0.5, 0.7, 0.6, 0.1])
    left = candidates(found, [])
    assert left.score.tolist() == [0.7, 0.1]
    assert candidates(found, [], threshold=0.1).score.tolist() == [0.7]


place = st.tuples(st.integers(0, 300), st.integers(0, 300))


@given(st.lists(place, max_size=25), st.lists(place, max_size=8))
def test_candidates_equal_a_plain_search(found: list[tuple[int, int]], known: list[tuple[int, int]]) -> None:
    scores = np.linspace(0.9, 0.1, len(found))
    kept: list[tuple[int, int]] = []
    for one in found:
        near = [np.hypot(one[0] - x, one[1] - y) <= 25 for x, y in [*known, *kept]]
        if not any(near):
            kept.append(one)
    left = candidates(Detections.of(np.array(found).reshape(-1, 2), scores), known)
    assert left.points_px0.tolist() == [list(map(float, one)) for one in kept]


def test_ten_bins_high_scores_first() -> None:
    scores = [1.0, 0.95, 0.9, 0.89, 0.5, 0.3, 0.1, 0.05, 0.0, 0.1 + 0.2]
    assert bin_of(scores).tolist() == [1, 1, 2, 2, 6, 8, 10, 10, 10, 8]
    assert bin_of(scores, bins=1).tolist() == [1] * 10


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(1, 12))
def test_a_higher_score_is_never_in_a_later_bin(scores: list[float], bins: int) -> None:
    place = bin_of(np.sort(scores)[::-1], bins=bins)
    assert (np.diff(place) >= 0).all()
    assert 1 <= place.min() <= place.max() <= bins


def test_a_radius_of_nothing_and_no_bins_are_refused() -> None:
    with pytest.raises(ConfigError, match="a radius of 0 px"):
        candidates(Detections.empty(), [], radius_px0=0)
    with pytest.raises(ConfigError, match="0 bins"):
        bin_of([0.5], bins=0)
