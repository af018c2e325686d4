from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import RegionError, TrainingDataError
from mitoscope.evaluate.subsets import (
    CCMCT_FIELDS,
    ccmct_slides,
    field_area,
    in_area,
    in_upper_half,
    nested_subsets,
)
from mitoscope.geometry import Mpp, SizePx

MPP = Mpp.square(0.25)
SIZE = SizePx(60_000, 40_000)
# uid of the training slides of CCMCT (table of its slides)
TRAINING = (23, 34, 24, 26, 36, 28, 32, 25, 29, 22, 35, 15, 17, 8, 13, 12, 7, 14, 19, 21, 4)


def test_halves_of_a_slide() -> None:
    points = np.array([[0, 0], [5, 19_999.9], [5, 20_000], [5, 39_999]])
    assert in_upper_half(points, SIZE).tolist() == [True, True, False, False]


@pytest.mark.parametrize("fields", CCMCT_FIELDS)
def test_fields_have_their_area_and_hold_the_most(fields: int) -> None:
    generator = np.random.default_rng(fields)
    figures = np.concatenate(
        [generator.random((50, 2)) * [60_000, 40_000], generator.normal(20_000, 1000, (60, 2))]
    )
    area = field_area(figures, fields=fields, mpp=MPP, slide_size=SIZE)
    assert area.area_mm2(MPP) == pytest.approx(0.237 * fields, rel=1e-3)
    assert area.width / area.height == pytest.approx(4 / 3, rel=1e-3)
    inside = in_area(figures, area)
    assert inside.sum() > 40 if fields >= 10 else inside.any()
    elsewhere = field_area(figures, fields=fields, mpp=MPP, slide_size=SIZE, chosen_px0=(50_000, 35_000))
    assert in_area(figures, elsewhere).sum() <= inside.sum()


def test_ten_fields_are_those_of_the_papers() -> None:
    area = field_area([], fields=10, mpp=Mpp.square(0.2533), slide_size=SIZE)
    assert (area.width, area.height) == (7017, 5263)


def test_a_chosen_area_stays_on_the_slide() -> None:
    area = field_area([], fields=10, mpp=MPP, slide_size=SIZE, chosen_px0=(0.0, 39_000.0))
    assert (area.x, area.bottom) == (0.0, 40_000.0)
    with pytest.raises(RegionError, match="0 high-power fields"):
        field_area([], fields=0, mpp=MPP, slide_size=SIZE)


def test_published_subsets_of_slides_are_nested() -> None:
    few = {n: set(ccmct_slides(TRAINING, slides=n)) for n in (3, 6, 12, 21)}
    assert [len(subset) for subset in few.values()] == [3, 6, 12, 21]
    assert few[3] < few[6] < few[12] < few[21]
    assert few[3] == {34, 35, 21}
    with pytest.raises(TrainingDataError, match="no published subset of 5"):
        ccmct_slides(TRAINING, slides=5)
    with pytest.raises(TrainingDataError, match="not the training slides"):
        ccmct_slides(tuple(range(100, 121)), slides=3)


def test_drawn_subsets_are_nested() -> None:
    slides = [f"slide {n}" for n in range(10)]
    found = nested_subsets(slides, (2, 5, 10), seed=1)
    assert set(found[2]) < set(found[5]) < set(found[10])
    assert found[10] == tuple(slides)
    assert nested_subsets(slides[::-1], (2,), seed=1)[2] == found[2][::-1]
    with pytest.raises(TrainingDataError, match="a subset of 11 of 10"):
        nested_subsets(slides, (11,))
