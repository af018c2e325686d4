"""Findings: which candidate counts, and when the count is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mitoscope.detections import Detections
from mitoscope.errors import RegionError
from mitoscope.geometry import BoxPx0
from mitoscope.report import gather

from .runs import paint_slide, run_on, scatter

AREA = 0.008


def test_marks_agree_with_the_count(slide_file: Path) -> None:
    findings = gather(run_on(slide_file), area_mm2=AREA)
    assert findings.count == (findings.counted & findings.in_window).sum() == findings.hot_spot.count
    assert findings.n_figures == findings.hot_spot.figures
    assert findings.n_figures + int(findings.not_counted.sum()) == len(findings.candidates)
    assert not (findings.counted & findings.not_counted).any()
    assert (np.diff(findings.candidates.score) <= 0).all()


def test_look_alikes_and_what_lies_on_glass_are_not_counted(slide_file: Path) -> None:
    cells = Detections.concat(
        [
            Detections.of([[400, 300], [10, 10]], [0.9, 0.9]),
            Detections.of([[410, 300]], [0.95], label="look-alike"),
        ]
    )
    findings = gather(run_on(slide_file, cells), area_mm2=AREA)
    assert findings.count == 1
    assert findings.n_figures == 1
    assert int(findings.not_counted.sum()) == 0


def test_a_gap_in_the_hot_spot_refuses_the_count(slide_file: Path) -> None:
    run = run_on(slide_file)
    free = gather(run, area_mm2=AREA)
    assert free.window is not None
    gap = BoxPx0(free.window.right - 1.0, free.window.y, 64.0, 64.0)
    findings = gather(run_on(slide_file, gaps=(gap,)), area_mm2=AREA)
    assert findings.count is None
    assert "could not be examined" in findings.refusal
    elsewhere = gather(run_on(slide_file, gaps=(BoxPx0(0.0, 0.0, 64.0, 64.0),)), area_mm2=AREA)
    assert elsewhere.count == free.count


def test_a_region_of_interest_is_where_figures_are_counted(slide_file: Path) -> None:
    points = scatter(80)
    roi = (420.0, 250.0, 120.0, 90.0)
    inside = points.take(
        (points.x_px0 >= 420) & (points.x_px0 < 540) & (points.y_px0 >= 250) & (points.y_px0 < 340)
    )
    findings = gather(run_on(slide_file, inside, roi=roi), area_mm2=AREA)
    assert findings.region == BoxPx0(*roi)
    assert findings.count == findings.n_figures == len(inside.above(0.5))
    assert findings.hot_spot.covered_mm2 <= 120 * 90 * 0.25e-6 * 1.25
    assert not findings.hot_spot.fits


def test_without_tissue_there_is_no_hot_spot(tmp_path: Path) -> None:
    run = run_on(paint_slide(tmp_path / "glass.png", tissue=False), Detections.empty())
    findings = gather(run, area_mm2=AREA)
    assert findings.count == 0
    assert findings.window is None


def test_an_area_must_be_positive(slide_file: Path) -> None:
    with pytest.raises(RegionError, match="not positive"):
        gather(run_on(slide_file), area_mm2=0.0)


def test_candidates_are_sorted_whatever_the_order_of_the_run(slide_file: Path) -> None:
    run = run_on(slide_file)
    shuffled = replace(run, detections=run.detections.take(np.arange(len(run.detections))[::-1]))
    assert gather(run).candidates == gather(shuffled).candidates
