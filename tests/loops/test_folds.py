"""Folds by case, and what cannot be folded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import TrainingDataError
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.loops.material import check_classes, fold_cases
from mitoscope.truth import SlideTruth, TrueCells


def slides(figures: list[int], *, cases: int | None = None) -> list[SlideTruth]:
    number = len(figures) if cases is None else cases
    return [
        SlideTruth(f"{n}.svs", TrueCells.of(np.zeros((count, 2)), MITOTIC_FIGURE.name), f"case {n % number}")
        for n, count in enumerate(figures)
    ]


@given(st.lists(st.integers(0, 500), min_size=3, max_size=20), st.integers(2, 3), st.integers(0, 3))
def test_cases_stay_together_and_folds_are_even(figures: list[int], folds: int, seed: int) -> None:
    given_slides = slides(figures, cases=max(folds, len(figures) // 2))
    fold_of = fold_cases(given_slides, folds, seed=seed)
    by_case: dict[str, set[int]] = {}
    for slide in given_slides:
        by_case.setdefault(slide.case, set()).add(fold_of[slide.name])
    assert all(len(one) == 1 for one in by_case.values())
    sizes = [sum(fold in one for one in by_case.values()) for fold in range(folds)]
    assert max(sizes) - min(sizes) <= 1
    assert fold_cases(given_slides[::-1], folds, seed=seed) == fold_of


def test_rich_cases_do_not_gather_in_one_fold() -> None:
    fold_of = fold_cases(slides([100, 99, 98, 1, 2, 3]), 3)
    assert sorted(fold_of[f"{n}.svs"] for n in range(3)) == [0, 1, 2]


def test_fewer_cases_than_folds_and_a_class_missing_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="2 cases for 3 folds"):
        fold_cases(slides([1, 2, 3], cases=2), 3)
    with pytest.raises(TrainingDataError, match="3 cases for 1 folds"):
        fold_cases(slides([1, 2, 3]), 1)
    cells = [
        SlideTruth("a.svs", TrueCells.of([(1, 1)], MITOTIC_FIGURE.name)),
        SlideTruth("b.svs", TrueCells.of([(1, 1), (2, 2)], [MITOTIC_FIGURE.name, LOOK_ALIKE.name])),
    ]
    fold_of = {"a.svs": 0, "b.svs": 1}
    check_classes(cells, fold_of, [MITOTIC_FIGURE.name], folds=2)
    with pytest.raises(TrainingDataError, match="without a look-alike outside of fold 2"):
        check_classes(cells, fold_of, [MITOTIC_FIGURE.name, LOOK_ALIKE.name], folds=2)
