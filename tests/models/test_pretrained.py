"""Starting weights from a package: the same network as theirs, of a stated hash, named in the bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.models.build import build
from mitoscope.models.cells import Classifier, backbone
from mitoscope.models.config import ClassifierConfig
from mitoscope.models.pretrained import PRETRAINED, begun_with

pytestmark = pytest.mark.train

# Of the package's own architecture (efficientnet_lite_pytorch 0.1.0, image_size 96, which its padding depends
# on) on the windows below: where the four
# greatest of 1,000 outputs are, their values, and the first four outputs.
THEIRS = {
    "efficientnet-lite0": (
        ([827, 818, 470, 556], [15.9932, 15.9525, 15.3961, 14.2887], [2.5378, 3.0788, -1.0832, 2.3056]),
        ([818, 782, 664, 851], [4.2888, 3.7941, 3.3808, 3.1091], [-0.4071, 0.2791, -0.0025, -0.0336]),
    ),
    "efficientnet-lite2": (
        ([818, 651, 782, 632], [12.8077, 11.6082, 10.4644, 10.0645], [-0.7887, 1.6954, -2.8103, -2.6251]),
        ([641, 644, 818, 744], [12.0372, 11.6928, 10.8569, 10.7767], [0.3036, 1.715, -1.2817, -4.4209]),
    ),
}


def config(weights: str, **values: object) -> ClassifierConfig:
    stated = {"architecture": "classifier", "weights": weights, "backbone": PRETRAINED[weights].backbone}
    return ClassifierConfig.parse(stated | values, where="test")


def windows() -> torch.Tensor:
    y, x = np.mgrid[:96, :96]
    first = np.stack([x * 2 + 20, y * 2 + 30, (x * y) % 251], -1)
    second = np.stack([(x * 3) % 256, (y * 5 + x) % 256, 255 - x - y], -1)
    return torch.from_numpy(np.stack([first, second]).astype(np.uint8))


@pytest.mark.parametrize("name", THEIRS)
def test_the_network_is_the_one_of_the_package(name: str) -> None:
    own = Classifier(config(name, patch_px=96))
    own.network = backbone(config(name), outputs=1000)
    with torch.inference_mode():
        outputs = own.eval().log_odds(windows()).numpy()
    for row, (places, greatest, first) in zip(outputs, THEIRS[name], strict=True):
        assert np.argsort(-row)[:4].tolist() == places
        assert row[places] == pytest.approx(greatest, abs=2e-3)
        assert row[:4] == pytest.approx(first, abs=2e-3)


def test_another_last_layer_is_new_and_near_zero() -> None:
    name = "efficientnet-lite0"
    stated = config(name)
    one, same, other = (build(stated, seed=seed).state_dict() for seed in (1, 1, 2))
    differ = [key for key in one if not torch.equal(one[key], other[key])]
    assert differ == ["network.classifier.weight"]
    assert torch.equal(one[differ[0]], same[differ[0]])
    assert 0 < float(one[differ[0]].abs().max()) < 0.1


def test_frozen_norms_keep_their_statistics_and_learn_their_scale() -> None:
    made = build(config("efficientnet-lite0", frozen_norms=True, dropout=0.3, input_px=64), seed=1)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    made.train()
    assert made.training
    made.log_odds(windows()).sum().backward()  # type: ignore[operator]
    after = made.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(own.grad is not None for own in made.parameters())


def test_crops_are_resampled_inside_the_network() -> None:
    made = Classifier(config("efficientnet-lite0", patch_px=48, input_px=96))
    assert made.layout().window_px == 48
    assert made.planes(windows()[:, :48, :48]).shape == (2, 3, 96, 96)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"efficientnet-lite0 do not fit.*take tf_efficientnet_lite0"):
        build(config("efficientnet-lite0", backbone="tf_efficientnet_lite2"), seed=1)
    with pytest.raises(ConfigError, match="frozen_norms needs weights"):
        ClassifierConfig.parse({"architecture": "classifier", "frozen_norms": True}, where="test")


def test_another_file_or_none_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "efficientnet-lite0"
    weights = PRETRAINED[name]
    monkeypatch.setitem(PRETRAINED, name, replace(weights, sha256="0" * 64))
    with pytest.raises(TrainingDataError, match=r"SHA-256 579344248a93… instead of 000000000000…; reinstall"):
        build(config(name), seed=1)
    monkeypatch.setitem(PRETRAINED, name, replace(weights, file="none.pth"))
    with pytest.raises(TrainingDataError, match="cannot be read"):
        build(config(name), seed=1)
    monkeypatch.setitem(PRETRAINED, name, replace(weights, package="no-such-package"))
    with pytest.raises(ConfigError, match=r"need the package no-such-package; make setup EXTRAS=pretr"):
        build(config(name), seed=1)


def test_a_bundle_names_them() -> None:
    (source,) = begun_with(config("efficientnet-lite0"))
    assert source.sha256 == (PRETRAINED["efficientnet-lite0"].sha256,)
    assert "Apache-2.0" in source.licence
    assert begun_with(ClassifierConfig(architecture="classifier")) == ()
