from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.data.sampling.scheme import kind_and_rank, quota

pytestmark = pytest.mark.train

shares = st.lists(st.floats(0, 10), min_size=1, max_size=5).filter(lambda values: sum(values) > 0.01)


@given(shares, st.integers(1, 500))
def test_quotas_add_up_and_differ_by_less_than_one_from_their_share(values: list[float], count: int) -> None:
    numbers = quota(values, count)
    assert numbers.sum() == count
    exact = [value / sum(values) * count for value in values]
    assert all(abs(n - e) < 1 + 1e-6 for n, e in zip(numbers, exact, strict=True))


def test_every_pseudo_epoch_has_the_same_numbers_in_another_order() -> None:
    first = [kind_and_rank(i, (0.5, 0.4, 0.1), epoch=50, seed=1)[0] for i in range(50)]
    second = [kind_and_rank(i, (0.5, 0.4, 0.1), epoch=50, seed=1)[0] for i in range(50, 100)]
    assert Counter(first) == Counter(second) == {0: 25, 1: 20, 2: 5}
    assert first != second


def test_ranks_count_each_kind_without_a_gap() -> None:
    drawn = [kind_and_rank(i, (1, 2), epoch=30, seed=4) for i in range(90)]
    for kind, count in ((0, 30), (1, 60)):
        assert [rank for own, rank in drawn if own == kind] == list(range(count))
