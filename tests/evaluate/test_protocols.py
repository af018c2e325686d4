from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.errors import ConfigError, FormatError, NonFiniteError
from mitoscope.evaluate import PROTOCOLS, Score, find_protocol
from mitoscope.geometry import Mpp

TUPAC = PROTOCOLS["tupac"]
POINTS = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=8)


def brute_force(
    points: list[tuple[int, int]], scores: list[float], truth: list[tuple[int, int]]
) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """Follow the rule word for word: descending score, closest unmatched within 30 px."""
    order = sorted(range(len(points)), key=lambda n: (-scores[n], points[n][1], points[n][0]))
    free = set(range(len(truth)))
    pairs = []
    for n in order:
        ranked = sorted(free, key=lambda m: (math.dist(points[n], truth[m]), truth[m][1], truth[m][0]))
        if ranked and math.dist(points[n], truth[ranked[0]]) <= 30:
            free.remove(ranked[0])
            pairs.append((points[n], truth[ranked[0]]))
    return set(pairs)


def many_to_many(points: NDArray[np.float64], truth: NDArray[np.float64]) -> int:
    """Count figures with any detection near: the lenient rule that hides double detections."""
    distance = np.hypot(*(points[:, None] - truth[None]).transpose(2, 0, 1))
    return int((distance <= 30).any(axis=0).sum())


@settings(deadline=None)
@given(points=POINTS, truth=POINTS, data=st.data())
def test_equals_the_rule_followed_word_for_word(
    points: list[tuple[int, int]], truth: list[tuple[int, int]], data: st.DataObject
) -> None:
    scores = [data.draw(st.sampled_from([0.2, 0.5, 0.9])) for _ in points]
    matching = TUPAC.match(points, scores, truth)
    pairs = {(points[n], truth[m]) for n, m in enumerate(matching.truth_of.tolist()) if m >= 0}
    assert pairs == brute_force(points, scores, truth)
    score = matching.score
    assert score.tp + score.fn == len(truth)
    assert score.tp + score.fp == len(points)
    assert all(matching.truth_of[n] == m for m, n in enumerate(matching.detection_of.tolist()) if n >= 0)


@settings(deadline=None)
@given(points=POINTS, truth=POINTS, seed=st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(
    points: list[tuple[int, int]], truth: list[tuple[int, int]], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.choice([0.3, 0.6], len(points))
    rows, columns = generator.permutation(len(points)), generator.permutation(len(truth))
    detected, figures = (
        np.array(points, dtype=float).reshape(-1, 2),
        np.array(truth, dtype=float).reshape(-1, 2),
    )
    before = TUPAC.match(detected, scores, figures).score
    assert TUPAC.match(detected[rows], scores[rows], figures[columns]).score == before


def test_the_radius_is_inclusive() -> None:
    assert TUPAC.match([[0, 0]], [1.0], [[18, 24]]).score == Score(tp=1)
    assert TUPAC.match([[0, 0]], [1.0], [[18, 24.001]]).score == Score(fp=1, fn=1)


def test_a_second_detection_of_one_figure_is_false() -> None:
    points = np.array([[0.0, 0.0], [3.0, 0.0]])
    assert TUPAC.match(points, [0.9, 0.8], [[1.0, 0.0]]).score == Score(tp=1, fp=1)
    assert many_to_many(points, np.array([[1.0, 0.0]])) == 1  # control: no false positive is seen


def test_the_higher_score_chooses_first() -> None:
    matching = TUPAC.match([[0, 0], [20, 0]], [0.5, 0.9], [[10, 0], [45, 0]])
    # The second takes (10, 0), the closest to it; the first then finds nothing within 30 px.
    assert matching.truth_of.tolist() == [-1, 0]


def test_the_radius_follows_the_resolution() -> None:
    points, truth = [[0.0, 0.0]], [[20.0, 0.0]]
    assert TUPAC.match(points, [1.0], truth, mpp=Mpp.square(0.25)).score == Score(tp=1)
    assert TUPAC.match(points, [1.0], truth, mpp=Mpp.square(0.5)).score == Score(fp=1, fn=1)
    assert TUPAC.match([[0, 0]], [1.0], [[0, 30]], mpp=Mpp(0.25, 0.26)).score == Score(fp=1, fn=1)


def test_nothing_on_either_side() -> None:
    assert TUPAC.match([], [], []).score == Score()
    assert TUPAC.match([], [], [[1, 2]]).score == Score(fn=1)
    assert TUPAC.match([[1, 2]], [0.5], []).score == Score(fp=1)


def test_bad_input_is_refused() -> None:
    with pytest.raises(FormatError, match="1 detections with 2 scores"):
        TUPAC.match([[0, 0]], [1, 1], [])
    with pytest.raises(NonFiniteError, match="coordinates of the truth"):
        TUPAC.match([[0, 0]], [1], [[float("nan"), 0]])
    with pytest.raises(NonFiniteError, match="scores"):
        TUPAC.match([[0, 0]], [float("nan")], [])
    with pytest.raises(ConfigError, match="no protocol 'midogg'; choose one of: tupac"):
        find_protocol("midogg")


def test_many_points_are_matched_in_seconds() -> None:
    generator = np.random.default_rng(1)
    truth = generator.random((20_000, 2)) * 50_000
    points = truth + generator.normal(0, 15, truth.shape)
    start = time.process_time()
    TUPAC.match(points, generator.random(len(points)), truth)
    assert time.process_time() - start < 5
