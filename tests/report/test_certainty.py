"""The report says how sure its count is, with the numbers of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mitoscope.count import find_scheme
from mitoscope.infer import SlideRun
from mitoscope.report import gather
from mitoscope.report.certainty import write_certainty, write_density, write_grading
from mitoscope.report.outputs import render_report
from mitoscope.report.page import Grading
from mitoscope.statistics import Interval
from mitoscope.wording import say_expected, say_range, say_share

from .reading import Reader
from .runs import MANIFEST, bundle_of, paint_slide, run_on, scatter

AREA = 0.008
LUNG = find_scheme("lung-net").rule()


@pytest.fixture(scope="module")
def calibrated(slide_file: Path) -> SlideRun:
    scores = {"calibration": {"slope": 1.0, "intercept": 0.0, "fitted_on": "fields"}}
    return replace(run_on(slide_file), bundle=bundle_of(MANIFEST | scores))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> SlideRun:
    """Return a run over a slide whose tissue holds 2 mm²."""
    size = (6400, 4800)
    path = paint_slide(tmp_path_factory.mktemp("slides") / "large.png", size=size)
    scores = {"calibration": {"slope": 1.0, "intercept": 0.0, "fitted_on": "fields"}}
    return replace(run_on(path, scatter(20, size=size)), bundle=bundle_of(MANIFEST | scores))


def test_expected_number_interval_correction_and_density_stand_beside_the_count(calibrated: SlideRun) -> None:
    findings = gather(calibrated, area_mm2=AREA)
    spot, text = findings.hot_spot, Reader(render_report(findings)).text
    assert spot.expected is not None
    assert spot.whole is not None
    assert spot.expected.number == pytest.approx(findings.candidates.score[findings.in_window].sum())
    assert f"Expected there {spot.expected.number:.1f} 95 %: {say_range(spot.expected.interval)}" in text
    assert f"Corrected {spot.corrected:.1f} without what choosing the window adds" in text
    assert f"Expected in total {spot.whole.expected_per_mm2:.3g} per mm²" in text
    assert "Figures that were never proposed are not covered" in text


def test_without_calibration_the_reason_stands_in_its_place(slide_file: Path) -> None:
    findings = gather(run_on(slide_file), area_mm2=AREA)
    text = Reader(render_report(findings)).text
    assert "Expected there not stated The scores are not calibrated, so they are no probabilities." in text
    assert write_density(findings) == ()


def test_a_refused_count_has_no_certainty(calibrated: SlideRun) -> None:
    run = replace(calibrated, gaps=(gather(calibrated, area_mm2=AREA).hot_spot.box_px0,))
    findings = gather(run, area_mm2=AREA, rule=None)
    assert findings.count is None
    assert (write_certainty(findings), write_density(findings), write_grading(findings)) == ((), (), None)


def test_a_scheme_shows_its_bands_their_probabilities_and_its_source(large: SlideRun) -> None:
    findings = gather(large, rule=LUNG)
    graded = findings.hot_spot.graded
    assert graded is not None
    assert graded.grades is not None
    shown = write_grading(findings)
    assert isinstance(shown, Grading)
    assert [row.counts for row in shown.rows] == ["0–1", "2–10", "≥ 11"]
    assert [row.here for row in shown.rows] == [row.name == graded.band for row in shown.rows]
    assert [row.in_window for row in shown.rows] == [say_share(share) for share in graded.grades.values()]
    text = Reader(render_report(findings)).text
    assert "An aid, not a grade. Source: Travis et al." in text
    assert "Here: probability that the figures in this window lie in the band." in text


def test_a_window_too_small_for_the_scheme_says_so(calibrated: SlideRun) -> None:
    shown = write_grading(gather(calibrated, rule=LUNG))
    assert shown is not None
    assert not shown.has_shares
    assert not any(row.here for row in shown.rows)
    assert "The window holds" in shown.about


def test_numbers_that_need_not_be_whole() -> None:
    assert [say_expected(number) for number in (0.0, 0.04, 12.36, 1234.5)] == ["0.0", "0.0", "12.4", "1,234"]
    assert say_range(Interval(8.0, 16.0)) == "8 to 16"
    assert say_range(Interval(5.94, 16.0)) == "5.9 to 16.0"
    shares = [say_share(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0.0, 0.001, 0.36, 0.999, 1.0)]
    assert shares == ["0 %", "< 1 %", "36 %", "> 99 %", "100 %"]
