"""Scale bars are round and fit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.report.scale_bar import ScaleBar, fit_scale_bar


@given(st.floats(1.0, 1e6), st.sampled_from([0.2, 0.25, 0.5]))
def test_bar_is_the_longest_round_length_that_fits(width_um: float, share: float) -> None:
    length = fit_scale_bar(width_um, share=share).length_um
    leading = length / 10 ** math.floor(math.log10(length) + 1e-9)
    assert min(abs(leading - step) for step in (1, 2, 5)) < 1e-6
    assert length <= width_um * share * (1 + 1e-6)
    assert length * 2.5 > width_um * share * (1 - 1e-6)


@pytest.mark.parametrize(
    ("length_um", "label", "label_mm"),
    [
        (50.0, "50 µm", "0.05 mm"),
        (500.0, "500 µm", "0.5 mm"),
        (1000.0, "1 mm", "1 mm"),
        (5000.0, "5 mm", "5 mm"),
    ],
)
def test_label_names_the_unit(length_um: float, label: str, label_mm: str) -> None:
    assert ScaleBar(length_um).label == label
    assert ScaleBar(length_um).label_mm == label_mm
