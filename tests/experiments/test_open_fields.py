"""Leaving one laboratory out of the openly licensed pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.experiments.experiment import Size
from mitoscope.experiments.shelf import find_experiments, recipes_folder
from mitoscope.experiments.trained.open_fields import laboratory_of, open_fields
from mitoscope.experiments.trained.slides import read_set
from mitoscope.experiments.trained.trained import Builder, Member
from tests.experiments.running import desk

pytestmark = [pytest.mark.realdata, pytest.mark.train]
LABORATORIES = {"midog21", "midogpp", "brecahad", "negative_fields"}


def test_the_laboratory_left_out_is_not_learnt_from_and_neither_is_a_tested_case(
    data: Path, tmp_path: Path
) -> None:
    (experiment,) = find_experiments(["midogpp-table6"], recipes_folder())
    own = experiment.at(Size.SMALL)  # type: ignore[attr-defined]
    sets = {name: read_set(name, one, data) for name, one in own.sets.items()}
    builder = Builder(own, desk(tmp_path, Size.SMALL, data=data), sets)
    tested = {slide.name for one in sets.values() for slide in one.slides(testing=True)}
    for arm in own.arms:
        fields, _ = builder.fields(arm, Member("", 0, None), mpp=0.25)
        assert {laboratory_of(field) for field in fields} == LABORATORIES - set(arm.without)
        assert not {field.name for field in fields} & tested
        assert "BreCaHAD/Case_10" not in {field.case for field in fields}
    assert {arm.without for arm in own.arms} == {(), *((one,) for one in LABORATORIES)}
    assert {laboratory_of(one) for one in open_fields(data, only=["brecahad"], without=(), tested=())} == {
        "brecahad"
    }
