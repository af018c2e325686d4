"""The stains of the training data, case by case."""

from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.train.stain import stain_range

pytestmark = pytest.mark.train


def _picture(case: str, density: float, side: int) -> Picture:
    light = (256 * 10.0 ** -np.array([density / 2, density, density / 2]) - 1).round().astype(np.uint8)
    return Picture("p", "s", case, np.broadcast_to(light, (side, side, 3)).copy())


def test_cases_give_the_range_and_crops_of_a_case_count_together() -> None:
    fields = [_picture("one", 0.3, 512), _picture("two", 0.5, 512), *[_picture("three", 0.4, 128)] * 20]
    found = stain_range(fields)
    assert found is not None
    assert found.cases == 3
    assert found.low[1] == pytest.approx(0.302, abs=0.005)
    assert found.high[1] == pytest.approx(0.498, abs=0.005)


def test_single_crops_say_nothing_of_a_stain() -> None:
    assert stain_range([_picture("one", 0.3, 128), _picture("tiny", 0.3, 20)]) is None
