"""The histogram of scores: no bar straddles the threshold, every candidate is in a bar."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mitoscope.figure import PALE, TISSUE, encode_figure
from mitoscope.report.plots import bin_edges, count_bins, draw_histogram

scores = st.lists(st.floats(0.0, 1.0), max_size=60)


def draw(score: NDArray[np.float64], threshold: float = 0.6) -> Figure:
    return draw_histogram(score, threshold=threshold, threshold_label=f"{threshold:.2f}")


def bars(figure: Figure) -> list[tuple[float, float, str]]:
    """Return upper edge, height and colour of each bar."""
    drawn = [bar for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    return [(bar.get_x() + bar.get_width(), bar.get_height(), to_hex(bar.get_facecolor())) for bar in drawn]


@given(scores, st.floats(0.0, 1.0))
def test_every_score_is_counted_on_its_side_of_the_threshold(score: list[float], threshold: float) -> None:
    values = np.array(score, dtype=np.float64)
    edges = bin_edges(min([*score, threshold]), threshold)
    n = count_bins(values, edges)
    assert n[edges[:-1] >= threshold].sum() == (values > threshold).sum()
    assert n.sum() == len(values)


def test_a_score_equal_to_the_threshold_is_not_above_it() -> None:
    ((end, n, colour),) = [bar for bar in bars(draw(np.array([0.5]), 0.5)) if bar[1]]
    assert (round(end, 9), n, colour) == (0.5, 1, PALE)


def test_bins_are_counted_from_the_threshold() -> None:
    edges = bin_edges(0.55, 0.61)
    assert edges[:4] == pytest.approx([0.55, 0.57, 0.59, 0.61])
    assert edges[-1] == 1.0
    assert count_bins(np.array([0.56, 0.57, 0.58, 0.62]), edges)[:4].tolist() == [2, 1, 0, 1]


def test_bars_show_all_scores_dark_above_the_threshold() -> None:
    values = np.linspace(0.1, 0.95, 90)
    figure = draw(values)
    drawn = bars(figure)
    assert sum(n for _, n, colour in drawn if colour == TISSUE) == (values > 0.6).sum()
    assert sum(n for _, n, colour in drawn if colour == PALE) == (values <= 0.6).sum()
    axes = figure.axes[0]
    assert axes.get_yscale() == "linear"
    assert axes.get_xlim() == pytest.approx((0.1, 1.0))
    assert axes.get_ylabel() == "candidates"
    assert axes.get_xlabel() == "score of the detector"


def test_a_flood_of_low_scores_asks_for_a_logarithmic_axis() -> None:
    figure = draw(np.array([0.05] * 5000 + [0.3, 0.5, 0.7, 0.8, 0.9]))
    said = list(ET.fromstring(encode_figure(figure, "svg")).itertext())
    assert "candidates (log scale)" in said
    assert {"0", "1", "10", "100", "1,000", "threshold 0.60"} <= set(said)


@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.5, 0.99, 1.0])
def test_the_label_of_the_threshold_stays_on_the_drawing(threshold: float) -> None:
    figure = draw(np.array([0.4, 0.6]), threshold)
    figure.canvas.draw()
    (label,) = figure.axes[0].texts
    box = label.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width


def test_no_score_is_an_empty_histogram() -> None:
    assert encode_figure(draw(np.empty(0)), "svg").startswith(b"<?xml")
