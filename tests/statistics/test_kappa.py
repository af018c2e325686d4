"""The measures against scikit-learn, published worked examples and brute force."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mitoscope.statistics import alpha_of, alpha_parts, cohen_of, confusion_parts, fleiss_of, fleiss_parts

# Fleiss 1971, the example as it stands in textbooks: 10 cases, 14 raters, 5 classes; kappa = 0.210.
FLEISS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
# Krippendorff 2011, example C: 4 observers, 12 units, missing values; nominal alpha = 0.743.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)


def cohen_kappa(first: np.ndarray, second: np.ndarray, classes: int) -> float:
    return float(cohen_of(confusion_parts(first, second, classes).sum(axis=0)))


def fleiss_kappa(counts: np.ndarray, raters: int) -> float:
    return float(fleiss_of(fleiss_parts(counts, raters).sum(axis=0), raters))


def krippendorff_alpha(counts: np.ndarray) -> float:
    return float(alpha_of(alpha_parts(counts).sum(axis=0)))


def counts_of(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.stack([(labels == one).sum(axis=1) for one in range(classes)], axis=1)


def test_fleiss_on_the_published_example() -> None:
    assert fleiss_kappa(FLEISS, 14) == pytest.approx(0.210, abs=5e-4)


def test_alpha_on_the_published_example() -> None:
    assert krippendorff_alpha(counts_of(KRIPPENDORFF.T - 1, 5)) == pytest.approx(0.743, abs=5e-4)


def test_confusion_has_the_first_rater_in_rows() -> None:
    first, second = np.array([0, 0, 1, -1, 1]), np.array([0, 1, 1, 1, -1])
    assert confusion_parts(first, second, 2).sum(axis=0).tolist() == [1, 1, 0, 1]


two_raters = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[hnp.arrays(np.int64, n, elements=st.integers(0, 2)) for _ in range(2)])
)


@given(two_raters)
@settings(max_examples=60, deadline=None)
def test_cohen_equals_scikit_learn(labels: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = labels
    mine = cohen_kappa(first, second, 3)
    if len({*first.tolist(), *second.tolist()}) == 1:
        assert math.isnan(mine)
    else:
        assert mine == pytest.approx(metrics.cohen_kappa_score(first, second, labels=[0, 1, 2]), abs=1e-12)


@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(-1, 2)))
@settings(max_examples=80, deadline=None)
def test_alpha_equals_counting_all_pairs(labels: np.ndarray) -> None:
    # Krippendorff's own definition: disagreeing pairs within units against pairs of all values.
    units = [[one for one in row if one >= 0] for row in labels.tolist()]
    units = [one for one in units if len(one) >= 2]
    values = [one for unit in units for one in unit]
    observed = sum(sum(2 * (a != b) for a, b in combinations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(2 * (a != b) for a, b in combinations(values, 2)) / max(1, len(values) - 1)
    mine = krippendorff_alpha(counts_of(labels, 3))
    if expected == 0:
        assert math.isnan(mine)
    else:
        assert mine == pytest.approx(1 - observed / expected, abs=1e-12)


@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 12), st.just(3)), elements=st.integers(0, 1)))
@settings(max_examples=60, deadline=None)
def test_fleiss_equals_counting_all_pairs(labels: np.ndarray) -> None:
    agree = np.mean([[a == b for a, b in combinations(row, 2)] for row in labels.tolist()])
    share = np.bincount(labels.ravel(), minlength=2) / labels.size
    expected = float((share**2).sum())
    mine = fleiss_kappa(counts_of(labels, 2), 3)
    if expected == 1:
        assert math.isnan(mine)
    else:
        assert mine == pytest.approx((agree - expected) / (1 - expected), abs=1e-9)


def test_no_cells_have_no_kappa() -> None:
    none = np.empty(0, dtype=np.int64)
    assert math.isnan(cohen_kappa(none, none, 2))
    assert math.isnan(fleiss_kappa(np.empty((0, 2), dtype=np.int64), 2))
    assert math.isnan(krippendorff_alpha(np.empty((0, 2), dtype=np.int64)))
