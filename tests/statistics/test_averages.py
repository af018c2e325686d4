import numpy as np
import pytest

from mitoscope.statistics import Average, MeanScore, Score, place_of_best_f1, sum_by

SCORES = {"a": Score(8, 2, 0), "b": Score(0, 0, 4), "c": Score(), "d": Score(1, 0, 1)}


def test_micro_pools_and_macro_averages() -> None:
    assert Score.total(SCORES.values()) == Score(9, 2, 5)
    mean = MeanScore.of(SCORES.values())
    assert mean.f1.mean == pytest.approx((16 / 18 + 0 + 2 / 3) / 3)
    assert mean.f1.mean != pytest.approx(Score.total(SCORES.values()).f1)
    assert (mean.f1.n, mean.f1.undefined) == (3, 1)
    assert (mean.precision.n, mean.precision.undefined) == (2, 2)


def test_the_standard_deviation_is_that_of_a_sample() -> None:
    assert Average.of([1.0, 3.0]).sd == pytest.approx(2**0.5)
    assert Average.of([1.0, None]) == Average(1.0, None, 1, 1)
    assert Average.of([None]) == Average(None, None, 0, 1)
    assert [str(Average.of(values)) for values in ([1.0, 3.0], [0.5], [None])] == [
        "2.000 ± 1.414",
        "0.500",
        "undefined (0/0)",
    ]


def test_groups_add_up() -> None:
    groups = sum_by(SCORES, {"a": "x", "b": "y", "c": "x", "d": "y"})
    assert groups == {"x": Score(8, 2, 0), "y": Score(1, 0, 5)}
    assert Score.total(groups.values()) == Score.total(SCORES.values())


def test_of_equal_f1_the_middle_one_is_taken() -> None:
    counts = np.array([[1, 3, 0], [2, 0, 0], [2, 0, 0], [2, 0, 0], [0, 0, 2]])
    assert place_of_best_f1(counts) == 2
    assert place_of_best_f1(np.zeros((3, 3), dtype=np.int64)) == 1  # 0/0 everywhere: all are equal
