"""Runs over slides, from the file to the result."""

from __future__ import annotations

import functools
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.bundle import Bundle, StainRange
from mitoscope.bundle.write import revise
from mitoscope.errors import (
    ConfigError,
    FormatError,
    LedgerMismatchError,
    NonFiniteError,
    OutputError,
    RegionError,
    ScaleError,
    SlideFormatError,
    StoppedError,
)
from mitoscope.geometry import BoxPx0
from mitoscope.infer import DetectConfig, Networks, SlideRun, detect_slide, detect_slides
from mitoscope.slide import open_slide

CONFIG = DetectConfig(mpp=0.25, chunk_px=110, threads=1)


@pytest.fixture(autouse=True)
def _no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are the tests' own; a process to probe each would take most of the time."""
    monkeypatch.setattr("mitoscope.infer.detect.open_slide", functools.partial(open_slide, probe=False))


def _picture(folder: Path, name: str, rgb: NDArray[np.uint8]) -> Path:
    path = folder / name
    Image.fromarray(rgb).save(path)
    return path


def _detect(path: Path, bundle: Bundle, out: Path, **changes: object) -> SlideRun:
    return detect_slide(path, bundle, out, config=CONFIG.model_copy(update=changes))


def test_cells_that_the_border_cuts_are_left_out(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    every = _detect(field, tiny_bundle, tmp_path / "every").detections
    shy = revise(tiny_bundle, tmp_path / "shy", {"margin_um": 5.0})  # 20 px
    kept = _detect(field, shy, tmp_path / "kept").detections
    with Image.open(field) as picture:
        size = picture.size
    inside = np.minimum(every.points_px0, size - every.points_px0).min(axis=1) >= 20
    assert 0 < inside.sum() < len(every)
    assert kept == every.take(inside)
    # The border of a part of the slide cuts nothing.
    part = _detect(field, shy, tmp_path / "part", roi=(60, 60, 120, 120)).detections
    assert np.minimum(part.points_px0 - 60, 180 - part.points_px0).min() < 20


def test_a_run_says_what_it_did(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []
    run = detect_slide(
        field,
        tiny_bundle,
        tmp_path / "out",
        config=CONFIG,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert run.status == "complete"
    assert (run.threshold, run.threshold_source) == (
        0.5,
        "tiny 1.0.0, point f1, greatest F1 on spotted fields",
    )
    assert 0 < len(run.figures) < len(run.detections)
    assert set(run.detections.label) == {"mitotic figure"}
    assert set(run.detections.source) == {"tiny 1.0.0"}
    assert run.tissue_mm2 == pytest.approx(257 * 331 * 0.0625e-6)
    assert (run.gaps, run.gap_mm2, run.notes) == ((), 0, ())
    assert run.timings.sessions == 1
    assert 0 < run.timings.network_s < run.timings.wall_s
    assert run.versions["mitoscope"]
    assert seen[0][0] == 0
    assert seen[-1] == pytest.approx((run.tissue_mm2, run.tissue_mm2))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["field.ledger"]


def test_a_finished_run_is_not_computed_again(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    first = _detect(field, tiny_bundle, tmp_path)

    def no_network(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError

    again = detect_slide(field, tiny_bundle, tmp_path, config=CONFIG, networks=Networks(no_network))
    assert again.detections == first.detections
    assert again.timings.sessions == 2
    with pytest.raises(AssertionError):
        detect_slide(
            field,
            tiny_bundle,
            tmp_path,
            config=CONFIG.model_copy(update={"resume": False}),
            networks=Networks(no_network),
        )


def test_another_threshold_needs_no_new_run(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    first = _detect(field, tiny_bundle, tmp_path)
    run = _detect(field, tiny_bundle, tmp_path, threshold=0.7)
    assert run.detections == first.detections
    assert len(run.figures) < len(first.figures)
    assert (run.threshold, run.threshold_source) == (0.7, "--threshold")


def test_a_threshold_below_the_floor_is_said_so(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    run = _detect(field, tiny_bundle, tmp_path, threshold=0.1)
    assert any("below the bundle's floor 0.3" in note for note in run.notes)


@pytest.fixture(scope="module")
def several_points(tiny: ModuleType, tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    points = (
        tiny.tiny_point(),
        tiny.tiny_point(name="unbiased-count", threshold=0.45),
        tiny.tiny_point(name="robust", threshold=0.6),
    )
    return revise(tiny_bundle, tmp_path_factory.mktemp("points") / "several", {"points": points})


def test_a_stain_that_the_network_has_not_seen_is_said_so(
    field: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    known = StainRange(low=(0.0, 0.0, 0.0), high=(1.0, 1.0, 1.0), cases=9)
    strange = StainRange(low=(0.0, 0.5, 0.0), high=(1.0, 0.9, 1.0), cases=9)
    for stain, notes in ((known, 0), (strange, 1)):
        bundle = revise(tiny_bundle, tmp_path / f"bundle{notes}", {"stain": stain})
        run = _detect(field, bundle, tmp_path / f"out{notes}")
        said = [note for note in run.notes if "unlike that of the training data" in note]
        assert len(said) == notes
    assert "green 0." in said[0]


def test_a_named_point_sets_the_threshold_and_leaves_the_candidates(
    field: Path, several_points: Bundle, tmp_path: Path
) -> None:
    usual = _detect(field, several_points, tmp_path)
    named = _detect(field, several_points, tmp_path, point="unbiased-count")
    assert (usual.threshold, named.threshold) == (0.5, 0.45)
    assert named.point == several_points.manifest.point("unbiased-count")
    assert named.threshold_source.startswith("tiny 1.0.0, point unbiased-count, ")
    assert np.array_equal(usual.detections.score, named.detections.score)
    assert len(named.figures) > len(usual.figures)
    assert _detect(field, several_points, tmp_path, threshold=0.45).point is None


def test_a_point_that_the_bundle_lacks_is_refused_before_anything_is_written(
    field: Path, several_points: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=re.escape("has no operating point 'recall'")) as caught:
        _detect(field, several_points, tmp_path / "out", point="recall")
    assert "f1, unbiased-count, robust" in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="no operating point"):
        detect_slides([field], several_points, tmp_path / "out", config=DetectConfig(point="recall"))
    with pytest.raises(ValueError, match="give one of the two"):
        DetectConfig(point="f1", threshold=0.5)


@pytest.mark.parametrize(
    ("named", "taken"), [({}, "robust"), ({"point": "f1"}, "f1"), ({"threshold": 0.4}, None)]
)
def test_an_odd_stain_gets_the_robust_point_unless_the_user_names_one(
    field: Path, several_points: Bundle, tmp_path: Path, named: dict[str, object], taken: str | None
) -> None:
    strange = StainRange(low=(0.0, 0.5, 0.0), high=(1.0, 0.9, 1.0), cases=9)
    odd = revise(several_points, tmp_path / "odd", {"stain": strange})
    run = _detect(field, odd, tmp_path / "out", **named)
    assert (run.point and run.point.name) == taken
    (note,) = [note for note in run.notes if "unlike that of the training data" in note]
    is_robust = "the robust point (0.6, greatest F1 on spotted fields) in place of f1 (0.5)" in note
    assert is_robust == (taken == "robust")
    assert ("bundle calibrate" in note) == (taken != "robust")
    assert run.threshold == {"robust": 0.6, "f1": 0.5, None: 0.4}[taken]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mpp": 0.26}, "configuration: mpp (0.25, now 0.26)"),
        ({"roi": (0.0, 0.0, 90.0, 90.0)}, "configuration: roi (nothing, now [0.0, 0.0, 90.0, 90.0])"),
        ({"window_px": 80}, "tiling: tile_px (52, now 68)"),
    ],
)
def test_another_configuration_is_refused_by_name(
    field: Path, tiny_bundle: Bundle, tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    _detect(field, tiny_bundle, tmp_path)
    with pytest.raises(LedgerMismatchError, match=re.escape(named)):
        _detect(field, tiny_bundle, tmp_path, **changes)


def test_another_slide_or_bundle_is_refused_by_name(
    field: Path, picture: NDArray[np.uint8], tiny_bundle: Bundle, poisoned_bundle: Bundle, tmp_path: Path
) -> None:
    _detect(field, tiny_bundle, tmp_path / "out")
    other = _picture(tmp_path, "field.png", picture[::-1])
    with pytest.raises(LedgerMismatchError, match="with another slide"):
        _detect(other, tiny_bundle, tmp_path / "out")
    with pytest.raises(LedgerMismatchError, match=r"with another bundle \(tiny"):
        _detect(field, poisoned_bundle, tmp_path / "out")
    assert len(_detect(other, tiny_bundle, tmp_path / "out", resume=False).detections) > 0


def test_glass_is_no_error(tiny_bundle: Bundle, tmp_path: Path) -> None:
    path = _picture(tmp_path, "glass.png", np.full((300, 300, 3), 245, dtype=np.uint8))
    run = _detect(path, tiny_bundle, tmp_path / "out")
    assert (len(run.detections), run.tissue_mm2, run.status) == (0, 0.0, "complete")


def test_one_pixel_is_no_error(tiny_bundle: Bundle, tmp_path: Path) -> None:
    path = _picture(tmp_path, "one.png", np.full((1, 1, 3), (150, 60, 130), dtype=np.uint8))
    run = _detect(path, tiny_bundle, tmp_path / "out")
    assert run.status == "complete"


def test_what_does_not_decode_is_a_gap_and_the_rest_is_found(
    damaged_slide: Path, field: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    run = _detect(damaged_slide, tiny_bundle, tmp_path / "out")
    whole = _detect(field, tiny_bundle, tmp_path / "whole")
    assert run.status == "complete_with_gaps"
    assert sum(gap.width * gap.height for gap in run.gaps) == 64 * 64
    assert run.gap_mm2 == pytest.approx(64 * 64 * 0.0625e-6)
    lost = BoxPx0(128, 64, 64, 64)
    assert all(gap.intersection(lost) == gap for gap in run.gaps)

    def away(found: SlideRun) -> set[tuple[float, float, float]]:
        rows = zip(*(found.detections.points_px0.T), found.detections.score, strict=True)
        reach = 12  # the receptive field and the radius of suppression
        return {
            (x, y, score)
            for x, y, score in rows
            if not (128 - reach <= x < 192 + reach and 64 - reach <= y < 128 + reach)
        }

    assert away(run) == away(whole)
    assert len(away(run)) > 30
    points = run.detections.points_px0
    assert not ((points >= (128, 64)) & (points < (192, 128))).all(axis=1).any()


def test_a_value_that_is_not_finite_stops_with_the_tile(
    picture: NDArray[np.uint8], poisoned_bundle: Bundle, tmp_path: Path
) -> None:
    rgb = picture.copy()
    rgb[205, 310] = (0, 0, 0)
    path = _picture(tmp_path, "black.png", rgb)
    with pytest.raises(NonFiniteError, match=r"tile 26 at \(260, 156\) px0"):
        _detect(path, poisoned_bundle, tmp_path / "out")
    # What was recorded before is kept; a bundle or slide that is mended is another run.
    with pytest.raises(NonFiniteError):
        _detect(path, poisoned_bundle, tmp_path / "out")


def _interrupt_at(call: int) -> Callable[[float, float], None]:
    calls = iter(range(10_000))

    def progress(done: float, total: float) -> None:
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGINT)

    return progress


@pytest.mark.parametrize("call", [0, 1, 5])
def test_ctrl_c_leaves_a_run_that_goes_on(
    field: Path, tiny_bundle: Bundle, tmp_path: Path, call: int
) -> None:
    with pytest.raises((StoppedError, KeyboardInterrupt)) as caught:
        detect_slide(field, tiny_bundle, tmp_path / "out", config=CONFIG, progress=_interrupt_at(call))
    if call:
        assert re.search(r"stopped after .* mm²; repeat the same command", str(caught.value))
        assert isinstance(caught.value, StoppedError)
        assert caught.value.exit_status == 1
    seen: list[float] = []
    run = detect_slide(
        field, tiny_bundle, tmp_path / "out", config=CONFIG, progress=lambda done, total: seen.append(done)
    )
    assert (seen[0] > 0) == (call > 0)
    assert run.detections == _detect(field, tiny_bundle, tmp_path / "whole").detections


def test_a_bad_slide_does_not_keep_the_others(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    text = tmp_path / "text.svs"
    text.write_text("not a slide", encoding="ascii")
    outcomes = list(
        detect_slides([text, field, tmp_path / "none.svs"], tiny_bundle, tmp_path / "out", config=CONFIG)
    )
    assert [outcome.run is not None for outcome in outcomes] == [False, True, False]
    assert isinstance(outcomes[0].error, SlideFormatError)
    assert isinstance(outcomes[2].error, SlideFormatError)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["field.ledger"]


def test_two_slides_of_one_name_are_refused_at_once(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="would write the same results"):
        detect_slides([tmp_path / "a.svs", tmp_path / "b" / "A.tiff"], tiny_bundle, tmp_path)


def test_slides_whose_safe_names_meet_are_refused_at_once(tiny_bundle: Bundle, tmp_path: Path) -> None:
    first, second = tmp_path / "a:b.svs", tmp_path / "a?b.svs"
    with pytest.raises(ConfigError) as refused:
        detect_slides([first, second], tiny_bundle, tmp_path)
    assert str(first) in str(refused.value)
    assert str(second) in str(refused.value)


def test_a_name_that_is_too_long_is_refused_before_the_search(
    field: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    slide, out = tmp_path / f"{'x' * 250}.png", tmp_path / "out"
    slide.symlink_to(field)
    with pytest.raises(OutputError, match=r"names of 265 bytes, file systems take 255; give the slide a sho"):
        _detect(slide, tiny_bundle, out)
    with pytest.raises(OutputError, match="give the slide a shorter name"):
        detect_slides([field, slide], tiny_bundle, out, config=CONFIG)
    assert not out.exists()
    slide = slide.rename(tmp_path / f"{'x' * 240}.png")
    _detect(slide, tiny_bundle, out)
    assert [path.name for path in out.glob("x*")] == [f"{'x' * 240}.ledger"]


def test_a_reserved_name_is_made_safe(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    slide = tmp_path / "aux.1:2.png"
    slide.symlink_to(field)
    _detect(slide, tiny_bundle, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").glob("*.ledger")] == ["_aux.1_2.ledger"]


def test_bad_input_leaves_nothing_behind(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ScaleError, match="--mpp"):
        detect_slide(field, tiny_bundle, out)
    with pytest.raises(ScaleError, match=r"0\.1 to 0\.5"):
        _detect(field, tiny_bundle, out, mpp=1.0)
    with pytest.raises(RegionError):
        _detect(field, tiny_bundle, out, roi=(-1.0, 0.0, 9.0, 9.0))
    with pytest.raises(ConfigError, match="provider"):
        _detect(field, tiny_bundle, out, provider="cuda")
    assert not out.exists()


def test_an_output_folder_that_is_a_file_is_refused(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="ascii")
    with pytest.raises(OutputError, match="--out"):
        _detect(field, tiny_bundle, tmp_path / "out")


def test_a_damaged_ledger_names_the_mend(field: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    _detect(field, tiny_bundle, tmp_path)
    ledger = tmp_path / "field.ledger"
    content = ledger.read_bytes()
    ledger.write_bytes(content[:100] + b"x" * (len(content) - 100))
    with pytest.raises(FormatError, match="--no-resume"):
        _detect(field, tiny_bundle, tmp_path)
    assert len(_detect(field, tiny_bundle, tmp_path, resume=False).detections) > 0
