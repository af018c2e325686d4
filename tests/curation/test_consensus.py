"""Two agree, a third decides, boxes of most experts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.curation import consensus_of_two, majority_of_three, merge_expert_boxes, unanimous
from mitoscope.errors import FormatError

label = st.integers(-1, 2)


@pytest.mark.parametrize(
    ("first", "second", "third", "agreed"),
    [
        (0, 0, -1, 0),
        (0, 0, 1, 0),
        (0, 1, 1, 1),
        (0, 1, 0, 0),
        (0, 1, 2, -1),
        (0, 1, -1, -1),
        (0, -1, 0, -1),
        (-1, -1, -1, -1),
    ],
)
def test_the_third_decides_between_two(first: int, second: int, third: int, agreed: int) -> None:
    assert majority_of_three(np.array([first]), np.array([second]), np.array([third])).tolist() == [agreed]


@given(label, label, label)
def test_a_majority_has_two_votes(first: int, second: int, third: int) -> None:
    (agreed,) = majority_of_three(np.array([first]), np.array([second]), np.array([third])).tolist()
    assert agreed == -1 or [first, second, third].count(agreed) >= 2
    (two,) = consensus_of_two(np.array([first]), np.array([second])).tolist()
    assert two in (-1, agreed)


def test_unanimous_means_all_who_spoke() -> None:
    labels = np.array([[0, 0, -1], [1, 0, 1], [-1, -1, -1], [2, 2, 2]])
    assert unanimous(labels).tolist() == [0, -1, -1, 2]


def test_boxes_of_most_experts_are_their_mean() -> None:
    boxes = [
        [0, 0, 10, 10],
        [2, 0, 12, 10],
        [100, 100, 110, 110],
        [50, 50, 60, 60],
        [50, 50, 60, 62],
        [51, 50, 61, 60],
    ]
    merged = merge_expert_boxes(boxes, [0, 1, 2, 0, 1, 2], raters=3)
    assert merged.round(6).tolist() == [[1, 0, 11, 10], [50.333333, 50, 60.333333, 60.666667]]


def test_two_boxes_of_one_expert_are_one_vote() -> None:
    assert len(merge_expert_boxes([[0, 0, 10, 10], [1, 0, 11, 10]], [0, 0], raters=3)) == 0


def test_half_of_the_experts_are_not_most() -> None:
    assert len(merge_expert_boxes([[0, 0, 10, 10]], [0], raters=2)) == 0


def test_no_boxes_and_too_many_raters() -> None:
    assert merge_expert_boxes([], [], raters=3).shape == (0, 4)
    with pytest.raises(FormatError, match="2 raters drew boxes, but there are 1"):
        merge_expert_boxes([[0, 0, 1, 1]] * 2, [0, 1], raters=1)
