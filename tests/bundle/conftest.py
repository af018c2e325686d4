from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from mitoscope.bundle import Bundle, write_bundle

# Deadlines measure the load of the machine, not the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


def _load_tiny() -> ModuleType:
    name = "tiny_detector"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    return _load_tiny()


@pytest.fixture(scope="session")
def tiny_bundle(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "tiny",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
        files={"CARD.md": b"# tiny\n"},
    )
