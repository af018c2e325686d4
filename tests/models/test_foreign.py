"""Weights of known networks: the points of a bundle are those that the network itself gives."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.bundle.importing import Statement, plan_of, read_network, training_source
from mitoscope.bundle.importing.assemble import assemble
from mitoscope.bundle.network import find_points, open_network, score_windows
from mitoscope.errors import BundleError, ConfigError

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from safetensors.torch import save_file  # noqa: E402
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn  # noqa: E402

from mitoscope.models.foreign import export_weights  # noqa: E402

pytestmark = pytest.mark.train

CLASSES = ("mitotic figure", "look-alike")
SIDE = 128


def _statement(layout: str) -> Statement:
    return Statement.stating(
        layout=layout,
        mpp=0.25,
        classes=CLASSES,
        licence="MIT",
        training=(training_source("none"),),
        citation="none",
        floor=0.0,
    )


def _windows(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def _graph(onnx: bytes, layout: str) -> Any:
    plan = plan_of(read_network(onnx, where="network.onnx"), _statement(layout))
    return open_network(assemble(plan), where="network.onnx")


def test_a_detector_of_torchvision(tmp_path: Path) -> None:
    torch.manual_seed(1)
    options = {"min_size": SIDE, "max_size": SIDE, "box_score_thresh": 0.3}
    network = fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=3, **options
    ).eval()
    path = tmp_path / "weights.pth"
    torch.save({"model": {f"module.{key}": value for key, value in network.state_dict().items()}}, path)
    onnx = export_weights(
        path,
        layout="torchvision",
        network="fasterrcnn_mobilenet_v3_large_320_fpn",
        classes=2,
        window_px=SIDE,
        options=options,
    )
    windows = _windows(3)
    points = find_points(_graph(onnx, "torchvision"), windows)
    for window, found in zip(windows, points, strict=True):
        with torch.inference_mode():
            own = network([torch.from_numpy(window).permute(2, 0, 1) / 255])[0]
        figures = own["labels"] == 1
        boxes, scores = own["boxes"][figures].numpy(), own["scores"][figures].numpy()
        assert len(scores) > 3
        expected = np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, scores])
        kept = found[found[:, 2] > 0]
        np.testing.assert_allclose(kept, expected, atol=2e-2)


def test_a_classifier_of_timm(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = timm.create_model("test_resnet.r160_in1k", pretrained=False, num_classes=2).eval()
    path = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), path)
    onnx = export_weights(path, layout="classifier", network="test_resnet", classes=2, window_px=SIDE)
    windows = _windows(3)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        shown = (torch.from_numpy(windows) / 255 - mean) / deviation
        expected = network(shown.permute(0, 3, 1, 2)).softmax(1).numpy()
    np.testing.assert_allclose(score_windows(_graph(onnx, "classifier"), windows), expected, atol=1e-4)


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_no_code_of_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": _Code()}, path)
    with pytest.raises(BundleError, match="without running code from it"):
        export_weights(path, layout="classifier", network="test_resnet", classes=2, window_px=SIDE)
    path.write_bytes(pickle.dumps(_Code()))
    with pytest.raises(BundleError, match="without running code from it"):
        export_weights(path, layout="classifier", network="test_resnet", classes=2, window_px=SIDE)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_resnet", pretrained=False, num_classes=3).state_dict(), path)
    arguments: dict[str, Any] = {"layout": "classifier", "window_px": SIDE}
    with pytest.raises(BundleError, match=r"with these classes: .* is \(3.* expected; name all classes"):
        export_weights(path, network="test_resnet", classes=2, **arguments)
    with pytest.raises(BundleError, match="not the weights of resnet18: lacks"):
        export_weights(path, network="resnet18", classes=3, **arguments)
    with pytest.raises(ConfigError, match="no network 'resnet_of_mine'"):
        export_weights(path, network="resnet_of_mine", classes=3, **arguments)
    with pytest.raises(ConfigError, match="weights alone cannot become"):
        export_weights(path, layout="yolo8", network="yolo11n", classes=3, window_px=SIDE)
