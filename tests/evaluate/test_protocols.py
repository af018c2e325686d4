from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.errors import ConfigError, FormatError, NonFiniteError
from mitoscope.evaluate import PROTOCOLS, find_protocol, iou_protocol
from mitoscope.geometry import Mpp
from mitoscope.statistics import Score
from tests.evaluate.references import REFERENCES, tupac_pairs

TUPAC = PROTOCOLS["tupac"]
CMC = PROTOCOLS["cmc"]
NAMES = [*PROTOCOLS, "iou@0.5"]
# Few places and steps of 5 px: many ties, chains and distances of exactly a radius (15, 20, 25; 18, 24, 30).
POINTS = st.lists(st.tuples(st.integers(0, 18), st.integers(0, 18)), max_size=6).map(
    lambda cells: [(5.0 * x, 5.0 * y) for x, y in cells]
)
SCORES = st.sampled_from([0.2, 0.5, 0.9])
Points = list[tuple[float, float]]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(points=POINTS, truth=POINTS, data=st.data())
def test_equals_the_rule_followed_word_for_word(
    name: str, points: Points, truth: Points, data: st.DataObject
) -> None:
    truth = truth[:5] if name == "mitoscope" else truth
    scores = [data.draw(SCORES) for _ in points]
    matching = find_protocol(name).match(points, scores, truth)
    assert matching.score == Score(*REFERENCES[name](points, scores, truth))
    assert matching.truth_of.shape == (len(points),)
    assert matching.detection_of.shape == (len(truth),)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(points=POINTS, truth=POINTS, data=st.data())
def test_the_sweep_is_the_match_at_every_threshold(
    name: str, points: Points, truth: Points, data: st.DataObject
) -> None:
    scores = np.array([data.draw(SCORES) for _ in points])
    found = np.array(points).reshape(-1, 2)
    protocol = find_protocol(name)
    steps = protocol.sweep(found, scores, truth).steps
    thresholds = np.array([0.0, 0.2, 0.35, 0.5, 0.7, 0.9, 1.0])
    table = steps.at_many(thresholds)
    for place, threshold in enumerate(thresholds.tolist()):
        above = scores > threshold
        expected = protocol.match(found[above], scores[above], truth).score
        assert steps.at(threshold) == expected
        assert Score(*table[place].tolist()) == expected


@settings(max_examples=60)
@given(points=POINTS, truth=POINTS, data=st.data())
def test_tupac_pairs_are_those_of_the_rule(points: Points, truth: Points, data: st.DataObject) -> None:
    scores = [data.draw(SCORES) for _ in points]
    matching = TUPAC.match(points, scores, truth)
    pairs = {(points[n], truth[m]) for n, m in enumerate(matching.truth_of.tolist()) if m >= 0}
    assert pairs == {(points[n], truth[m]) for n, m in tupac_pairs(points, scores, truth)}
    assert all(matching.truth_of[n] == m for m, n in enumerate(matching.detection_of.tolist()) if n >= 0)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(points=POINTS, truth=POINTS, seed=st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(name: str, points: Points, truth: Points, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.choice([0.3, 0.6], len(points))
    rows, columns = generator.permutation(len(points)), generator.permutation(len(truth))
    detected, figures = np.array(points).reshape(-1, 2), np.array(truth).reshape(-1, 2)
    if name == "midog":  # in its rule the order of the truth counts, and nearest ties are settled by row
        rows, columns = np.arange(len(points)), np.arange(len(truth))
    protocol = find_protocol(name)
    before = protocol.match(detected, scores, figures).score
    assert protocol.match(detected[rows], scores[rows], figures[columns]).score == before


def test_midog_depends_on_the_order_of_the_truth() -> None:
    points, scores, truth = [[0, 0], [40, 0]], [0.5, 0.5], [[20, 0], [-10, 0]]
    # In this order the first figure takes (0, 0), and the second has nothing left within reach.
    midog = PROTOCOLS["midog"]
    assert midog.match(points, scores, [[19, 0], [-10, 0]]).score == Score(1, 1, 1)
    assert midog.match(points, scores, [[-10, 0], [19, 0]]).score == Score(2, 0, 0)
    assert PROTOCOLS["mitoscope"].match(points, scores, truth).score == Score(2, 0, 0)


def test_midog_scores_change_nothing() -> None:
    points, truth = [[0, 0], [8, 0]], [[3, 0]]
    first = PROTOCOLS["midog"].match(points, [0.1, 0.9], truth)
    assert first.truth_of.tolist() == [0, -1]


def test_cmc_balls_chain() -> None:
    # The second figure is 45 px from the detection, but shares the ball of the first.
    assert CMC.match([[0, 0]], [0.9], [[22, 0], [45, 0]]).score == Score(tp=2)
    assert CMC.match([[0, 0]], [0.9], [[22, 0], [48, 0]]).score == Score(tp=1, fn=1)


def test_cmc_thins_before_it_matches() -> None:
    matching = CMC.match([[0, 0], [25, 0], [51, 0]], [0.9, 0.8, 0.7], [[0, 0]])
    assert matching.truth_of.tolist() == [0, -2, -1]
    assert matching.judged.tolist() == [True, False, True]
    # A detection that is taken out takes none out itself.
    assert CMC.match([[0, 0], [20, 0], [40, 0]], [0.9, 0.8, 0.7], []).score == Score(fp=2)


def test_cmc_counts_pixels_at_any_resolution() -> None:
    for mpp in (None, Mpp.square(0.25), Mpp.square(1.0)):
        assert CMC.match([[0, 0]], [1.0], [[15, 20]], mpp=mpp).score == Score(tp=1)
        assert CMC.match([[0, 0]], [1.0], [[15, 20.01]], mpp=mpp).score == Score(fp=1, fn=1)


def test_several_detections_of_one_figure() -> None:
    points, scores, truth = [[0, 0], [28, 0]], [0.9, 0.8], [[14, 0]]
    expected = {
        "mitoscope": Score(1, 1, 0),
        "midog": Score(1, 1, 0),
        "tupac": Score(1, 1, 0),
        "mitos2012": Score(1, 1, 0),
        "iou@0.5": Score(1, 1, 0),
        "cmc": Score(1, 0, 0),
        "amida": Score(1, 0, 0),
    }
    found = {name: find_protocol(name).match(points, scores, truth).score for name in NAMES}
    assert found == expected


def test_the_default_takes_what_a_greedy_rule_leaves() -> None:
    points, scores, truth = [[0, 0], [-35, 0]], [0.9, 0.8], [[-10, 0], [20, 0]]
    assert TUPAC.match(points, scores, truth).score == Score(1, 1, 1)
    assert PROTOCOLS["mitoscope"].match(points, scores, truth).score == Score(2, 0, 0)


@pytest.mark.parametrize(
    ("name", "radius"), [("tupac", 30), ("midog", 30), ("mitoscope", 30), ("amida", 30), ("mitos2012", 20)]
)
def test_the_radius_is_inclusive(name: str, radius: float) -> None:
    protocol = find_protocol(name)
    edge = [0.6 * radius, 0.8 * radius]
    assert math.hypot(*edge) == radius
    assert protocol.match([[0, 0]], [1.0], [edge]).score == Score(tp=1)
    assert protocol.match([[0, 0]], [1.0], [[edge[0], edge[1] + 0.001]]).score == Score(fp=1, fn=1)


def many_to_many(points: NDArray[np.float64], truth: NDArray[np.float64]) -> int:
    """Count figures with any detection near: the lenient rule that hides double detections."""
    distance = np.hypot(*(points[:, None] - truth[None]).transpose(2, 0, 1))
    return int((distance <= 30).any(axis=0).sum())


def test_a_second_detection_of_one_figure_is_false() -> None:
    points = np.array([[0.0, 0.0], [3.0, 0.0]])
    assert TUPAC.match(points, [0.9, 0.8], [[1.0, 0.0]]).score == Score(tp=1, fp=1)
    assert many_to_many(points, np.array([[1.0, 0.0]])) == 1  # control: no false positive is seen


def test_the_higher_score_chooses_first() -> None:
    matching = TUPAC.match([[0, 0], [20, 0]], [0.5, 0.9], [[10, 0], [45, 0]])
    # The second takes (10, 0), the closest to it; the first then finds nothing within 30 px.
    assert matching.truth_of.tolist() == [-1, 0]


def test_the_radius_follows_the_resolution() -> None:
    points, truth = [[0.0, 0.0]], [[20.0, 0.0]]
    assert TUPAC.match(points, [1.0], truth, mpp=Mpp.square(0.25)).score == Score(tp=1)
    assert TUPAC.match(points, [1.0], truth, mpp=Mpp.square(0.5)).score == Score(fp=1, fn=1)
    assert TUPAC.match([[0, 0]], [1.0], [[0, 30]], mpp=Mpp(0.25, 0.26)).score == Score(fp=1, fn=1)


def test_the_unit_is_stated() -> None:
    assert TUPAC.say_radius(Mpp.square(0.5)) == "7.5 µm"
    assert TUPAC.say_radius() == "30 px, no resolution given (7.5 µm at 0.25 µm/px)"
    assert CMC.say_radius(Mpp.square(0.5)) == "25 px at any resolution, as published"


def test_an_overlap_of_one_half_is_a_shift_by_7_5_um() -> None:
    half = iou_protocol(0.5)
    mpp = Mpp.square(0.25)
    assert half.match([[0, 0]], [1.0], [[30, 0]], mpp=mpp).score == Score(tp=1)
    assert half.match([[0, 0]], [1.0], [[30.1, 0]], mpp=mpp).score == Score(fp=1, fn=1)
    published = iou_protocol(0.5, side_px=50.0)  # the boxes of the SlideRunner databases
    assert published.match([[0, 0]], [1.0], [[16.6, 0]]).score == Score(tp=1)
    assert published.match([[0, 0]], [1.0], [[16.7, 0]]).score == Score(fp=1, fn=1)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_on_either_side(name: str) -> None:
    protocol = find_protocol(name)
    assert protocol.match([], [], []).score == Score()
    assert protocol.match([], [], [[1, 2]]).score == Score(fn=1)
    assert protocol.match([[1, 2]], [0.5], []).score == Score(fp=1)
    assert protocol.sweep([], [], [[1, 2]]).steps.at(0.0) == Score(fn=1)


@pytest.mark.parametrize("name", NAMES)
def test_each_protocol_says_what_and_whence(name: str) -> None:
    protocol = find_protocol(name.upper())
    assert protocol.name == name
    assert len(protocol.source) > 20
    assert "px" in protocol.summary


def test_the_documents_name_every_protocol(project: Path) -> None:
    text = (project / "docs" / "evaluation.md").read_text(encoding="utf-8")
    commands = (project / "docs" / "commands.md").read_text(encoding="utf-8")
    for name, protocol in PROTOCOLS.items():
        assert re.search(rf"--protocol <str> .*\b{name}\b", commands)
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        assert f"{protocol.radius_px:g} px" in row
        assert protocol.radius_um is None or f"{protocol.radius_um:g} µm" in row


def test_bad_input_is_refused() -> None:
    with pytest.raises(FormatError, match="1 detections with 2 scores"):
        TUPAC.match([[0, 0]], [1, 1], [])
    with pytest.raises(NonFiniteError, match="coordinates of the truth"):
        TUPAC.match([[0, 0]], [1], [[float("nan"), 0]])
    with pytest.raises(NonFiniteError, match="scores"):
        TUPAC.match([[0, 0]], [float("nan")], [])
    with pytest.raises(FormatError, match="got \\(1, 4\\); give the centres of the boxes"):
        TUPAC.match([[0, 0, 50, 50]], [1], [])
    with pytest.raises(FormatError, match="for the truth, got \\(2,\\); one row per point"):
        TUPAC.match([[0, 0]], [1], [3, 4])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("midogg", "no protocol 'midogg'; choose one of: mitoscope, midog, cmc, tupac"),
        ("iou@half", "no overlap in 'iou@half'; write e.g. iou@0.5"),
        ("iou@0", r"an overlap of 0 is not in \(0, 1\]"),
        ("iou@nan", "an overlap of nan"),
    ],
)
def test_unknown_protocols_are_refused(name: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        find_protocol(name)
