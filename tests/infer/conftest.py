from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image

from mitoscope.bundle import Bundle, write_bundle

# Deadlines measure the load of the machine, not the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The tiny detector of the bundle's tests, with a receptive field that a person can check."""
    name = "tiny_detector"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "bundle" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def tiny_bundle(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "tiny",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )


@pytest.fixture(scope="session")
def poisoned_bundle(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Gives NaN for a window that has a pixel of red below 5."""
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "poisoned",
        description=tiny.tiny_description(name="poisoned"),
        onnx={"detector.onnx": tiny.tiny_onnx(poison=True)},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )


@pytest.fixture(scope="session")
def picture(tiny: ModuleType) -> NDArray[np.uint8]:
    """A field of 331 × 257 px: no side is a multiple of anything."""
    rgb: NDArray[np.uint8] = tiny.spotted(257, 331, spots=60, seed=7)
    return rgb


@pytest.fixture(scope="session")
def field(picture: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "field.png"
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture
def damaged_slide(picture: NDArray[np.uint8], tmp_path: Path) -> Path:
    """A tiled TIFF of the picture whose tile at (128, 64), 64 × 64 px, does not decode."""
    path = tmp_path / "damaged.tif"
    tifffile.imwrite(path, picture, tile=(64, 64), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        across = -(-picture.shape[1] // 64)
        number = 1 * across + 2
        offset, size = page.dataoffsets[number], page.databytecounts[number]
    content = bytearray(path.read_bytes())
    content[offset : offset + size] = b"\xff" * size
    path.write_bytes(content)
    return path


@pytest.fixture(scope="session")
def cascade_bundle(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny detector with two verifiers, each of which looks at four mirror images."""
    return write_cascade(tiny, tmp_path_factory.mktemp("bundles") / "cascade", gains=(1.0, 0.5), flips=True)


def write_cascade(
    tiny: ModuleType,
    folder: Path,
    *,
    gains: tuple[float, ...] = (1.0,),
    poison: bool = False,
    mpp: float = 0.25,
    **verifier: object,
) -> Bundle:
    """Write the tiny detector, at a resolution, with one verifier at 0.25 µm/px for each gain."""
    graphs = {
        f"verifier-{n}.onnx": tiny.verifier_onnx(gain=gain, poison=poison) for n, gain in enumerate(gains)
    }
    return write_bundle(
        folder,
        description=tiny.tiny_description(
            name="cascade", mpp=mpp, verifier=tiny.tiny_verifier(files=tuple(graphs), **verifier)
        ),
        onnx={"detector.onnx": tiny.tiny_onnx(), **graphs},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
