from __future__ import annotations

import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.split import Split, split_by_case
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train


def test_named_cases_and_every_nth_are_held_out(pictures: tuple[Picture, ...]) -> None:
    split = split_by_case(pictures, held_out=["BreCaHAD/1"], every_nth_slide=2, every_nth_field=2)
    assert [p.name for p in split.validation] == ["c0", "c2", "whole", "f0"]
    assert [p.name for p in split.training] == ["c1", "c3", "f1"]


def test_a_case_on_both_sides_is_an_error_that_names_it(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="BreCaHAD/1: the case is on both sides"):
        Split(pictures, (pictures[4],))


def test_an_unknown_case_is_an_error(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="BreCaHAD/7: no such case"):
        split_by_case(pictures, held_out=["BreCaHAD/7"], every_nth_slide=0, every_nth_field=0)


def test_both_classes_are_needed(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="no mitotic figure"):
        Split(pictures[5:], ())
    with pytest.raises(TrainingDataError, match="no picture without mitotic figures"):
        Split(pictures[:4], ())
