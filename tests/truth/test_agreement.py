"""Which class is agreed: the policies against a rule written out cell by cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import FormatError
from mitoscope.truth import NO_CLASS, Part, Policy, RaterKind, agreed_classes, disputes, last_opinions

KINDS = [
    RaterKind.EXPERT,
    RaterKind.EXPERT,
    RaterKind.EXPERT,
    RaterKind.CROWD,
    RaterKind.CROWD,
    RaterKind.CONSENSUS,
]
EVENTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-1, 2)), max_size=40)


def agree(events: list[tuple[int, int, int]], policy: Policy, *, scores: list[float] | None = None) -> Any:
    cell, rater, label = (np.array(column, dtype=np.int64) for column in zip(*events, strict=True))
    score = np.full(len(events), math.nan) if scores is None else np.array(scores)
    opinions = last_opinions(cell, rater, label, score, kind_of_rater=KINDS)
    return agreed_classes(opinions, 6, policy)


def experts_of(events: list[tuple[int, int, int]], cell: int) -> list[int]:
    """Return the last labels of the experts in the order in which they first spoke, by hand."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, (where, rater, label) in enumerate(events):
        if where == cell and KINDS[rater] is RaterKind.EXPERT:
            first.setdefault(rater, place)
            last[rater] = label
    return [last[rater] for rater in sorted(first, key=lambda one: first[one]) if last[rater] >= 0]


@given(EVENTS.filter(bool))
def test_majority_is_two_experts_or_the_third(events: list[tuple[int, int, int]]) -> None:
    found = agree(events, Policy.MAJORITY).label
    for cell in range(6):
        said = experts_of(events, cell)
        expected = NO_CLASS
        if len(said) >= 2 and said[0] == said[1]:
            expected = said[0]
        elif len(said) >= 3 and said[2] in said[:2]:
            expected = said[2]
        assert found[cell] == expected


@given(EVENTS.filter(bool))
def test_settled_prefers_what_was_recorded(events: list[tuple[int, int, int]]) -> None:
    recorded, majority, settled = (
        agree(events, policy).label for policy in (Policy.RECORDED, Policy.MAJORITY, Policy.SETTLED)
    )
    for cell in range(6):
        if recorded[cell] != NO_CLASS:
            assert settled[cell] == recorded[cell]
        elif majority[cell] != NO_CLASS:
            assert settled[cell] == majority[cell]
        elif len(experts_of(events, cell)) == 1:
            assert settled[cell] == experts_of(events, cell)[0]


def test_two_to_one_is_settled_with_its_agreement() -> None:
    found = agree([(0, 0, 1), (0, 1, 0), (0, 2, 1)], Policy.SETTLED)
    assert found.label[0] == 1
    assert found.agreement[0] == pytest.approx(2 / 3)
    assert found.label[1] == NO_CLASS
    assert math.isnan(found.agreement[1])


def test_a_consensus_is_not_weakened_by_the_score_of_a_model() -> None:
    zeros, scores = np.zeros(2, np.int64), np.array([math.nan, 0.3])
    for stated, expected in ((math.nan, 1.0), (0.75, 0.75)):
        scores[0] = stated
        kinds = [RaterKind.CONSENSUS, RaterKind.MODEL]
        opinions = last_opinions(zeros, np.arange(2), zeros, scores, kind_of_rater=kinds)
        assert agreed_classes(opinions, 1, Policy.SETTLED).agreement.tolist() == [expected]


@pytest.mark.parametrize(
    ("said", "outcome", "is_open"),
    [
        ([(0, 0), (1, 1)], NO_CLASS, True),
        ([(0, 0), (1, 1), (2, 1)], 1, True),  # a further reader counts, and decides nothing
        ([(0, 0), (1, 1), (2, 1, Part.UNSTATED)], 1, False),  # of a file that knows no rounds
        ([(0, 0), (1, 1), (2, 2, Part.DECISION)], NO_CLASS, True),  # agrees with neither
        ([(0, 0), (1, 1), (2, 1), (3, 0, Part.DECISION)], 0, False),  # goes before the further reader
        ([(0, 0), (1, 1), (2, 1, Part.DECISION), (3, 0, Part.DECISION)], 0, False),  # the last of two
        ([(0, 0), (1, 1), (4, 1)], 1, False),  # a consensus
        ([(0, 0), (4, 0), (1, 1)], 0, True),  # recorded before the second spoke
        ([(0, 0), (1, 0), (2, 1)], 0, None),
    ],
)
def test_a_dispute_waits_for_a_third_expert_or_a_consensus(
    said: list[tuple[int, ...]], outcome: int, is_open: bool | None
) -> None:
    rater, label, part = zip(*((*one, Part.READING)[:3] for one in said), strict=True)
    opinions = last_opinions(
        np.zeros(len(said), np.int64),
        np.array(rater),
        np.array(label),
        np.full(len(said), math.nan),
        kind_of_rater=[RaterKind.EXPERT] * 4 + [RaterKind.CONSENSUS],
        part=np.array(part, dtype=np.int64),
    )
    found = disputes(opinions, 1)
    assert found.differ.tolist() == [is_open is not None]
    assert found.is_open.tolist() == [bool(is_open)]
    policy = Policy.SETTLED if 4 in rater else Policy.MAJORITY
    assert agreed_classes(opinions, 1, policy).label.tolist() == [outcome]


def test_control_unanimity_leaves_a_settled_cell_without_a_class() -> None:
    assert agree([(0, 0, 1), (0, 1, 0), (0, 2, 1)], Policy.UNANIMOUS).label[0] == NO_CLASS


def test_a_consensus_with_a_score_of_its_own_agrees_by_that_score() -> None:
    found = agree([(0, 5, 1)], Policy.SETTLED, scores=[0.6])
    assert (found.label[0], found.agreement[0]) == (1, 0.6)


def test_a_score_beyond_one_is_refused() -> None:
    with pytest.raises(FormatError, match=r"1\.5 is not in \[0, 1\]"):
        agree([(0, 3, 1)], Policy.CROWD, scores=[1.5])
