"""How sure a count is: expected number, intervals, density of the whole, grades, the bias of the hot spot."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.count import (
    MicroscopeField,
    MitoticCount,
    find_hot_spot,
    find_scheme,
    mitotic_count,
    true_figures,
)
from mitoscope.detections import Detections, Searched
from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.region import Region, SlideRegions
from mitoscope.tissue import TissueMask
from mitoscope.truth import SlideTruth, TrueCells

MPP = Mpp.square(0.25)
SLIDE = SizePx(40_000, 30_000)
"""10 × 7.5 mm."""
SEARCHED = Searched(MPP, SLIDE, threshold=0.5, calibrated=True)
RANDOM = np.random.default_rng(8)
POINTS = np.concatenate(
    [RANDOM.random((30, 2)) * 4000 + [20_000, 10_000], RANDOM.random((50, 2)) * [40_000, 30_000]]
)
SCORES = RANDOM.random(80)
CANINE = find_scheme("canine-mast-cell").rule()


def count(
    scores: Any = SCORES, points: Any = POINTS, searched: Searched = SEARCHED, **options: Any
) -> MitoticCount:
    return mitotic_count(Detections.of(points, scores, searched=searched), **options)


def test_the_expected_number_is_the_sum_over_all_candidates_of_the_window() -> None:
    found = count()
    inside = found.holds(POINTS)
    assert found.expected is not None
    assert found.expected.number == pytest.approx(SCORES[inside].sum())
    assert found.count == int((SCORES[inside] > 0.5).sum())
    joint, detector = found.expected.interval, found.expected.detector
    assert joint.low < detector.low < found.expected.number < detector.high < joint.high
    assert found.no_interval == ""
    assert found.whole is not None
    assert found.whole.expected is not None
    assert found.whole.expected.number == pytest.approx(SCORES.sum())


@given(st.integers(0, 40))
def test_certain_figures_are_expected_as_they_are_counted(n: int) -> None:
    found = count(np.ones(n), POINTS[:n], rule=CANINE, splits=0)
    assert found.expected is not None
    assert found.graded is not None
    assert found.graded.grades is not None
    assert found.expected.number == found.count
    assert (found.expected.detector.low, found.expected.detector.high) == (found.count, found.count)
    assert found.graded.grades[found.graded.band] == 1.0


@pytest.mark.parametrize(
    ("calibrated", "reason"),
    [(False, "not calibrated"), (None, "not stated that the scores are probabilities")],
)
def test_without_probabilities_there_is_a_reason_in_place_of_an_interval(
    calibrated: bool | None, reason: str
) -> None:
    found = count(searched=replace(SEARCHED, calibrated=calibrated), rule=CANINE)
    values = found.as_dict()
    assert (values["expected"], values["interval"], values["grades"]) == (None, None, None)
    assert reason in values["no_interval"]
    assert values["density"]["interval"] is None
    assert values["density"]["per_mm2"] == pytest.approx(found.figures / 75.0)
    assert values["scheme"]["band_of_count"] == CANINE.band_of(found.count).name
    assert reason in values["scheme"]["reason"]


def test_what_a_person_said_is_certain() -> None:
    verdicts = np.where(np.arange(80) < 30, 1, -1)
    found = count(verdicts=verdicts)
    assert found.expected is not None
    assert found.expected.number == found.holds(POINTS[:30]).sum()
    assert found.whole is not None
    assert found.whole.expected is not None
    assert found.whole.expected.number == 30


def test_other_classes_are_not_expected() -> None:
    labels = np.where(np.arange(80) % 2, LOOK_ALIKE.name, MITOTIC_FIGURE.name)
    mixed = replace(Detections.of(POINTS, SCORES, searched=SEARCHED), label=labels)
    found = mitotic_count(mixed).whole
    assert found is not None
    assert found.expected is not None
    assert found.expected.number == pytest.approx(SCORES[::2].sum())


@given(st.floats(0, 1), st.integers(0, 79))
def test_a_higher_score_raises_what_is_expected(score: float, row: int) -> None:
    window = BoxPx0(0, 0, 40_000, 30_000)
    higher = SCORES.copy()
    higher[row] = max(score, higher[row])
    low, high = (count(scores, window=window, rule=CANINE).expected for scores in (SCORES, higher))
    assert low is not None
    assert high is not None
    assert high.number >= low.number
    assert high.interval.high >= low.interval.high - 1e-9


@given(st.lists(st.floats(0, 1), max_size=60), st.sampled_from(["canine-mast-cell", "lung-net", "gep-net"]))
def test_grades_sum_to_one_for_the_window_and_for_a_second_one(scores: list[float], name: str) -> None:
    found = count(scores, POINTS[: len(scores)], rule=find_scheme(name).rule(), splits=0).graded
    assert found is not None
    assert found.grades is not None
    assert found.repeated is not None
    for shares in (found.grades, found.repeated):
        assert sum(shares.values()) == pytest.approx(1.0)
        assert min(shares.values()) >= -1e-12
    assert list(found.grades) == [band.name for band in found.rule.bands]


def test_the_rule_decides_the_area_and_no_other_is_taken_beside_it() -> None:
    rule = find_scheme("breast-cap").rule(MicroscopeField(0.59))
    assert count(rule=rule).requested_mm2 == pytest.approx(2.734, abs=1e-3)
    with pytest.raises(ConfigError, match=r"counts over 2\.73 mm², not over 2"):
        count(rule=rule, area_mm2=2.0)


def test_a_window_that_is_too_small_for_the_scheme_is_not_graded() -> None:
    small = replace(SEARCHED, size=SizePx(8000, 6000))
    found = count(
        SCORES[:30], POINTS[:30] - [20_000, 10_000], small, rule=find_scheme("gep-net").rule()
    ).as_dict()
    assert found["grades"] is None
    assert found["scheme"]["band_of_count"] is None
    assert found["scheme"]["reason"] == "the window holds 3.00 of 10.00 mm²"
    assert found["expected"] > 0


def tissue(columns: int) -> TissueMask:
    """Tissue in the leftmost of 40 columns, 250 µm wide each."""
    mask = np.zeros((30, 40), np.bool_)
    mask[:, :columns] = True
    return TissueMask(mask, (1000.0, 1000.0), MPP, SLIDE)


def test_the_density_of_the_whole_is_that_of_searched_tissue_in_the_tumour_without_gaps() -> None:
    tumour = SlideRegions(tumour=Region.of_box(BoxPx0(0, 0, 40_000, 20_000), "tumour"))
    below = SlideRegions(exclusion=Region.of_box(BoxPx0(0, 20_000, 40_000, 10_000), "fold"))
    named = SlideRegions(tumour=Region.of_box(BoxPx0(0, 0, 40_000, 20_000), "area 3"))
    gap = BoxPx0(0, 0, 4000, 30_000)
    for options, area, within in (
        ({}, 75.0, "slide"),
        ({"tissue": tissue(20)}, 37.5, "tissue"),
        ({"regions": tumour}, 50.0, "tumour"),
        ({"regions": tumour, "tissue": tissue(20)}, 25.0, "tumour tissue"),
        ({"regions": named, "tissue": tissue(20)}, 25.0, "area 3 tissue"),
        ({"regions": below}, 50.0, "area without exclusions"),
        ({"regions": below, "tissue": tissue(20)}, 25.0, "tissue without exclusions"),
        ({"tissue": tissue(30), "gaps": [gap]}, 48.75, "tissue"),
        ({"regions": tumour, "tissue": tissue(30), "gaps": [gap]}, 32.5, "tumour tissue"),
        ({"gaps": [gap, gap]}, 67.5, "slide"),
    ):
        found = count(window=BoxPx0(15_000, 10_000, 7110, 5333), **options)
        assert found.whole is not None
        assert found.whole.area_mm2 == pytest.approx(area), options
        assert found.whole.within == within
        assert found.whole.figures == found.figures
        assert found.whole.per_mm2 == pytest.approx(found.figures / area)
        ends = found.whole.interval
        assert ends is not None
        assert ends.low < (found.whole.expected_per_mm2 or 0) < ends.high


def test_of_a_slide_of_unknown_size_there_is_no_density() -> None:
    found = count(searched=replace(SEARCHED, size=None)).whole
    assert found is not None
    assert (found.area_mm2, found.per_mm2, found.interval) == (None, None, None)


def test_labels_of_people_are_certain_and_vary_by_chance_alone() -> None:
    cells = TrueCells.of(POINTS[:7], [MITOTIC_FIGURE.name] * 7)
    found = mitotic_count(true_figures(SlideTruth("a", cells, mpp=MPP, size=SLIDE)))
    assert found.expected is not None
    assert found.expected.number == found.count
    assert found.expected.interval.high > found.count


def test_the_correction_is_the_same_for_any_order_of_the_figures() -> None:
    scores = np.ones(80)
    plain = count(scores)
    order = np.random.default_rng(3).permutation(80)
    assert plain.corrected == count(scores, POINTS[order]).corrected
    assert plain.corrected == count(scores).corrected
    assert plain.corrected is not None
    assert plain.corrected <= plain.count


def test_where_nothing_was_chosen_nothing_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(window=BoxPx0(0, 0, 7110, 5333)).corrected is None
    assert count(splits=0).corrected is None
    small = replace(SEARCHED, size=SizePx(4000, 3000))
    whole = count(np.ones(30), POINTS[:30] - [20_000, 10_000], small)
    assert whole.count == whole.corrected  # the slide is the only window
    monkeypatch.setattr(sys.modules["mitoscope.count.mitotic_count"], "CORRECTED_MOST", 3)
    many = count()
    assert many.corrected is None
    assert "With over 3 figures the count is not corrected." in many.note


def test_without_a_true_hot_spot_the_correction_takes_the_bias_away() -> None:
    """Of 25 slides of one density: 2.37 mm² hold 4.7 figures, the fullest window twice as many."""
    random, counts = np.random.default_rng(12), []
    truth = 7110 * 5333 * MPP.pixel_area_mm2 * 2.0
    for _ in range(25):
        points = random.random((random.poisson(2.0 * 75), 2)) * [40_000, 30_000]
        found = count(np.ones(len(points)), points)
        counts.append((found.count, found.corrected))
    plain, corrected = np.array(counts, dtype=float).mean(axis=0)
    assert plain > 1.9 * truth
    assert corrected == pytest.approx(truth, abs=1.5)


def test_control_counting_in_the_window_that_was_chosen_by_all_keeps_the_bias() -> None:
    """Half of the figures counted twice, in the window that all of them chose: as biased as before."""
    random, counts = np.random.default_rng(12), []
    window, truth = SizePx(7110, 5333), 7110 * 5333 * MPP.pixel_area_mm2 * 2.0
    for _ in range(25):
        points = random.random((random.poisson(2.0 * 75), 2)) * [40_000, 30_000]
        box = find_hot_spot(points, window=window, slide_size=SLIDE).box_px0
        half = points[random.random(len(points)) < 0.5]
        inside = (half >= [box.x, box.y]) & (half < [box.right, box.bottom])
        counts.append(2 * inside.all(axis=1).sum())
    assert np.mean(counts) > 1.8 * truth
