from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.detections import Detections
from mitoscope.errors import FormatError, NonFiniteError

rows = st.lists(st.tuples(st.floats(-10, 1e5), st.floats(-10, 1e5), st.floats(0, 1)), max_size=30)


def build(values: list[tuple[float, float, float]]) -> Detections:
    array = np.array(values, dtype=float).reshape(-1, 3)
    return Detections.of(array[:, :2], array[:, 2], source="test")


@given(rows, st.randoms())
def test_the_sorted_order_does_not_depend_on_the_order_of_arrival(
    values: list[tuple[float, float, float]], random: object
) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    once = build(values).sort()
    assert once == build(shuffled).sort()
    assert (np.diff(once.score) <= 0).all()


@given(rows, rows)
def test_joining_keeps_every_row(
    a: list[tuple[float, float, float]], b: list[tuple[float, float, float]]
) -> None:
    joined = Detections.concat([build(a), build(b)])
    assert len(joined) == len(a) + len(b)
    assert joined.take(np.arange(len(a))) == build(a)


def test_a_threshold_is_strict() -> None:
    found = Detections.of([[0, 0], [1, 1]], [0.5, 0.6])
    assert found.above(0.5).score.tolist() == [0.6]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_non_finite_value_enters(bad: float) -> None:
    with pytest.raises(NonFiniteError, match="x_px0"):
        Detections.of([[bad, 0]], [0.5])
    with pytest.raises(NonFiniteError, match="score"):
        Detections.of([[0, 0]], [bad])


def test_scores_and_lengths_are_checked() -> None:
    with pytest.raises(FormatError, match="outside"):
        Detections.of([[0, 0]], [1.5])
    with pytest.raises(FormatError, match="one length"):
        Detections.of([[0, 0], [1, 1]], [0.5])


def test_columns_cannot_be_written() -> None:
    found = Detections.of([[0, 0]], [0.5])
    with pytest.raises(ValueError, match="read-only"):
        found.x_px0[0] = 3


def test_shift_and_label() -> None:
    found = Detections.of([[1, 2]], [0.5], label="look-alike").shift(10, 20)
    assert found.points_px0.tolist() == [[11, 22]]
    assert len(found.labelled("look-alike")) == 1
    assert len(found.labelled("mitotic figure")) == 0
    assert len(Detections.concat([])) == 0
