"""The histogram of scores: no bar straddles the threshold, every candidate is in a bar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.report.histogram import bin_edges, count_bins, draw_histogram

scores = st.lists(st.floats(0.0, 1.0), max_size=60)


@given(scores, st.floats(0.0, 1.0))
def test_every_score_is_counted_on_its_side_of_the_threshold(score: list[float], threshold: float) -> None:
    values = np.array(score, dtype=np.float64)
    bars = draw_histogram(values, threshold=threshold).bars
    assert sum(bar.n for bar in bars if bar.above) == int((values > threshold).sum())
    assert sum(bar.n for bar in bars) == len(values)


def test_a_score_equal_to_the_threshold_is_not_above_it() -> None:
    (bar,) = draw_histogram(np.array([0.5]), threshold=0.5).bars
    assert not bar.above
    assert bar.high == pytest.approx(0.5)


def test_bins_are_counted_from_the_threshold() -> None:
    edges = bin_edges(0.55, 0.61)
    assert edges[:4] == pytest.approx([0.55, 0.57, 0.59, 0.61])
    assert edges[-1] == 1.0
    assert count_bins(np.array([0.56, 0.57, 0.58, 0.62]), edges)[:4].tolist() == [2, 1, 0, 1]


def test_bars_stand_on_the_axis_within_the_drawing() -> None:
    plot = draw_histogram(np.linspace(0.1, 0.95, 90), threshold=0.6, width=500, height=100)
    assert not plot.logarithmic
    assert max(bar.height for bar in plot.bars) == pytest.approx(100)
    assert all(bar.y + bar.height == pytest.approx(100) for bar in plot.bars)
    assert all(bar.x >= 0 and bar.x + bar.width <= 500 + 1e-9 for bar in plot.bars)
    assert plot.threshold_anchor == "middle"
    assert plot.x_ticks[0].label == "0.1"
    assert plot.x_ticks[-1].label == "1.0"


def test_a_flood_of_low_scores_asks_for_a_logarithmic_axis() -> None:
    plot = draw_histogram(np.array([0.05] * 5000 + [0.3, 0.5, 0.7, 0.8, 0.9]), threshold=0.6)
    assert plot.logarithmic
    assert [tick.label for tick in plot.y_ticks] == ["0", "1", "10", "100", "1,000"]
    assert min(bar.height for bar in plot.bars) > 0.05 * plot.height


@pytest.mark.parametrize(
    ("highest", "labels"), [(1, ["0", "1"]), (7, ["0", "1", "2", "3", "4", "5", "6", "7"])]
)
def test_ticks_of_a_small_count_are_whole(highest: int, labels: list[str]) -> None:
    plot = draw_histogram(np.full(highest, 0.7), threshold=0.6)
    assert [tick.label for tick in plot.y_ticks] == labels


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_threshold_at_either_end(threshold: float) -> None:
    plot = draw_histogram(np.array([0.2, 0.9]), threshold=threshold)
    assert sum(bar.n for bar in plot.bars) == 2
    assert plot.threshold_anchor == ("start" if threshold == 0 else "end")
