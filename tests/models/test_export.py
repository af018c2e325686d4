from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from mitoscope.bundle.graph import check_graph
from mitoscope.bundle.network import find_points, open_network
from mitoscope.models.config import FcnConfig
from mitoscope.models.export import export_onnx, fold_norms
from mitoscope.models.fcn import Fcn, FcnResnet12, PointDetector, receptive_field

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def family() -> Fcn:
    torch.manual_seed(1)
    made = Fcn(FcnConfig(architecture="fcn-resnet12", widths=(16, 16, 24)))
    network = made.network
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(torch.as_tensor(module.running_mean), 0, 0.1)
            nn.init.uniform_(torch.as_tensor(module.running_var), 0.5, 1.5)
    nn.init.constant_(torch.as_tensor(network.classifier.bias), 0.0)
    return made.eval()


@pytest.fixture(scope="module")
def detector(family: Fcn) -> PointDetector:
    return family.exportable().eval()


@pytest.fixture(scope="module")
def onnx(family: Fcn) -> bytes:
    return export_onnx(family)


def _noise(*shape: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(5).integers(0, 255, (shape[0], shape[1] // 8, shape[2] // 8, 3))
    return coarse.repeat(8, 1).repeat(8, 2).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 128, 64), (2, 72, 200)])
def test_onnx_runtime_and_torch_give_the_same_points(
    detector: PointDetector, onnx: bytes, shape: tuple[int, int, int]
) -> None:
    windows = _noise(*shape)
    there = find_points(open_network(onnx, where="test"), windows)
    with torch.inference_mode():
        here = detector(torch.from_numpy(windows)).numpy()
    assert there.dtype == np.float32
    assert there.shape == here.shape == (shape[0], 256, 3)
    used = here[..., 2] > 0
    assert used.sum() > 3
    assert np.array_equal(used, there[..., 2] > 0)
    assert there[used] == pytest.approx(here[used], abs=2e-3)
    assert (np.diff(there[..., 2], axis=1) <= 0).all()


def test_the_graph_passes_the_bundle_s_inspection(onnx: bytes) -> None:
    check_graph(onnx, where="test")
    assert b"BatchNormalization" not in onnx


def test_folding_leaves_the_original_alone(detector: PointDetector) -> None:
    network = detector.network
    assert isinstance(network, FcnResnet12)
    windows = torch.from_numpy(_noise(1, 64, 64))
    with torch.inference_mode():
        assert fold_norms(network)(windows) == pytest.approx(network(windows).numpy(), abs=1e-4)
    assert isinstance(network.stem_norm, nn.BatchNorm2d)


def test_a_point_depends_on_nothing_beyond_the_halo(detector: PointDetector, onnx: bytes) -> None:
    network = detector.network
    assert isinstance(network, FcnResnet12)
    halo = receptive_field(network).halo_px
    whole = _noise(1, 320, 320)
    session = open_network(onnx, where="test")
    points = find_points(session, whole)[0]
    inner = points[(np.abs(points[:, :2] - 160) < 60).all(axis=1) & (points[:, 2] > 0)]
    assert len(inner)
    for point in inner:
        x, y = (int(value) for value in point[:2])
        kept = np.s_[:, max(y - halo, 0) : y + halo + 1, max(x - halo, 0) : x + halo + 1]
        changed = np.zeros_like(whole)
        changed[kept] = whole[kept]
        found = find_points(session, changed)[0]
        found = found[found[:, 2] > 0]
        assert np.abs(found - point).max(axis=1).min() < 2e-3
