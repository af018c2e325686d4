"""Beginning with other weights: those of a run, those of a bundle, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mitoscope.bundle import load_bundle
from mitoscope.bundle.network import find_points, open_network
from mitoscope.errors import BundleError, LedgerMismatchError, TrainingDataError
from mitoscope.models.build import build
from mitoscope.models.config import ClassifierConfig, FasterRcnnConfig, FcnConfig, RegressorConfig
from mitoscope.train import Recipe, train
from mitoscope.train.checkpoint import save
from mitoscope.train.job import Job, new_state
from mitoscope.train.state import weights_of
from mitoscope.train.transfer import (
    WEIGHTS_NAME,
    Origin,
    begin_with,
    pack_weights,
    read_origin,
    unpack_weights,
)

from .conftest import job_of

pytestmark = pytest.mark.train


def _classifier(labels: tuple[str, ...], *, seed: int) -> torch.nn.Module:
    return build(ClassifierConfig(architecture="classifier", labels=labels, patch_px=32), seed=seed)


def test_a_head_for_other_labels_stays_new_and_the_rest_is_taken() -> None:
    one, other = _classifier(("a", "b"), seed=0), _classifier(("a", "b", "c"), seed=1)
    before = weights_of(other)
    taken = begin_with(other, Origin("o", "classifier", weights_of(one), ()), architecture="classifier")
    after, theirs = weights_of(other), weights_of(one)
    new = [name for name in after if after[name].shape != theirs[name].shape]
    assert len(new) == 2  # kernel and bias of the head
    assert taken == len(after) - 2
    for name, value in after.items():
        assert np.array_equal(value, before[name] if name in new else theirs[name])


def test_the_shipped_network_is_trained_on_from_its_graph_alone() -> None:
    bundle = load_bundle("semi-fcn")
    assert WEIGHTS_NAME not in bundle.manifest.files
    network = build(FcnConfig(architecture="fcn-resnet12", widths=(32, 64, 128)), seed=0)
    taken = begin_with(network, read_origin("semi-fcn"), architecture="fcn-resnet12")
    assert taken == len(network.state_dict())
    with Image.open(io.BytesIO(bundle.read(bundle.manifest.self_test.image))) as image:
        tile = np.array(image.convert("RGB"))[None]
    wanted = find_points(open_network(bundle.onnx, where="semi-fcn"), tile)[0]
    assert (wanted[:, 2] > 0.5).any()
    for mode in (network.eval(), network.train()):  # in training by the statistics of the tile
        with torch.no_grad():
            found = mode.exportable()(torch.from_numpy(tile)).numpy()[0]
        assert np.abs(found[:3, 2] - wanted[:3, 2]).max() < 0.01
        assert np.abs(found[0, :2] - wanted[0, :2]).max() < 1


def test_another_architecture_or_other_sizes_are_named() -> None:
    network = build(FcnConfig(architecture="fcn-resnet12", widths=(16, 16, 16)), seed=0)
    with pytest.raises(LedgerMismatchError, match="architecture is classifier, not fcn-resnet12"):
        begin_with(network, Origin("o", "classifier", {}, ()), architecture="fcn-resnet12")
    wide = weights_of(build(FcnConfig(architecture="fcn-resnet12", widths=(32, 32, 32)), seed=0))
    with pytest.raises(LedgerMismatchError, match=r"of \d+ layers fit"):
        begin_with(network, Origin("o", "fcn-resnet12", wide, ()), architecture="fcn-resnet12")


def test_the_weights_of_a_run_and_of_its_bundle_are_the_best_ones(
    tiny_data: Path, tmp_path: Path, recipe: Recipe
) -> None:
    bundle = train(recipe, tiny_data, tmp_path / "run")
    of_run, of_bundle = read_origin(str(tmp_path / "run")), read_origin(str(bundle.folder))
    assert of_run.sha256 == of_bundle.sha256
    assert of_bundle.training == bundle.manifest.training
    assert [one.name for one in of_run.training] == [one.name for one in of_bundle.training]
    onward = recipe.model_copy(update={"start_from": str(bundle.folder)})
    job = job_of(onward, tiny_data, tmp_path / "next")
    network = new_state(job).network
    assert all(np.array_equal(v, of_run.weights[n]) for n, v in weights_of(network).items())
    assert job.fingerprint != job_of(recipe, tiny_data, tmp_path / "next").fingerprint


def test_a_graph_of_another_network_has_no_weights_to_train_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.train.unfold.ARCHITECTURE", "another")
    with pytest.raises(BundleError, match="no weights to train on"):
        read_origin("semi-fcn")


def test_a_damaged_checkpoint_is_refused(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    save(new_state(job), path, run="r", architecture="fcn-resnet12")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingDataError, match="not a whole checkpoint"):
        read_origin(str(tmp_path))


def test_packed_weights_come_back_and_damage_is_seen() -> None:
    network = build(FcnConfig(architecture="fcn-resnet12", widths=(16, 16, 16)), seed=0)
    content = pack_weights(weights_of(network))
    back = unpack_weights(content, where="w")
    assert all(np.array_equal(value, back[name]) for name, value in weights_of(network).items())
    with pytest.raises(BundleError, match="no weights in it"):
        unpack_weights(content[:200], where="w")


def test_a_detector_begins_with_the_backbone_of_a_regressor() -> None:
    regressor = build(RegressorConfig(architecture="regressor", patch_px=64), seed=3)
    detector = build(FasterRcnnConfig(architecture="faster-rcnn-resnet50", patch_px=64), seed=4)
    before, theirs = weights_of(detector), weights_of(regressor)
    origin = Origin("o", "regressor", theirs, ())
    begin_with(detector, origin, architecture="faster-rcnn-resnet50")
    after = weights_of(detector)
    name = "parts.backbone.body.layer4.2.conv3.weight"
    assert np.array_equal(after[name], theirs["network.layer4.2.conv3.weight"])
    assert not np.array_equal(after[name], before[name])
    head = "parts.roi_heads.box_predictor.cls_score.weight"
    assert np.array_equal(after[head], before[head])
    small = build(RegressorConfig(architecture="regressor", backbone="resnet18", patch_px=64), seed=3)
    with pytest.raises(LedgerMismatchError, match="arrays of a ResNet-50"):
        begin_with(
            detector, Origin("o", "regressor", weights_of(small), ()), architecture="faster-rcnn-resnet50"
        )
