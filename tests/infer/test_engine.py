"""Promises 17 and 18: memory shrinks the batch and not the result, and no NaN gets out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from mitoscope.bundle import Bundle
from mitoscope.errors import ConfigError, NonFiniteError, OutOfMemoryError, RunError
from mitoscope.infer import Engine, open_bundle_network
from mitoscope.infer.engine import Network

PLACES = [f"tile {index}" for index in range(7)]
ORT_TEXT = "bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 134217728"


def _brightness(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    value = windows.mean(axis=(1, 2, 3)) / 255
    points: NDArray[np.float32] = np.stack([value, value, value], axis=1)[:, None].astype(np.float32)
    return points


def _limited(limit: int, failure: Callable[[], Exception], sizes: list[int]) -> Network:
    def run(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(windows))
        if len(windows) > limit:
            raise failure()
        return _brightness(windows)

    return run


@pytest.fixture
def windows() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (7, 8, 8, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "failure",
    [MemoryError, lambda: ort_state.Fail(ORT_TEXT), lambda: ort_state.RuntimeException("std::bad_alloc")],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_the_batch_shrinks_and_the_result_does_not(
    windows: NDArray[np.uint8], failure: Callable[[], Exception], limit: int
) -> None:
    sizes: list[int] = []
    engine = Engine(_limited(limit, failure, sizes), batch=16)
    np.testing.assert_array_equal(np.stack(engine.find(list(windows), places=PLACES)), _brightness(windows))
    assert engine.batch <= max(limit, 16 if limit == 7 else limit)
    sizes.clear()
    engine.find(list(windows), places=PLACES)
    assert max(sizes) <= limit, "a batch that did not fit is not tried again"


def test_when_not_even_one_window_fits_the_error_says_so(windows: NDArray[np.uint8]) -> None:
    with pytest.raises(OutOfMemoryError, match="not even one window of 8 × 8 px"):
        Engine(_limited(0, MemoryError, []), batch=4).find(list(windows), places=PLACES)


def test_another_failure_is_not_taken_for_memory(windows: NDArray[np.uint8]) -> None:
    sizes: list[int] = []
    network = _limited(0, lambda: ort_state.InvalidArgument("Got invalid dimensions"), sizes)
    with pytest.raises(RunError, match="invalid dimensions"):
        Engine(network, batch=4).find(list(windows), places=PLACES)
    assert sizes == [4]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_value_that_is_not_finite_names_its_tile(
    windows: NDArray[np.uint8], bad: float, column: int
) -> None:
    def network(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        points = _brightness(batch)
        points[(batch == windows[5]).all(axis=(1, 2, 3)), 0, column] = bad
        return points

    with pytest.raises(NonFiniteError, match="tile 5: the network gives NaN or infinity"):
        Engine(network, batch=3).find(list(windows), places=PLACES)


def test_a_score_outside_of_its_range_names_its_tile(windows: NDArray[np.uint8]) -> None:
    with pytest.raises(RunError, match="tile 0: the network gives a score outside"):
        Engine(lambda batch: _brightness(batch) + np.float32(1), batch=3).find(list(windows), places=PLACES)


def test_no_window_gives_no_points() -> None:
    assert Engine(_brightness, batch=2).find([], places=[]) == []


def test_windows_of_several_shapes_keep_their_order() -> None:
    random, sizes = np.random.default_rng(1), [8, 8, 6, 6, 6, 8, 10]
    windows = [random.integers(0, 255, (size, 8, 3)).astype(np.uint8) for size in sizes]
    batches: list[int] = []
    found = Engine(_limited(9, MemoryError, batches), batch=4).find(windows, places=PLACES)
    np.testing.assert_array_equal(np.stack(found), np.stack([_brightness(w[None])[0] for w in windows]))
    assert batches == [2, 3, 1, 1]


def test_a_provider_that_is_not_there_is_named(tiny_bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="provider 'cuda' is not available") as caught:
        open_bundle_network(tiny_bundle, provider="cuda")
    assert "onnxruntime-gpu" in str(caught.value)
    with pytest.raises(ConfigError, match="onnxruntime-openvino"):
        open_bundle_network(tiny_bundle, provider="openvino")


_CHILD = """
import resource, sys
import numpy as np
from pathlib import Path
from mitoscope.bundle import load_bundle
from mitoscope.infer import Engine, open_bundle_network
bundle = load_bundle(Path(sys.argv[1]))
engine = Engine(open_bundle_network(bundle, threads=1), batch=16)
windows = np.zeros((16, 512, 512, 3), np.uint8)
engine.find([windows[0, :64, :64]], places=["warm"])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)
points = np.stack(engine.find(list(windows), places=["tile"] * 16))
print(points.shape, engine.batch)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_real_shortage_of_memory_shrinks_the_batch(tiny_bundle: Bundle, tiny: ModuleType) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tiny_bundle.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shape, batch = done.stdout.strip().rsplit(" ", 1)
    assert shape == f"(16, {tiny.TOP_K}, 3)"
    assert 1 <= int(batch) < 16
