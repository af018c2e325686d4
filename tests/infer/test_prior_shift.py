"""Scores are corrected for the share of figures on the slide, where the bundle states its own."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, FigureShare, ScoreCalibration
from mitoscope.bundle.write import revise
from mitoscope.infer import DetectConfig, Networks, SlideRun, detect_slide
from mitoscope.slide import open_slide
from mitoscope.statistics import estimate_shift

CONFIG = DetectConfig(mpp=0.25, threads=1)
LINE = ScoreCalibration(slope=1.3, intercept=-0.5, fitted_on="fields of somebody")
FIGURES = FigureShare(share=0.1, candidates=400, images=20)


@pytest.fixture(autouse=True)
def _no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are the tests' own; a process to probe each would take most of the time."""
    monkeypatch.setattr("mitoscope.infer.detect.open_slide", functools.partial(open_slide, probe=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prior")


def _calibrated(bundle: Bundle, folder: Path, name: str, **shares: FigureShare) -> Bundle:
    return revise(bundle, folder / name, {"calibration": LINE.model_copy(update=shares)})


@pytest.fixture(scope="module")
def calibrated(cascade_bundle: Bundle, folder: Path) -> Bundle:
    return _calibrated(cascade_bundle, folder, "calibrated", figures=FIGURES)


def _detect(field: Path, bundle: Bundle, out: Path, **changes: object) -> SlideRun:
    return detect_slide(field, bundle, out, config=CONFIG.model_copy(update=changes))


def _refuse(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError("a network is asked for what is recorded")


def test_scores_are_those_of_the_slides_own_share(
    field: Path, calibrated: Bundle, cascade_bundle: Bundle, tmp_path: Path
) -> None:
    run = _detect(field, calibrated, tmp_path / "on")
    off = _detect(field, calibrated, tmp_path / "off", prior_shift=False)
    raw = _detect(field, cascade_bundle, tmp_path / "raw")
    line = calibrated.manifest.calibration
    assert line is not None
    assert run.correction is not None
    assert (off.correction, raw.correction) == (None, None)
    # Off is exactly what the line gives; on is that, moved as the candidates of the slide say.
    assert off.detections.score.tolist() == np.round(line(raw.detections.score), 6).tolist()
    expected = estimate_shift(off.detections.score, calibrated=0.1, calibrated_on=400)
    assert run.correction.shift == expected
    assert abs(expected.log_odds) > 0.3, "nothing to correct"
    assert run.detections.points_px0.tolist() == off.detections.points_px0.tolist()
    assert run.detections.score.tolist() == np.round(expected(off.detections.score), 6).tolist()
    assert run.correction.before.tolist() == off.detections.score.tolist()
    assert run.threshold == off.threshold
    assert run.scores_are_probabilities


def test_a_correction_is_no_part_of_the_search(field: Path, calibrated: Bundle, tmp_path: Path) -> None:
    off = _detect(field, calibrated, tmp_path, prior_shift=False)
    networks = Networks(_refuse, _refuse)
    on = detect_slide(field, calibrated, tmp_path, config=CONFIG, networks=networks)
    back = detect_slide(
        field,
        calibrated,
        tmp_path,
        config=CONFIG.model_copy(update={"prior_shift": False}),
        networks=networks,
    )
    assert on.detections != off.detections
    assert back.detections == off.detections


def test_nothing_is_corrected_that_is_no_probability_or_of_no_stated_share(
    field: Path, cascade_bundle: Bundle, calibrated: Bundle, folder: Path, tmp_path: Path
) -> None:
    without = _calibrated(cascade_bundle, folder, "without")
    assert _detect(field, without, tmp_path / "without").correction is None
    first = _detect(field, calibrated, tmp_path / "calibrated", stage="proposals")
    plain = _detect(field, cascade_bundle, tmp_path / "plain", stage="proposals")
    assert first.correction is None
    assert first.detections.score.tolist() == plain.detections.score.tolist()


def test_of_a_region_its_own_candidates_count(field: Path, calibrated: Bundle, tmp_path: Path) -> None:
    roi = (40.0, 40.0, 120.0, 120.0)
    part = _detect(field, calibrated, tmp_path / "part", roi=roi)
    whole = _detect(field, calibrated, tmp_path / "whole")
    assert part.correction is not None
    assert whole.correction is not None
    assert 0 < part.correction.shift.candidates == len(part.detections) < len(whole.detections)
    assert abs(part.correction.shift.log_odds) < abs(whole.correction.shift.log_odds)


def test_a_single_stage_has_its_floor_moved_along(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    bundle = _calibrated(tiny_bundle, tmp_path, "single", figures=FIGURES)
    on, off = (_detect(field, bundle, tmp_path / str(each), prior_shift=each) for each in (True, False))
    assert on.correction is not None
    assert off.floor == bundle.manifest.proposal_floor
    assert on.floor == pytest.approx(float(on.correction.shift(off.floor)))
    assert on.detections.score.min() >= round(on.floor, 6)
    # The threshold is compared with scores as they are given out.
    between = (on.floor + off.floor) / 2
    told = {each: _detect(field, bundle, tmp_path / str(each), prior_shift=each, threshold=between).notes
            for each in (True, False)}  # fmt: skip
    assert on.floor != pytest.approx(off.floor)
    assert any("below the bundle's floor" in note for note in told[on.floor > off.floor])
    assert not any("below the bundle's floor" in note for note in told[on.floor < off.floor])


def test_a_slide_without_candidates_has_the_share_that_is_expected(
    field: Path, cascade_bundle: Bundle, folder: Path, tmp_path: Path
) -> None:
    laboratory = FigureShare(share=0.03, candidates=900, images=30)
    bundle = _calibrated(cascade_bundle, folder, "laboratory", figures=FIGURES, laboratory=laboratory)
    empty = _detect(field, bundle, tmp_path, roi=(0.0, 0.0, 2.0, 2.0))
    assert len(empty.detections) == 0
    assert empty.correction is not None
    assert empty.correction.shift.estimated == pytest.approx(0.03)
    assert (empty.correction.shift.alone, empty.correction.shift.candidates) == (None, 0)
