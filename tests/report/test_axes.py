import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.report.axes import Axes, ticks
from mitoscope.report.plot import Line


def test_values_lie_upwards() -> None:
    axes = Axes(100, 50, 200, 100, (0, 10), (0, 1))
    assert axes.place(0, 0) == (100, 150)
    assert axes.place(10, 1) == (300, 50)
    assert axes.place(20, -1) == (300, 150)  # beyond the ends: on the frame


def test_legends_stand_in_a_row_if_they_fit() -> None:
    axes = Axes(0, 0, 300, 100)
    few = [
        shape for shape in axes.legend([("F1", "#000000"), ("recall", "#111111")]) if isinstance(shape, Line)
    ]
    assert few[0].points[0][1] == few[1].points[0][1] == 160
    long = [(30 * "m", "#000000"), (30 * "m", "#111111")]
    many = [shape for shape in axes.legend(long) if isinstance(shape, Line)]
    assert many[0].points[0][0] == many[1].points[0][0]
    assert many[0].points[0][1] < many[1].points[0][1]


def test_undefined_values_break_a_curve() -> None:
    axes = Axes(0, 0, 100, 100)
    lines = axes.line([0, 0.1, 0.2, 0.3, 0.4], [0, 0.5, math.nan, 0.5, 1], "#000000")
    assert [len(line.points) for line in lines if isinstance(line, Line)] == [2, 2]


@given(st.floats(-100, 100), st.floats(1e-3, 1e4))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    found = [value for value, _ in ticks(low, low + span)]
    assert 2 <= len(found) <= 8
    assert min(found) >= low - 1e-6 * span
    assert max(found) <= low + span * (1 + 1e-6)


@pytest.mark.parametrize(
    ("high", "labels"),
    [(1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]), (8.0, ["0", "2", "4", "6", "8"])],
)
def test_ticks_are_round(high: float, labels: list[str]) -> None:
    assert [label for _, label in ticks(0.0, high)] == labels
