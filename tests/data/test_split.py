from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.split import Split, SplitConfig, split_by_case, split_by_fold
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train


def _names(fields: Sequence[object]) -> list[str]:
    return [str(getattr(field, "name", "")) for field in fields]


def test_named_cases_and_every_nth_are_held_out(pictures: tuple[Picture, ...]) -> None:
    split = split_by_case(pictures, SplitConfig(held_out=("BreCaHAD/1",), every_nth=2))
    assert _names(split.validation) == ["c0", "c2", "whole", "f0"]
    assert _names(split.training) == ["c1", "c3", "f1"]


def test_crops_of_unknown_slides_stay_in_training(pictures: tuple[Picture, ...]) -> None:
    lone = Picture("lone", "mitosis_crops", "crop/lone", pictures[0].rgb, pictures[0].figures)
    split = split_by_case((lone, *pictures), SplitConfig(every_nth=1, held_out=("field/f0", "MIDOG/c0")))
    assert {"lone", "c1", "f1"} <= set(_names(split.training))


def test_a_case_on_both_sides_is_an_error_that_names_it(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="BreCaHAD/1: the case is on both sides"):
        Split(pictures, (pictures[4],))


def test_an_unknown_case_is_an_error(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="BreCaHAD/7: no such case"):
        split_by_case(pictures, SplitConfig(held_out=("BreCaHAD/7",)))


def test_both_sides_need_a_figure(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="no mitotic figure on the side of training"):
        Split(pictures[5:], pictures[:4])
    with pytest.raises(TrainingDataError, match="no mitotic figure on the side of validation"):
        Split(pictures[:4], ())


def _cases(counts: Sequence[int]) -> list[Picture]:
    rgb = np.zeros((8, 8, 3), np.uint8)
    return [
        Picture(f"{case}-{part}", "s", f"case{case}", rgb, np.full((n, 2), 4.0))
        for case, n in enumerate(counts)
        for part in range(2)
    ]


def test_every_case_is_held_out_in_one_fold_with_all_its_fields() -> None:
    fields = _cases(range(1, 12))
    folds = [split_by_fold(fields, fold=fold, folds=4, seed=1) for fold in range(4)]
    held = [name for split in folds for name in _names(split.validation)]
    assert sorted(held) == sorted(_names(fields))
    for split in folds:
        assert len(split.training) + len(split.validation) == len(fields)
        assert not {f.case for f in split.training} & {f.case for f in split.validation}


def test_folds_have_figures_alike() -> None:
    fields = _cases([*range(1, 41)])
    sums = [
        sum(len(f.figures) for f in split_by_fold(fields, fold=k, folds=5, seed=2).validation)
        for k in range(5)
    ]
    assert max(sums) - min(sums) < 0.2 * np.mean(sums)
    assert _names(split_by_fold(fields, fold=0, folds=5, seed=2).validation) == _names(
        split_by_fold(fields, fold=0, folds=5, seed=2).validation
    )


def test_more_folds_than_cases_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="2 cases cannot be parted into 3 folds"):
        split_by_fold(_cases([1, 2]), fold=0, folds=3, seed=0)
