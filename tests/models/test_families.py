"""Every family: it learns, its stages hold every parameter once, its graph does what torch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.bundle.graph import check_graph
from mitoscope.bundle.network import open_network
from mitoscope.models.build import build
from mitoscope.models.config import (
    ClassifierConfig,
    FasterRcnnConfig,
    FcnConfig,
    LiteFcnConfig,
    ModelConfig,
    RegressorConfig,
    RetinaNetConfig,
)
from mitoscope.models.export import export_onnx
from mitoscope.models.family import Family
from mitoscope.models.retinanet import RetinaNet

from .conftest import SIDE_PX, batch, gap, noise

pytestmark = pytest.mark.train

CONFIGS: tuple[ModelConfig, ...] = (
    FcnConfig(architecture="fcn-resnet12", widths=(16, 16, 16)),
    FcnConfig(architecture="fcn-resnet12", widths=(16, 16, 16), reduction=2),
    LiteFcnConfig(architecture="fcn-lite0", weights="efficientnet-lite0"),
    LiteFcnConfig(architecture="fcn-lite0", reduction=2, coarse_blocks=3, head=16),
    RetinaNetConfig(architecture="retinanet-resnet18", channels=16, patch_px=SIDE_PX),
    FasterRcnnConfig(architecture="faster-rcnn-resnet50", patch_px=SIDE_PX, agreement_weighted=True),
    ClassifierConfig(architecture="classifier", backbone="resnet18", patch_px=64),
    ClassifierConfig(
        architecture="classifier",
        backbone="tf_efficientnet_lite0",
        weights="efficientnet-lite0",
        patch_px=72,
        input_px=96,
        frozen_norms=True,
    ),
    RegressorConfig(architecture="regressor", backbone="mobilenetv3_small_050", patch_px=64),
)


@pytest.fixture(
    scope="module",
    params=CONFIGS,
    ids=lambda c: f"{c.architecture}-{getattr(c, 'reduction', getattr(c, 'backbone', 1))}",
)
def family(request: pytest.FixtureRequest) -> Family:
    torch.set_num_threads(1)
    made = build(request.param, seed=3)
    if isinstance(made, RetinaNet):  # its head begins at zero, where all scores are equal
        torch.nn.init.normal_(torch.as_tensor(made.classes[-1].weight), 0, 0.5)
        torch.nn.init.zeros_(torch.as_tensor(made.classes[-1].bias))
    return made


def test_stages_hold_every_parameter_once(family: Family) -> None:
    staged = [id(parameter) for stage in family.stages() for parameter in stage]
    assert len(staged) == len(set(staged))
    assert set(staged) == {id(parameter) for parameter in family.parameters()}


def test_a_batch_moves_every_parameter(family: Family) -> None:
    family.train()
    loss = family.loss(batch())
    assert loss.ndim == 0
    loss.backward()  # type: ignore[no-untyped-call]
    unmoved = [name for name, own in family.named_parameters() if own.grad is None]
    assert unmoved == []
    assert torch.isfinite(loss)
    family.zero_grad()


def test_onnx_runtime_gives_what_torch_gives(family: Family) -> None:
    layout = family.layout()
    side = SIDE_PX if layout.any_window else layout.window_px
    onnx = export_onnx(family)
    check_graph(onnx, where="test")
    session = open_network(onnx, where="test")
    network = family.exportable().eval()
    for count in (2, 3):
        windows = noise(count, side, side)
        there = session.run(None, {"windows": windows})[0]
        with torch.inference_mode():
            here = network(torch.from_numpy(windows)).numpy()
        assert here.shape == there.shape
        assert there.dtype == np.float32
        if family.kind == "points":
            assert (here[..., 2] > 0).sum() > 3
            assert gap(here, there) < 2e-3
            assert (np.diff(there[..., 2], axis=1) <= 0).all()
        else:
            assert there == pytest.approx(here, abs=1e-5)
            assert there.shape == (count, family.outputs)


def test_the_seed_gives_the_weights() -> None:
    config = CONFIGS[0]
    one, same, other = (build(config, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
