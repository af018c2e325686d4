"""Runs of two stages: the second one's scores, its place in the ledger, and what stops it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.bundle import Bundle, write_bundle
from mitoscope.errors import (
    BundleError,
    ConfigError,
    LedgerMismatchError,
    NonFiniteError,
    OutOfMemoryError,
    RunError,
    StoppedError,
)
from mitoscope.infer import DetectConfig, Networks, SlideRun, detect_slide, detect_slides, open_networks
from mitoscope.infer.engine import Network
from mitoscope.infer.verify import plan_parts
from mitoscope.slide import open_slide

from .conftest import write_cascade

CONFIG = DetectConfig(mpp=0.25, chunk_px=110, threads=1)
GAINS = (1.0, 0.5)


@pytest.fixture(autouse=True)
def _no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are the tests' own; a process to probe each would take most of the time."""
    monkeypatch.setattr("mitoscope.infer.detect.open_slide", functools.partial(open_slide, probe=False))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.infer.verify.PART", 7)


def _detect(
    path: Path, bundle: Bundle, out: Path, *, networks: Networks | None = None, **changes: object
) -> SlideRun:
    return detect_slide(path, bundle, out, config=CONFIG.model_copy(update=changes), networks=networks)


def _reference(rgb: NDArray[np.uint8], points: NDArray[np.float64], tiny: ModuleType) -> NDArray[np.float64]:
    """The mean over both verifiers and four mirror images, in numpy on the mirrored whole."""
    side = tiny.CROP_PX
    whole = np.pad(rgb, ((side, side), (side, side), (0, 0)), mode="symmetric")
    scores = []
    for left, top in np.rint(points - side / 2).astype(int) + side:
        crop = 255.0 - whole[top : top + side, left : left + side].transpose(2, 0, 1)
        views = (crop, crop[:, ::-1], crop[:, :, ::-1], crop[:, ::-1, ::-1])
        scores.append(
            np.mean([(view * tiny.verifier_weights(gain)[0]).sum() for view in views for gain in GAINS])
        )
    return np.array(scores)


def _refuse(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError("a network is asked for what is recorded")


def test_scores_are_the_mean_of_graphs_and_mirror_images(
    field: Path, picture: NDArray[np.uint8], tiny: ModuleType, cascade_bundle: Bundle, tmp_path: Path
) -> None:
    run = _detect(field, cascade_bundle, tmp_path / "both")
    alone = _detect(field, cascade_bundle, tmp_path / "alone", stage="proposals")
    points = run.detections.points_px0
    height, width = picture.shape[:2]
    beyond = (points < tiny.CROP_PX / 2) | (points > np.array([width, height]) - tiny.CROP_PX / 2)
    assert beyond.any(), "no crop reaches beyond the border"
    assert len(points) > 40
    assert sorted(map(tuple, points)) == sorted(map(tuple, alone.detections.points_px0))
    assert run.detections.score == pytest.approx(_reference(picture, points, tiny), abs=2e-6)
    assert (np.diff(run.detections.score) <= 0).all()
    assert set(run.detections.source) == {"cascade 1.0.0"}


def test_each_stage_has_its_own_operating_point_and_says_so(
    field: Path, cascade_bundle: Bundle, tmp_path: Path
) -> None:
    alone = _detect(field, cascade_bundle, tmp_path, stage="proposals")
    assert (alone.stage, alone.threshold) == ("proposals", 0.4)
    assert alone.threshold_source == "cascade 1.0.0, first stage alone"
    assert ["first stage" in note for note in alone.notes] == [True]
    assert alone.timings.verify_wall_s == 0
    both = _detect(field, cascade_bundle, tmp_path, threshold=0.1)
    assert (both.stage, both.threshold, both.notes) == ("verified", 0.1, ())
    assert 0 < both.timings.verify_network_s < both.timings.verify_wall_s
    usual = _detect(field, cascade_bundle, tmp_path)
    assert usual.threshold_source == "cascade 1.0.0, point f1, greatest F1 on spotted fields"
    with pytest.raises(ConfigError, match="operating points are of the second stage"):
        _detect(field, cascade_bundle, tmp_path, stage="proposals", point="f1")


def test_nothing_is_searched_or_verified_twice(field: Path, cascade_bundle: Bundle, tmp_path: Path) -> None:
    alone = _detect(field, cascade_bundle, tmp_path, stage="proposals")
    verifier = open_networks(cascade_bundle, CONFIG).verifier
    both = _detect(field, cascade_bundle, tmp_path, networks=Networks(_refuse, verifier))
    again = _detect(field, cascade_bundle, tmp_path, networks=Networks(_refuse, _refuse))
    assert again.detections == both.detections
    assert again.timings.verify_wall_s == both.timings.verify_wall_s
    back = _detect(field, cascade_bundle, tmp_path, networks=Networks(_refuse), stage="proposals")
    assert back.detections == alone.detections
    with pytest.raises(AssertionError, match="recorded"):
        _detect(field, cascade_bundle, tmp_path, networks=Networks(_refuse, _refuse), resume=False)


def test_light_proposals_are_verified_at_the_finer_resolution(
    field: Path, picture: NDArray[np.uint8], tiny: ModuleType, tmp_path: Path
) -> None:
    bundle = write_cascade(tiny, tmp_path / "bundle", gains=GAINS, mpp=0.5, flips=True)
    run = _detect(field, bundle, tmp_path / "out")
    assert len(run.detections) > 10
    expected = _reference(picture, run.detections.points_px0, tiny)
    assert run.detections.score == pytest.approx(expected, abs=2e-6)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("changes", [{"threads": 2}, {"threads": 9}, {"chunk_px": 60}, {"window_px": 96}])
def test_the_way_of_working_changes_nothing(
    field: Path, cascade_bundle: Bundle, tmp_path: Path, changes: dict[str, object]
) -> None:
    expected = _detect(field, cascade_bundle, tmp_path / "plain").detections
    config = CONFIG.model_copy(update=changes)
    assert detect_slide(field, cascade_bundle, tmp_path / "other", config=config).detections == expected


def _first_look(rgb: NDArray[np.uint8], points: NDArray[np.float64], tiny: ModuleType) -> NDArray[np.float64]:
    side = tiny.CROP_PX
    whole = np.pad(rgb, ((side, side), (side, side), (0, 0)), mode="symmetric")
    corners = np.rint(points - side / 2).astype(int) + side
    weights = tiny.verifier_weights(GAINS[0])[0]
    return np.array(
        [((255.0 - whole[y : y + side, x : x + side].transpose(2, 0, 1)) * weights).sum() for x, y in corners]
    )


def test_only_the_doubtful_are_looked_at_in_all_ways_unless_asked_otherwise(
    field: Path, picture: NDArray[np.uint8], tiny: ModuleType, tmp_path: Path
) -> None:
    doubt = (0.3, 0.6)
    bundle = write_cascade(tiny, tmp_path / "bundle", gains=GAINS, flips=True, doubt=doubt)
    runs = {
        quality: _detect(field, bundle, tmp_path / str(quality), quality=quality).detections
        for quality in (None, "fast", "balanced", "best")
    }
    assert runs[None] == runs["balanced"]
    once: dict[tuple[float, ...], float] = {}
    all_ways: dict[tuple[float, ...], float] = {}
    for name, reference, known in (("fast", _first_look, once), ("best", _reference, all_ways)):
        points = runs[name].points_px0
        assert runs[name].score == pytest.approx(reference(picture, points, tiny), abs=2e-6)
        known.update(zip(map(tuple, points.tolist()), runs[name].score.tolist(), strict=True))
    places = list(map(tuple, runs["balanced"].points_px0.tolist()))
    doubtful = [doubt[0] <= once[place] <= doubt[1] for place in places]
    assert 5 < sum(doubtful) < len(places) - 5
    expected = [(all_ways if more else once)[place] for place, more in zip(places, doubtful, strict=True)]
    assert runs["balanced"].score.tolist() == expected


def test_another_quality_is_another_run(field: Path, tiny: ModuleType, tmp_path: Path) -> None:
    bundle = write_cascade(tiny, tmp_path / "bundle", gains=GAINS)
    _detect(field, bundle, tmp_path / "out", quality="fast")
    with pytest.raises(LedgerMismatchError, match="quality"):
        _detect(field, bundle, tmp_path / "out", quality="best")


def test_where_nothing_can_be_chosen_a_quality_is_refused(
    field: Path, tiny: ModuleType, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    single = write_cascade(tiny, tmp_path / "bundle")
    for bundle, reason in ((single, "looks once"), (tiny_bundle, "does not look again")):
        with pytest.raises(ConfigError, match=reason):
            _detect(field, bundle, tmp_path / "out", quality="fast")
    assert not (tmp_path / "out").exists()


def _limited(network: Network, limit: int, sizes: list[int]) -> Network:
    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(crops))
        if len(crops) > limit:
            raise MemoryError
        return network(crops)

    return run


@pytest.mark.parametrize("limit", [1, 5])
def test_out_of_memory_shrinks_the_batch_of_crops(
    field: Path, cascade_bundle: Bundle, tmp_path: Path, limit: int
) -> None:
    opened, sizes = open_networks(cascade_bundle, CONFIG), list[int]()
    assert opened.verifier is not None
    tight = Networks(opened.detector, _limited(opened.verifier, limit, sizes))
    run = _detect(field, cascade_bundle, tmp_path / "tight", networks=tight)
    assert run.detections == _detect(field, cascade_bundle, tmp_path / "wide").detections
    assert max(sizes) > limit
    assert sizes[-1] <= limit
    none = Networks(opened.detector, _limited(opened.verifier, 0, sizes))
    with pytest.raises(OutOfMemoryError, match="not even one window of 16 × 16 px"):
        _detect(field, cascade_bundle, tmp_path / "none", networks=none)


def test_a_value_that_is_not_finite_stops_with_the_candidate(
    picture: NDArray[np.uint8], tiny: ModuleType, tmp_path: Path
) -> None:
    bundle = write_cascade(tiny, tmp_path / "bundle", poison=True)
    rgb = picture.copy()
    rgb[100:104, 150:154] = 0
    path = tmp_path / "black.png"
    Image.fromarray(rgb).save(path)
    for _ in range(2):  # resuming does not get past it
        with pytest.raises(NonFiniteError, match=r"candidate at \(1\d\d, \d+\) px0: the network gives NaN"):
            _detect(path, bundle, tmp_path / "out")
    assert _detect(path, bundle, tmp_path / "out", stage="proposals").status == "complete"


@pytest.mark.parametrize("bad", [-0.1, 1.1])
def test_one_score_out_of_range_stops_even_if_the_mean_is_fair(
    field: Path, cascade_bundle: Bundle, tmp_path: Path, bad: float
) -> None:
    def network(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = np.full((len(crops), 8, 2), 0.5, dtype=np.float32)
        rows[-1, 3, 0] = bad
        return rows

    networks = Networks(open_networks(cascade_bundle, CONFIG).detector, network)
    with pytest.raises(RunError, match=r"candidate at .* outside \[0, 1\]"):
        _detect(field, cascade_bundle, tmp_path, networks=networks)


def test_a_run_does_not_go_on_with_another_verifier(
    field: Path, tiny: ModuleType, cascade_bundle: Bundle, tmp_path: Path
) -> None:
    _detect(field, cascade_bundle, tmp_path / "out")
    other = write_cascade(tiny, tmp_path / "bundle", gains=(1.0, 0.4), flips=True)
    for stage in ("proposals", "verified"):
        with pytest.raises(LedgerMismatchError, match=r"begun with another bundle \(cascade"):
            _detect(field, other, tmp_path / "out", stage=stage)


def _interrupting(network: Network, call: int) -> Network:
    calls = iter(range(10_000))

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        if next(calls) == call:
            raise KeyboardInterrupt
        return network(crops)

    return run


@pytest.mark.usefixtures("small_parts")
def test_ctrl_c_while_verifying_leaves_a_run_that_goes_on(
    field: Path, cascade_bundle: Bundle, tmp_path: Path
) -> None:
    opened = open_networks(cascade_bundle, CONFIG)
    assert opened.verifier is not None
    stopped = Networks(opened.detector, _interrupting(opened.verifier, 2))
    with pytest.raises(StoppedError, match=r"stopped after 14 of \d+ candidates .*repeat the same command"):
        _detect(field, cascade_bundle, tmp_path / "out", networks=stopped)
    sizes: list[int] = []
    counted = Networks(_refuse, _limited(opened.verifier, 99, sizes))
    run = _detect(field, cascade_bundle, tmp_path / "out", networks=counted)
    assert sum(sizes) == len(run.detections) - 14
    assert run.detections == _detect(field, cascade_bundle, tmp_path / "whole").detections


def test_crops_that_could_not_be_read_whole_are_counted(
    damaged_slide: Path, cascade_bundle: Bundle, tmp_path: Path
) -> None:
    run = _detect(damaged_slide, cascade_bundle, tmp_path)
    near = run.detections.points_px0
    beside = ((near > (120, 56)) & (near < (200, 136))).all(axis=1).sum()
    assert run.status == "complete_with_gaps"
    told = [re.match(r"(\d+) candidates were verified on crops", note) for note in run.notes]
    assert [int(found[1]) for found in told if found] == [pytest.approx(beside, abs=2)]
    assert beside > 0


def test_no_candidate_is_no_error(cascade_bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "glass.png"
    Image.fromarray(np.full((300, 300, 3), 245, dtype=np.uint8)).save(path)
    run = _detect(path, cascade_bundle, tmp_path / "out")
    assert (len(run.detections), run.stage, run.status) == (0, "verified", "complete")


def test_what_a_bundle_cannot_do_is_refused_before_anything_is_written(
    field: Path, tiny: ModuleType, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    scores = write_bundle(
        tmp_path / "classifier",
        description=tiny.tiny_description(
            kind="scores", labels=("mitotic figure", "look-alike"), window_px=32, stride_px=1, halo_px=0
        ),
        onnx={"classifier.onnx": tiny.verifier_onnx(crop=32)},
        self_test_rgb=tiny.spotted(32, 32, spots=4, seed=1),
    )
    out = tmp_path / "out"
    refused: list[Callable[[], object]] = [
        lambda: _detect(field, scores, out),
        lambda: detect_slides([field], scores, out, config=CONFIG),
    ]
    for attempt in refused:
        with pytest.raises(BundleError, match="detects nothing"):
            attempt()
    with pytest.raises(ConfigError, match="no second stage; leave --stage out"):
        _detect(field, tiny_bundle, out, stage="verified")
    assert not out.exists()
    assert _detect(field, tiny_bundle, out, stage="proposals").notes == ()


def test_several_slides_share_both_networks(field: Path, cascade_bundle: Bundle, tmp_path: Path) -> None:
    (outcome,) = detect_slides([field], cascade_bundle, tmp_path / "many", config=CONFIG)
    assert outcome.run is not None
    assert outcome.run.detections == _detect(field, cascade_bundle, tmp_path / "one").detections


def test_parts_hold_every_candidate_once_and_neighbours_together() -> None:
    points = np.random.default_rng(3).uniform(0, 40_000, (500, 2))
    parts = plan_parts(points)
    order = [candidate for part in parts for candidate in part.candidates]
    assert sorted(order) == list(range(500))
    assert [len(part.candidates) for part in parts] == [64] * 7 + [52]
    assert plan_parts(points) == parts
    steps = np.hypot(*np.diff(points[order], axis=0).T)
    assert np.median(steps) < np.median(np.hypot(*np.diff(points, axis=0).T)) / 4
    assert plan_parts(np.empty((0, 2))) == ()
