"""A second stage is adapted where labels teach it something, and refused where they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mitoscope.bundle import Bundle, load_bundle, verify_bundle, write_bundle
from mitoscope.errors import BundleError, NotBetterError, TrainingDataError
from mitoscope.evaluate import PROTOCOLS, evaluate
from mitoscope.geometry import BoxPx0
from mitoscope.infer import DetectConfig, detect_slides
from mitoscope.labels import AMBIGUOUS, MITOTIC_FIGURE
from mitoscope.loops.adapt import Adaptation, adapt, write_adapted
from mitoscope.region import Region
from mitoscope.truth import ExaminedArea, GroundTruth, TrueCells

from .adapting import SIDE, SPOTS, laboratory, tiny, write_detector

PROTOCOL = PROTOCOLS["midog"]
CONFIG = DetectConfig(threads=1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_detector(tmp_path_factory.mktemp("bundles") / "dark")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[GroundTruth, dict[str, Path]]:
    return laboratory(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def learnt(bundle: Bundle, lab: tuple[GroundTruth, dict[str, Path]]) -> Adaptation:
    return adapt(bundle, *lab, protocol=PROTOCOL, config=CONFIG)


def test_what_the_labels_teach_holds_on_cases_left_out(learnt: Adaptation) -> None:
    gain = learnt.difference
    assert gain.cases == 6
    assert learnt.adapted.average_precision > 0.95 > learnt.shipped.average_precision + 0.2
    assert gain.average_precision.interval is not None
    assert gain.average_precision.interval.low > 0
    assert learnt.adapted.score.f1 is not None
    assert learnt.adapted.score.f1 > 0.9
    assert learnt.is_better
    assert "6 held-out cases" in learnt.describe()


def test_the_new_bundle_finds_on_other_fields_what_the_old_one_could_not(
    bundle: Bundle, learnt: Adaptation, tmp_path: Path
) -> None:
    out = write_adapted(bundle, learnt, tmp_path / "new", dataset="our slides")
    assert verify_bundle(load_bundle(out.folder))
    truth, files = laboratory(tmp_path, fields=4, seed=9)
    f1 = {}
    for name, one in (("old", bundle), ("new", out)):
        outcomes = detect_slides(
            [*files.values()], one, tmp_path / name, config=DetectConfig(mpp=0.25, threads=1)
        )
        runs = [outcome.run for outcome in outcomes]
        found = {run.slide.name: run.detections for run in runs if run is not None}
        threshold = one.manifest.default_threshold
        f1[name] = evaluate(found, truth, protocol=PROTOCOL, threshold=threshold).score.f1 or 0
    assert f1["new"] > 0.9 > f1["old"] + 0.1


def test_the_new_bundle_says_what_it_was_taught_and_how_well(
    bundle: Bundle, learnt: Adaptation, tmp_path: Path
) -> None:
    out = write_adapted(bundle, learnt, tmp_path / "new", dataset="our slides", licence="ours")
    old, new = bundle.manifest, out.manifest
    assert new.version == "1.0.0-adapted"
    source = new.training[0]
    assert (source.name, source.licence, source.labels) == ("our slides", "ours", "laboratory")
    assert source.sha256 == (learnt.truth.sha256,)
    assert new.training[1:] == old.training
    assert new.calibration is not None
    assert "each case by layers of the others" in new.calibration.fitted_on
    metrics = {metric.name: metric for metric in new.metrics}
    assert metrics["average precision"].value == pytest.approx(learnt.adapted.average_precision)
    assert metrics["f1"].value == pytest.approx(learnt.adapted.score.f1)
    assert new.files[old.detector] != old.files[old.detector]  # it states the hash of the new verifier
    card = out.read("MODEL_CARD.md").decode()
    assert card.startswith("# dark\n")
    assert learnt.describe() in card


def test_labels_that_teach_nothing_write_nothing(bundle: Bundle, tmp_path: Path) -> None:
    truth, files = laboratory(tmp_path, by_chance=True)
    done = adapt(bundle, truth, files, protocol=PROTOCOL, config=CONFIG)
    assert not done.is_better
    with pytest.raises(
        NotBetterError, match=r"not better on 6 held-out cases .*nothing was written"
    ) as refused:
        write_adapted(bundle, done, tmp_path / "new", dataset="x")
    assert refused.value.exit_status == 1
    assert not (tmp_path / "new").exists()


def test_a_case_is_never_judged_by_layers_that_have_seen_it(
    bundle: Bundle, lab: tuple[GroundTruth, dict[str, Path]], learnt: Adaptation
) -> None:
    """Other labels of one case change what the others are judged by, but not its own scores."""
    truth, files = lab
    cells = truth.slides[0].cells
    moved = TrueCells.of(cells.points_px0, np.roll(cells.label, 3))  # as many figures: the same folds
    changed = truth.with_slides((replace(truth.slides[0], cells=moved), *truth.slides[1:]))
    other = adapt(bundle, changed, files, protocol=PROTOCOL, config=CONFIG)
    own, its = (
        {name: image.sweep.scores for name, image in one.adapted.evaluation.judged_images.items()}
        for one in (learnt, other)
    )
    assert np.array_equal(own["f0"], its["f0"])
    assert any(not np.array_equal(own[name], its[name]) for name in own)


class EnoughError(Exception):
    """What was to be told was told: the rest need not be done."""


def test_nothing_is_learnt_from_what_nobody_examined_or_could_tell(
    bundle: Bundle, lab: tuple[GroundTruth, dict[str, Path]]
) -> None:
    truth, files = lab

    def learnt_from(labelled: GroundTruth) -> int:
        def listen(line: str) -> None:
            if line.startswith("learning from"):
                raise EnoughError(line.split()[2])

        with pytest.raises(EnoughError) as heard:
            adapt(bundle, labelled, files, protocol=PROTOCOL, config=CONFIG, say=listen)
        return int(str(heard.value))

    half = ExaminedArea(Region.of_box(BoxPx0(0, 0, SIDE / 2, SIDE)), "the left half")
    unsure = [
        replace(
            slide,
            cells=TrueCells.of(
                slide.cells.points_px0, np.where(np.arange(SPOTS) < 3, AMBIGUOUS.name, slide.cells.label)
            ),
        )
        for slide in truth
    ]
    assert learnt_from(truth) == len(truth) * SPOTS
    halves = truth.with_slides(replace(slide, stated_examined=half) for slide in truth)
    assert learnt_from(halves) == len(truth) * SPOTS / 2
    assert learnt_from(truth.with_slides(unsure)) == len(truth) * (SPOTS - 3)


@pytest.mark.parametrize("fields", [1, 2])
def test_few_cases_are_refused(bundle: Bundle, tmp_path: Path, fields: int) -> None:
    truth, files = laboratory(tmp_path, fields=fields)
    with pytest.raises(TrainingDataError, match=rf"figures of {fields} cases are too few.*bundle calibrate"):
        adapt(bundle, truth, files, protocol=PROTOCOL, config=CONFIG)


def test_few_figures_are_refused(bundle: Bundle, lab: tuple[GroundTruth, dict[str, Path]]) -> None:
    truth, files = lab
    few = truth.with_slides(replace(slide, cells=slide.cells.take(np.arange(2))) for slide in truth)
    with pytest.raises(TrainingDataError, match="of 6 cases are too few"):
        adapt(bundle, few, files, protocol=PROTOCOL, config=CONFIG)


def test_one_kind_of_candidates_alone_is_refused(
    bundle: Bundle, lab: tuple[GroundTruth, dict[str, Path]]
) -> None:
    truth, files = lab
    alike = truth.with_slides(
        replace(slide, cells=TrueCells.of(slide.cells.points_px0, MITOTIC_FIGURE.name)) for slide in truth
    )
    with pytest.raises(TrainingDataError, match=r"no candidate of dark 1\.0\.0 is none"):
        adapt(bundle, alike, files, protocol=PROTOCOL, config=CONFIG)


def test_a_bundle_of_one_stage_is_refused(lab: tuple[GroundTruth, dict[str, Path]], tmp_path: Path) -> None:
    single = write_bundle(
        tmp_path / "tiny",
        description=tiny().tiny_description(),
        onnx={"detector.onnx": tiny().tiny_onnx()},
        self_test_rgb=tiny().spotted(64, 64, spots=4, seed=1),
    )
    with pytest.raises(BundleError, match=r"tiny 1\.0\.0 has no second stage to adapt"):
        adapt(single, *lab, protocol=PROTOCOL, config=CONFIG)


def test_a_slide_that_was_exchanged_is_refused(
    bundle: Bundle, lab: tuple[GroundTruth, dict[str, Path]]
) -> None:
    truth, files = lab
    other = truth.with_slides(replace(slide, sha256="0" * 64) for slide in truth)
    with pytest.raises(TrainingDataError, match=r"f0\.png: is not the file that was labelled"):
        adapt(bundle, other, files, protocol=PROTOCOL, config=CONFIG)
