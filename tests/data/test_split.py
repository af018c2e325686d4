from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mitoscope.data.field import Field, Labels
from mitoscope.data.picture import Picture
from mitoscope.data.slide_field import open_field, with_labels
from mitoscope.data.split import Split, SplitConfig, split_by_case, split_by_fold
from mitoscope.errors import LeakError, TrainingDataError
from mitoscope.geometry import BoxPx
from mitoscope.truth import Side

pytestmark = pytest.mark.train


def _names(fields: Sequence[object]) -> list[str]:
    return [str(getattr(field, "name", "")) for field in fields]


def test_named_cases_and_every_nth_are_held_out(pictures: tuple[Picture, ...]) -> None:
    split = split_by_case(pictures, SplitConfig(held_out=("BreCaHAD/1",), every_nth=2))
    assert _names(split.validation) == ["c0", "c2", "whole", "f0"]
    assert _names(split.training) == ["c1", "c3", "f1"]


def test_crops_of_unknown_slides_stay_in_training(pictures: tuple[Picture, ...]) -> None:
    lone = Picture("lone", "mitosis_crops", "crop/lone", pictures[0].rgb[::-1], pictures[0].figures)
    split = split_by_case((lone, *pictures), SplitConfig(every_nth=1, held_out=("field/f0", "MIDOG/c0")))
    assert {"lone", "c1", "f1"} <= set(_names(split.training))


def test_a_case_on_both_sides_is_an_error_that_names_it(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(
        TrainingDataError,
        match=r"brecahad/whole \(\d+\): the same pixels as 'brecahad/whole', which is for train",
    ):
        Split(pictures, (pictures[4],))


def test_an_unknown_case_is_an_error(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="holds out the case 'BreCaHAD/7' that your data lack"):
        split_by_case(pictures, SplitConfig(held_out=("BreCaHAD/7",)))


def test_both_sides_need_a_figure(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="no mitotic figure on the side of training"):
        Split(pictures[5:], pictures[:4])
    with pytest.raises(TrainingDataError, match="no mitotic figure on the side of validation"):
        Split(pictures[:4], ())


def _cases(counts: Sequence[int]) -> list[Picture]:
    random = np.random.default_rng(0)
    return [
        Picture(
            f"{case}-{part}",
            "s",
            f"case{case}",
            random.integers(0, 255, (8, 8, 3)).astype(np.uint8),
            np.full((n, 2), 4.0),
        )
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


@pytest.mark.parametrize("seed", range(20))
def test_every_fold_has_its_share_of_the_rich_cases(seed: int) -> None:
    """Five cases of a hundred figures among twenty of one: a fold with two of them would judge by those."""
    fields = _cases([100 if case % 5 == 2 else 1 for case in range(25)])
    sums = [
        sum(len(f.figures) for f in split_by_fold(fields, fold=k, folds=5, seed=seed).validation)
        for k in range(5)
    ]
    assert sums == [2 * (100 + 4)] * 5
    again = [_names(split_by_fold(fields, fold=k, folds=5, seed=seed).validation) for k in range(5)]
    backwards = [_names(split_by_fold(fields[::-1], fold=k, folds=5, seed=seed).validation) for k in range(5)]
    assert [sorted(names) for names in again] == [sorted(names) for names in backwards]


def test_control_without_the_order_by_figures_folds_are_uneven() -> None:
    figures = [100 if case % 5 == 2 else 1 for case in range(25)]
    uneven = 0
    for seed in range(20):
        dealt = np.random.default_rng(seed).permutation(25)
        uneven += len({sum(figures[case] for case in dealt[k::5]) for k in range(5)}) > 1
    assert uneven > 15


def test_the_split_of_the_ground_truth_goes_before_that_of_the_recipe() -> None:
    sides: list[Side | None] = ["train", "train", "validation", "test"]
    fields = [_with_side(field, side) for field, side in zip(_cases([3, 4, 5, 6])[::2], sides, strict=True)]
    split = split_by_case(fields, SplitConfig(held_out=("case0",), every_nth=2))
    assert _names(split.training) == ["0-0", "1-0"]
    assert _names(split.validation) == ["2-0"]  # and the field for test is on neither side
    folded = [split_by_fold(fields, fold=fold, folds=3, seed=0) for fold in range(3)]
    assert sorted(name for one in folded for name in _names(one.validation)) == ["0-0", "1-0", "2-0"]


def test_the_same_pixels_on_both_sides_are_refused() -> None:
    one, other = _cases([3, 4])[::2]
    copy = Picture("copy", "s", "another case", one.rgb.copy(), other.figures)
    with pytest.raises(LeakError, match="the same pixels as"):
        Split((one, other), (copy,))
    sibling = Picture("sibling", "s", one.case, other.rgb, other.figures)
    with pytest.raises(LeakError, match="s/sibling: the same case as 's/0-0', which is for train"):
        Split((one,), (sibling,))


def test_halves_of_slides_train_and_choose_as_published(tmp_path: Path) -> None:
    slides = []
    for number, points in enumerate(([[30.0, 20.0]], [[30.0, 20.0], [60.0, 70.0], [60.0, 99.0]])):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (101, 80, 3), np.uint8)).save(path)
        whole = open_field(path, source="s", case=f"c{number}", domain="d", mpp=0.25, stated_mpp=0.25)
        slides.append(with_labels(whole, np.array(points), Labels.figures(points)))
    split = split_by_case(slides, SplitConfig(halves=True))
    assert [(one.width, one.height, one.figures.tolist()) for one in split.training] == [
        (80, 50, [[30.0, 20.0]]),
        (80, 50, [[30.0, 20.0]]),
    ]
    assert [(one.height, one.figures.tolist()) for one in split.validation] == [
        (51, []),
        (51, [[60.0, 20.0], [60.0, 49.0]]),
    ]
    box = BoxPx(0, 0, 80, 51)
    assert np.array_equal(split.validation[1].window(box), slides[1].window(BoxPx(0, 50, 80, 51)))
    with pytest.raises(LeakError):  # without that they are one case
        Split(split.training, split.validation)
    with pytest.raises(TrainingDataError, match=r"pictures are not parted.*halves=false"):
        split_by_case((*slides, *_cases([1])), SplitConfig(halves=True))
    with pytest.raises(ValueError, match="not both"):
        SplitConfig(halves=True, every_nth=5)


def _with_side(picture: Picture, side: Side | None) -> Field:
    class Sided(Picture):
        @property
        def side(self) -> Any:
            return side

    return Sided(picture.name, picture.source, picture.case, picture.rgb, picture.figures)


def test_more_folds_than_cases_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="2 cases for 3 folds"):
        split_by_fold(_cases([1, 2]), fold=0, folds=3, seed=0)
