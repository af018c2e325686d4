from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.evaluate import Steps
from mitoscope.statistics import Score

ROWS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.3, 0.3, 0.8]), st.integers(0, 2), st.integers(0, 2)), max_size=6
)


def steps(rows: list[tuple[float, int, int]]) -> Steps:
    score, tp, fp = (np.array([row[n] for row in rows]) for n in range(3))
    return Steps(score.astype(float), tp.astype(np.int64), fp.astype(np.int64), int(tp.sum()) + 1)


@given(a=ROWS, b=ROWS, threshold=st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0]))
def test_steps_add_up(
    a: list[tuple[float, int, int]], b: list[tuple[float, int, int]], threshold: float
) -> None:
    one, other = steps(a), steps(b)
    assert (one + other).at(threshold) == one.at(threshold) + other.at(threshold)
    assert Steps.total([one, Steps.none(), other]).at(threshold) == (one + other).at(threshold)
    assert Score(*(one + other).at_many(np.array([threshold]))[0].tolist()) == (one + other).at(threshold)


def test_levels_join_equal_scores() -> None:
    level, tp, fp = steps([(0.3, 1, 0), (0.8, 0, 1), (0.3, 1, 1)]).levels()
    assert level.tolist() == [0.8, 0.3]
    assert tp.tolist() == [0, 2]
    assert fp.tolist() == [1, 2]
