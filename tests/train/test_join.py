"""Joining bundles: what stands in the one that comes of it, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from mitoscope.bundle import Blend, load_bundle, verify_bundle
from mitoscope.bundle.network import find_points, open_network, score_windows
from mitoscope.bundle.write import revise
from mitoscope.cli.app import app
from mitoscope.errors import BundleError, ConfigError
from mitoscope.infer.verify import open_verifier
from mitoscope.labels import ATYPICAL_FIGURE, MITOTIC_FIGURE
from mitoscope.train.join import join, with_subtype

from .untrained import untrained_kinds

pytestmark = pytest.mark.train


def test_two_detectors_look_again_in_the_middle_of_a_crop(tmp_path: Path) -> None:
    own = load_bundle("semi-fcn")
    made = join(own, [own, own], tmp_path / "joined", name="both", floor=0.6, crop_px=64, doubt=(0.1, 0.8))
    stage = made.manifest.verifier
    assert stage is not None
    assert (stage.files, stage.doubt, stage.looks) == (("verifier.onnx", "verifier-2.onnx"), (0.1, 0.8), 2)
    assert (made.manifest.score_floor, stage.crop_px, stage.flips) == (0.6, 64, False)
    assert made.manifest.points == own.manifest.points
    assert made.manifest.training == own.manifest.training
    assert verify_bundle(made) > 0
    crops = np.random.default_rng(1).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    points = find_points(open_network(own.onnx, where="test"), crops)
    near = np.hypot(points[..., 0] - 32, points[..., 1] - 32) <= 15
    best = np.where(near, points[..., 2], 0).max(axis=1)
    for name in stage.files:
        score = score_windows(open_network(made.read(name), where="test"), crops)[:, 0]
        assert score == pytest.approx(best, abs=1e-6)


def test_the_first_stage_of_two_takes_another_second_one(tmp_path: Path) -> None:
    two_stages, own = load_bundle("cascade"), load_bundle("semi-fcn")
    made = join(two_stages, [own], tmp_path / "joined", name="other", floor=0.3)
    stage = made.manifest.verifier
    assert stage is not None
    assert (stage.files, stage.doubt, stage.proposal_threshold) == (("verifier.onnx",), None, 0.3)
    window = np.random.default_rng(1).integers(0, 255, (1, 256, 256, 3), dtype=np.uint8)
    first, same = (find_points(open_network(one.onnx, where="test"), window) for one in (two_stages, made))
    assert (first == same).all()
    assert made.read("verifier.onnx") != two_stages.read("verifier.onnx")
    assert made.manifest.calibration is None  # it was of the scores of the other second stage
    assert made.manifest.summary.startswith(
        f"the first stage of {two_stages.manifest.source} proposes, semi-fcn"
    )
    assert verify_bundle(made) > 0


def test_verifiers_of_several_crops_see_the_same_middle(tmp_path: Path) -> None:
    own = load_bundle("semi-fcn")
    small = join(own, [own], tmp_path / "small", name="small", crop_px=64)
    made = join(own, [own, own], tmp_path / "both", name="both", crop_px=96, blend=(2, 1, 0.5))
    stage = made.manifest.verifier
    assert stage is not None
    assert (stage.blend, stage.crops_px) == (Blend(weights=(2, 1), proposal=0.5), None)
    graphs = {"verifier.onnx": made.read("verifier.onnx"), "verifier-2.onnx": small.read("verifier.onnx")}
    sides = stage.model_copy(update={"crops_px": (96, 64)})
    mixed = revise(made, tmp_path / "mixed", {"verifier": sides}, verifiers=graphs)
    assert verify_bundle(mixed) > 0
    every, further = open_verifier(mixed)
    assert further is None
    crops = np.random.default_rng(1).integers(0, 255, (3, 96, 96, 3), dtype=np.uint8)
    of_small = score_windows(open_network(graphs["verifier-2.onnx"], where="test"), crops[:, 16:80, 16:80])
    assert every(crops)[:, 1] == pytest.approx(of_small)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    own, two_stages = load_bundle("semi-fcn"), load_bundle("cascade")
    with pytest.raises(BundleError, match="two stages already"):
        join(own, [own, two_stages], tmp_path / "joined", name="both")
    with pytest.raises(ConfigError, match="nothing resolves a doubt"):
        join(own, [own], tmp_path / "joined", name="both", doubt=(0.1, 0.8))
    with pytest.raises(ConfigError, match="2 weights"):
        join(own, [own, own], tmp_path / "joined", name="both", blend=(1, 1))
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("weights", ["1", "0,1", "1,-1", "a,b", "nan,1", "1,inf"])
def test_weights_are_numbers_above_nought(tmp_path: Path, weights: str) -> None:
    command = ["bundle", "join", "semi-fcn", "semi-fcn", "--blend", weights]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "joined")])
    assert "not a list of weights" in str(done.exception)


def test_a_classifier_of_kinds_is_added_to_a_detector(tmp_path: Path) -> None:
    kinds = untrained_kinds(tmp_path / "kinds", ATYPICAL_FIGURE.name, MITOTIC_FIGURE.name)
    own = load_bundle("semi-fcn")
    command = ["bundle", "join", "semi-fcn", "--subtype", str(kinds.folder), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    made = load_bundle(tmp_path / "out")
    subtype = made.manifest.subtype
    assert subtype is not None
    assert (subtype.crop_px, subtype.threshold, subtype.finds) == (64, 0.5, ATYPICAL_FIGURE.name)
    assert made.read(subtype.file) == kinds.onnx
    assert (made.manifest.verifier, made.manifest.points) == (own.manifest.verifier, own.manifest.points)
    assert made.manifest.training == (*own.manifest.training, *kinds.manifest.training)
    card = made.read("MODEL_CARD.md").decode()
    assert card.startswith(own.read("MODEL_CARD.md").decode().rstrip())
    assert card.count("## Kinds of figures") == 1
    assert "an aid" in card
    assert verify_bundle(made) > 0
    again = with_subtype(made, kinds, tmp_path / "again")
    assert again.read("MODEL_CARD.md").decode() == card, "it stands there once"


def test_what_tells_no_kinds_apart_is_refused(tmp_path: Path) -> None:
    own = load_bundle("semi-fcn")
    other = untrained_kinds(tmp_path / "other", MITOTIC_FIGURE.name, "look-alike")
    for classifier in (own, other):
        with pytest.raises((BundleError, ValidationError)):
            with_subtype(own, classifier, tmp_path / "out")
    with pytest.raises(BundleError, match="finds nothing"):
        with_subtype(other, other, tmp_path / "out")
    done = CliRunner().invoke(app, ["bundle", "join", "cascade", "--out", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert "nothing to join" in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("doubt", ["0.9,0.1", "0.5", "a,b", "0.1,1.5"])
def test_scores_of_doubt_are_two_from_0_to_1(tmp_path: Path, doubt: str) -> None:
    command = ["bundle", "join", "semi-fcn", "semi-fcn", "--flips", "--doubt", doubt]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "joined")])
    assert done.exit_code != 0
    told = str(done.exception)
    assert re.search("not two scores, the lower one first", told)
