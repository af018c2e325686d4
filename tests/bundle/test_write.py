from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mitoscope.bundle import write_bundle
from mitoscope.errors import BundleDamagedError, BundleError, OutputError


def test_nothing_is_left_when_the_self_test_picture_is_empty(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError, match="finds nothing"):
        write_bundle(
            tmp_path / "b",
            description=tiny.tiny_description(),
            onnx={"d.onnx": tiny.tiny_onnx()},
            self_test_rgb=np.full((64, 64, 3), 255, dtype=np.uint8),
        )
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_the_interface_is_another(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError, match="interface"):
        write_bundle(
            tmp_path / "b",
            description=tiny.tiny_description(top_k=7),
            onnx={"d.onnx": tiny.tiny_onnx()},
            self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
        )
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_stays(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        write_bundle(
            tmp_path,
            description=tiny.tiny_description(),
            onnx={"d.onnx": tiny.tiny_onnx()},
            self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
        )


def test_a_reserved_name_is_refused(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="taken twice"):
        write_bundle(
            tmp_path / "b",
            description=tiny.tiny_description(),
            onnx={"manifest.json": tiny.tiny_onnx()},
            self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
        )
