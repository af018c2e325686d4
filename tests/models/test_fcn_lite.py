"""The early layers of EfficientNet-lite0: as they were learnt, and seeing exactly as far as is stated."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from mitoscope.bundle.network import find_points, open_network
from mitoscope.errors import ConfigError
from mitoscope.models.build import build
from mitoscope.models.config import LiteFcnConfig
from mitoscope.models.export import export_onnx
from mitoscope.models.fcn_lite import Lite0, LiteFcn, reach_px
from mitoscope.models.pretrained import PRETRAINED, begun_with, put_pretrained

from .conftest import batch, noise

pytestmark = pytest.mark.train
WEIGHTS = "efficientnet-lite0"


def config(**values: object) -> LiteFcnConfig:
    return LiteFcnConfig.parse({"architecture": "fcn-lite0", "head": 16} | values, where="test")


def test_its_layers_are_those_that_were_learnt() -> None:
    whole: Any = timm.create_model("tf_efficientnet_lite0").eval()
    put_pretrained(whole, PRETRAINED[WEIGHTS])
    own = Lite0(config(weights=WEIGHTS, coarse_blocks=3)).eval()
    mine = nn.Sequential(own.stem, own.fine, own.middle, own.coarse).state_dict().values()
    theirs = nn.Sequential(whole.conv_stem, whole.bn1, *whole.blocks[:4]).state_dict().values()
    assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True))
    planes = own.normalise(torch.from_numpy(noise(1, 72, 72)))
    with torch.inference_mode():
        # TensorFlow pads an even side behind alone, so that its grid begins a px later.
        there = whole.bn1(whole.conv_stem(planes[:, :, 1:65, 1:65]))[0, :, :31, :31]
        assert own.stem(planes)[0, :, 1:32, 1:32].numpy() == pytest.approx(there.numpy(), abs=1e-5)


@pytest.mark.parametrize("reduction", [1, 2])
def test_one_value_a_cell_and_few_figures_at_first(reduction: int) -> None:
    network = Lite0(config(weights=WEIGHTS, reduction=reduction)).eval()
    log_odds = network(torch.from_numpy(noise(2, 64, 96)))
    cell = 8 // reduction
    assert log_odds.shape == (2, 64 // cell, 96 // cell)
    layout = LiteFcn(config(reduction=reduction)).layout()
    assert (layout.mpp, layout.training_cell_px) == (0.25 * reduction, 8)


@pytest.mark.parametrize(("reduction", "coarse"), [(1, 1), (2, 1), (2, 3)])
def test_the_gradient_reaches_exactly_that_far(reduction: int, coarse: int) -> None:
    network = Lite0(config(reduction=reduction, coarse_blocks=coarse)).eval()
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.register_forward_hook(lambda _m, inputs, _o: inputs[0])  # nothing is cut off
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.05)
    before, after = reach_px(network)
    cell = 8 // reduction
    reached = []
    for index in range(128 // cell, 144 // cell):  # all cells that share a place at stride 16
        windows = torch.full((1, 288, 288, 3), 200.0, requires_grad=True)
        network(windows)[0, index, index].backward()
        assert windows.grad is not None
        seen = (windows.grad.abs().sum((0, 2, 3)) > 0).nonzero()[:, 0]
        reached.append((index * cell - int(seen.min()), int(seen.max()) - index * cell))
    assert (max(b for b, _ in reached), max(a for _, a in reached)) == (before, after)


def test_a_point_depends_on_nothing_beyond_the_halo() -> None:
    family = build(config(weights=WEIGHTS, reduction=2), seed=1).eval()
    halo, stride = family.layout().halo_px, family.layout().stride_px
    whole = noise(1, 320, 320)
    session = open_network(export_onnx(family), where="test")
    points = find_points(session, whole)[0]
    inner = points[(abs(points[:, :2] - 160) < 30).all(axis=1) & (points[:, 2] > 0)]
    assert len(inner) > 3
    for point in inner:
        x, y = (int(value) for value in point[:2])
        left, top = (max(place - halo, 0) // stride * stride for place in (x, y))
        changed = whole.copy()
        changed[:, : max(y - halo, 0)] = 0
        changed[:, y + halo + 1 :] = 0
        changed[:, :, : max(x - halo, 0)] = 0
        changed[:, :, x + halo + 1 :] = 0
        # A window that begins elsewhere on the lattice gives the same.
        found = find_points(session, changed[:, top:, left:][:, :208, :208])[0] + (left, top, 0)
        assert abs(found[found[:, 2] > 0] - point).max(axis=1).min() < 2e-3


def test_frozen_norms_keep_their_statistics_and_learn_their_scale() -> None:
    made = build(config(weights=WEIGHTS, frozen_norms=True), seed=1)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    made.train()
    made.loss(batch()).backward()  # type: ignore[no-untyped-call]
    assert made.training
    assert all(torch.equal(before[key], value) for key, value in made.state_dict().items())
    assert all(own.grad is not None for own in made.parameters())
    with pytest.raises(ConfigError, match="frozen_norms needs weights"):
        config(frozen_norms=True)


def test_a_bundle_names_the_weights_it_began_with() -> None:
    (source,) = begun_with(config(weights=WEIGHTS))
    assert source.sha256 == (PRETRAINED[WEIGHTS].sha256,)
