"""The second stage of a bundle: what its author joined to the detector, or nothing starts (promise 20)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mitoscope.bundle import (
    BALANCED_ACCURACY,
    KIND_RECALLS,
    Bundle,
    FigureShare,
    Metric,
    ScoreCalibration,
    StainRange,
    load_bundle,
    verify_bundle,
    write_bundle,
)
from mitoscope.bundle.load import SEAL_NAME, seal
from mitoscope.bundle.verify import middle
from mitoscope.bundle.write import revise
from mitoscope.errors import BundleDamagedError, BundleError
from mitoscope.statistics import estimate_shift

ENSEMBLE = ("first.onnx", "second.onnx")


def _write(tiny: ModuleType, folder: Path, *, gain: float = 1.0, **changes: object) -> Bundle:
    return write_bundle(
        folder,
        description=tiny.tiny_description(verifier=tiny.tiny_verifier(files=ENSEMBLE, **changes)),
        onnx={
            "detector.onnx": tiny.tiny_onnx(),
            "first.onnx": tiny.verifier_onnx(gain=gain),
            "second.onnx": tiny.verifier_onnx(gain=gain / 2),
        },
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )


@pytest.fixture(scope="module")
def cascade(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return _write(tiny, tmp_path_factory.mktemp("cascade") / "bundle")


@pytest.fixture
def copy(cascade: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cascade.folder, tmp_path / "copy"))


def _edit_and_seal(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_bytes())
    edit(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    (folder / SEAL_NAME).write_bytes(seal(path.read_bytes()))


def _put(folder: Path, name: str, content: bytes) -> None:
    """Put other content in the place of a file and seal the bundle anew, as a forger would."""
    (folder / name).write_bytes(content)
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    _edit_and_seal(folder, lambda values: values["files"].update({name: entry}))


def test_both_stages_come_back_as_they_were_written(tiny: ModuleType, cascade: Bundle) -> None:
    again = load_bundle(cascade.folder)
    assert again == cascade
    assert again.manifest.verifier == tiny.tiny_verifier(files=ENSEMBLE)
    assert verify_bundle(again) == len(again.manifest.self_test.points) > 0
    crop = 255.0 - middle(tiny.spotted(64, 64, spots=4, seed=1), tiny.CROP_PX)
    score = float((crop.transpose(2, 0, 1) * tiny.verifier_weights()[0]).sum())
    expected = [score, 1 - score, score / 2, 1 - score / 2]
    assert np.ravel(again.manifest.self_test.verifier_scores) == pytest.approx(expected, abs=2e-5)


def test_no_flipped_byte_of_the_second_stage_gets_through(cascade: Bundle, copy: Path) -> None:
    random = np.random.default_rng(21)
    for _ in range(40):
        name = str(random.choice(ENSEMBLE))
        content = bytearray((copy / name).read_bytes())
        content[random.integers(len(content))] ^= 1 << int(random.integers(8))
        (copy / name).write_bytes(content)
        with pytest.raises(BundleDamagedError):
            load_bundle(copy)
        shutil.copyfile(cascade.folder / name, copy / name)
    assert load_bundle(copy).fingerprint == cascade.fingerprint


def test_a_swapped_verifier_is_refused_even_when_sealed_anew(tiny: ModuleType, copy: Path) -> None:
    _put(copy, "second.onnx", tiny.verifier_onnx(gain=0.9))
    with pytest.raises(BundleDamagedError, match="contradict"):
        load_bundle(copy)


def test_verifiers_that_changed_places_are_refused(copy: Path) -> None:
    first, second = ((copy / name).read_bytes() for name in ENSEMBLE)
    _put(copy, "first.onnx", second)
    _put(copy, "second.onnx", first)
    with pytest.raises(BundleDamagedError, match="contradict"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", ["look-alike", "mitotic figure"]),
        ("crop_px", 32),
        ("mpp", 0.5),
        ("flips", True),
        ("proposal_threshold", 0.9),
        ("files", ["first.onnx"]),
        ("files", ["second.onnx", "first.onnx"]),
        ("files", ["first.onnx", "detector.onnx"]),
        ("files", ["first.onnx", "none.onnx"]),
        ("rule", "adds"),
        ("colour", "red"),
    ],
)
def test_an_edited_second_stage_is_refused_even_when_sealed_anew(copy: Path, key: str, value: object) -> None:
    _edit_and_seal(copy, lambda values: values["verifier"].update({key: value}))
    with pytest.raises(BundleDamagedError):
        load_bundle(copy)


def test_a_bundle_that_lost_its_second_stage_is_refused(copy: Path) -> None:
    def lose(values: dict[str, Any]) -> None:
        values["verifier"] = None
        values["self_test"]["verifier_scores"] = []

    _edit_and_seal(copy, lose)
    with pytest.raises(BundleDamagedError, match="contradict"):
        load_bundle(copy)


def test_a_bundle_of_points_does_not_become_one_of_scores(copy: Path) -> None:
    _edit_and_seal(copy, lambda values: values.update({"kind": "scores", "verifier": None}))
    with pytest.raises(BundleDamagedError):
        load_bundle(copy)


def test_other_scores_fail_the_self_test(copy: Path) -> None:
    _edit_and_seal(copy, lambda values: values["self_test"].update({"verifier_scores": [[0.9, 0.1]] * 2}))
    with pytest.raises(BundleDamagedError, match="other scores"):
        verify_bundle(load_bundle(copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": ("a.onnx", "a.onnx")}, "named twice"),
        ({"labels": ("mitotic figure", "mitotic figure")}, "named twice"),
        ({"labels": ("look-alike", "granulocyte")}, "the label 'mitotic figure' among its own"),
        ({"proposal_threshold": 0.1}, "below score_floor"),
        ({"files": ()}, "at least 1"),
        ({"crop_px": 8}, "greater than or equal to 16"),
    ],
)
def test_a_second_stage_that_does_not_hold_is_refused(
    tiny: ModuleType, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny.tiny_description(verifier=tiny.tiny_verifier(**changes))


def test_the_threshold_of_both_stages_may_lie_below_the_floor_of_the_first(tiny: ModuleType) -> None:
    # The floor is on scores that the verifier replaces.
    tiny.tiny_description(verifier=tiny.tiny_verifier(), points=(tiny.tiny_point(threshold=0.1),))


def test_graphs_that_are_stated_are_those_that_are_given(tiny: ModuleType, tmp_path: Path) -> None:
    onnx = {"detector.onnx": tiny.tiny_onnx(), "verifier.onnx": tiny.verifier_onnx()}
    rgb = tiny.spotted(64, 64, spots=4, seed=1)
    for verifier in (None, tiny.tiny_verifier(files=ENSEMBLE)):
        with pytest.raises(BundleError, match=r"the files are .*verifier\.onnx"):
            write_bundle(
                tmp_path / "b",
                description=tiny.tiny_description(verifier=verifier),
                onnx=onnx,
                self_test_rgb=rgb,
            )
    assert list(tmp_path.iterdir()) == []


def test_a_verifier_of_another_interface_is_refused(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError, match=r"interface|does not run"):
        write_bundle(
            tmp_path / "b",
            description=tiny.tiny_description(verifier=tiny.tiny_verifier(crop_px=32)),
            onnx={"detector.onnx": tiny.tiny_onnx(), "verifier.onnx": tiny.verifier_onnx()},
            self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
        )


def test_log_odds_in_the_place_of_probabilities_are_refused(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError, match=r"outside \[0, 1\]; export probabilities"):
        write_bundle(
            tmp_path / "b",
            description=tiny.tiny_description(verifier=tiny.tiny_verifier()),
            onnx={"detector.onnx": tiny.tiny_onnx(), "verifier.onnx": tiny.verifier_onnx(gain=40.0)},
            self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
        )


def test_a_bundle_of_scores_comes_back_and_passes_its_self_test(tiny: ModuleType, tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "classifier",
        description=tiny.tiny_description(
            kind="scores",
            labels=("mitotic figure", "look-alike"),
            window_px=32,
            stride_px=1,
            halo_px=0,
        ),
        onnx={"classifier.onnx": tiny.verifier_onnx(crop=32)},
        self_test_rgb=tiny.spotted(32, 32, spots=4, seed=1),
    )
    assert load_bundle(bundle.folder) == bundle
    assert verify_bundle(bundle) == 2
    assert sum(bundle.manifest.self_test.scores) == pytest.approx(1, abs=2e-5)


def test_the_middle_of_a_small_picture_is_mirrored() -> None:
    rgb = np.arange(4, dtype=np.uint8).reshape(1, 4, 1).repeat(4, 0).repeat(3, 2)
    assert middle(rgb, 2)[0, :, 0].tolist() == [1, 2]
    assert middle(rgb, 8)[0, :, 0].tolist() == [1, 0, 0, 1, 2, 3, 3, 2]


def test_the_range_is_that_of_nearly_all_cases() -> None:
    red = np.linspace(0.1, 0.3, 201)
    cases = [(r, 2 * r, r) for r in red.tolist()]
    found = StainRange.of([*cases, (5.0, 5.0, 5.0)])
    assert found.cases == 202
    np.testing.assert_allclose(found.low, (0.102, 0.204, 0.102), atol=1e-3)
    np.testing.assert_allclose(found.high, (0.299, 0.598, 0.299), atol=2e-3)
    assert StainRange.of([(0.1, 0.2, 0.1)]).complaint((0.1, 0.2, 0.1)) is None


def test_what_lies_outside_is_named() -> None:
    seen = StainRange(low=(0.1, 0.2, 0.1), high=(0.3, 0.5, 0.2), cases=9)
    assert seen.complaint((0.2, 0.2, 0.2)) is None
    assert (
        seen.complaint((0.2, 0.61, 0.05)) == "green 0.61 (seen: 0.20 to 0.50), blue 0.05 (seen: 0.10 to 0.20)"
    )


def test_ends_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="low end"):
        StainRange(low=(0.4, 0.2, 0.1), high=(0.3, 0.5, 0.2), cases=9)


def test_a_calibration_without_the_share_of_figures_corrects_nothing() -> None:
    line = ScoreCalibration(slope=1.0, intercept=0.0, fitted_on="fields")
    assert line.prior_shift([0.1, 0.2]) is None
    with pytest.raises(ValidationError, match="needs that of the calibration"):
        ScoreCalibration(
            slope=1.0,
            intercept=0.0,
            fitted_on="fields",
            laboratory=FigureShare(share=0.1, candidates=10, images=2),
        )


def test_the_share_of_a_laboratory_is_expected_of_its_slides() -> None:
    own, laboratory = (FigureShare(share=share, candidates=400, images=9) for share in (0.2, 0.05))
    line = ScoreCalibration(slope=1.0, intercept=0.0, fitted_on="fields", figures=own, laboratory=laboratory)
    own_line = line.model_copy(update={"laboratory": None})
    empty, before = line.prior_shift([]), line.prior_shift([], expect_laboratory=False)
    assert empty is not None
    assert before is not None
    assert (empty.calibrated, empty.assumed) == (0.2, 0.05)
    assert empty.estimated == pytest.approx(0.05)
    assert before.estimated == pytest.approx(0.2)
    # Slides of one laboratory have more in common than slides of all.
    few = [0.001] * 30
    drawn = line.prior_shift(few)
    assert drawn == estimate_shift(few, calibrated=0.2, calibrated_on=400, assumed=0.05, prior_figures=4)
    wide = line.prior_shift(few, expect_laboratory=False)
    assert wide == estimate_shift(few, calibrated=0.2, calibrated_on=400, prior_figures=2)
    assert (own_line.prior_figures, line.prior_figures) == (2, 4)
    further = ScoreCalibration(slope=2.0, intercept=1.0, fitted_on="others", figures=own)
    assert further.after(line).figures == own
    assert further.after(line).laboratory is None


@pytest.mark.parametrize(
    "wrong", [{"share": 0.0}, {"share": 1.0}, {"candidates": 0}, {"images": 0}, {"share": float("nan")}]
)
def test_shares_are_shares_of_something(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        FigureShare.model_validate({"share": 0.1, "candidates": 10, "images": 2} | wrong)


@pytest.fixture
def kinds(tiny: ModuleType, tmp_path: Path) -> Bundle:
    """The tiny detector with a second stage and what tells kinds of figures apart."""
    return write_bundle(
        tmp_path / "kinds",
        description=tiny.tiny_description(verifier=tiny.tiny_verifier(), subtype=tiny.tiny_subtype()),
        onnx={
            "detector.onnx": tiny.tiny_onnx(),
            "verifier.onnx": tiny.verifier_onnx(),
            "subtype.onnx": tiny.verifier_onnx(gain=0.25),
        },
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )


def test_a_subtype_comes_back_and_is_part_of_the_self_test(tiny: ModuleType, kinds: Bundle) -> None:
    again = load_bundle(kinds.folder)
    assert again.manifest.subtype == tiny.tiny_subtype()
    assert again.manifest.further_graphs == ("verifier.onnx", "subtype.onnx")
    (verifier,), subtype = again.manifest.self_test.verifier_scores, again.manifest.self_test.subtype_scores
    assert subtype == pytest.approx([verifier[0] / 4, 1 - verifier[0] / 4], abs=2e-5)
    verify_bundle(again)
    _edit_and_seal(kinds.folder, lambda values: values["self_test"].update({"subtype_scores": [0.9, 0.1]}))
    with pytest.raises(BundleDamagedError, match="other scores"):
        verify_bundle(load_bundle(kinds.folder))


def test_a_bundle_written_anew_keeps_its_subtype_or_takes_another(
    tiny: ModuleType, kinds: Bundle, tmp_path: Path
) -> None:
    kept = revise(kinds, tmp_path / "kept", {"name": "other"})
    assert kept.manifest.subtype == kinds.manifest.subtype
    assert kept.read("subtype.onnx") == kinds.read("subtype.onnx")
    without = revise(kinds, tmp_path / "without", {"subtype": None})
    assert without.manifest.self_test.subtype_scores == ()
    assert "subtype.onnx" not in without.manifest.files
    told = tiny.tiny_subtype(file="new.onnx")
    again = revise(without, tmp_path / "again", {"subtype": told}, subtype=tiny.verifier_onnx(gain=0.5))
    assert again.manifest.files["new.onnx"] != kinds.manifest.files["subtype.onnx"]
    load_bundle(again.folder)


def test_a_swapped_or_lost_subtype_is_refused_even_when_sealed_anew(tiny: ModuleType, kinds: Bundle) -> None:
    _put(kinds.folder, "subtype.onnx", tiny.verifier_onnx(gain=0.9))
    with pytest.raises(BundleDamagedError, match="contradict"):
        load_bundle(kinds.folder)

    def lose(values: dict[str, Any]) -> None:
        values["subtype"] = None
        values["self_test"]["subtype_scores"] = []

    _edit_and_seal(kinds.folder, lose)
    with pytest.raises(BundleDamagedError, match="contradict"):
        load_bundle(kinds.folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", ["mitotic figure", "atypical mitotic figure"]),
        ("threshold", 0.9),
        ("flips", True),
        ("crop_px", 32),
        ("mpp", 0.5),
        ("file", "verifier.onnx"),
        ("file", "none.onnx"),
    ],
)
def test_an_edited_subtype_is_refused_even_when_sealed_anew(kinds: Bundle, key: str, value: object) -> None:
    _edit_and_seal(kinds.folder, lambda values: values["subtype"].update({key: value}))
    with pytest.raises(BundleDamagedError):
        load_bundle(kinds.folder)


@pytest.mark.parametrize(
    "labels",
    [("mitotic figure", "look-alike"), ("mitotic figure", "mitotic figure"), ("atypical mitotic figure",)],
)
def test_a_subtype_tells_two_kinds_of_figures_apart(tiny: ModuleType, labels: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        tiny.tiny_subtype(labels=labels)


def test_a_subtype_says_how_far_it_can_be_trusted(tiny: ModuleType) -> None:
    metric = Metric(
        name=BALANCED_ACCURACY,
        dataset="held-out cases",
        protocol="windows",
        value=0.8,
        ci_low=0.75,
        ci_high=0.84,
        images=34,
    )
    assert "an aid" in tiny.tiny_subtype().describe()
    assert "not measured" in tiny.tiny_subtype().describe()
    assert (
        "(balanced accuracy 0.80 [0.75, 0.84] on held-out cases)"
        in tiny.tiny_subtype(metrics=(metric,)).describe()
    )
    recall = metric.model_copy(update={"name": KIND_RECALLS[1]})
    auc = metric.model_copy(update={"name": "auc"})
    said = tiny.tiny_subtype(metrics=(auc, metric, recall)).describe()
    assert "0.84], recall of other figures 0.80 [0.75, 0.84] on held-out cases)" in said
