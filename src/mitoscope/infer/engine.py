"""The engine: windows through the network, in batches that fit into memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mitoscope.bundle import Bundle
from mitoscope.bundle.network import ORT_ERRORS, find_points, is_int8, multiplies_bytes, open_network
from mitoscope.errors import ConfigError, NonFiniteError, OutOfMemoryError, RunError
from mitoscope.infer.workers import cores
from mitoscope.search import Detector

_PROVIDERS: Final = {
    "cpu": ("CPUExecutionProvider", "onnxruntime"),
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}
"""Of each provider its name in ONNX Runtime, and the package that brings it."""
# ONNX Runtime has no type for it; these are its texts on the CPU and under CUDA.
_OUT_OF_MEMORY: Final = re.compile(
    r"failed to allocate memory|bad_alloc|out of memory|not enough memory|cuda failure 2|cuda_error_out",
    re.IGNORECASE,
)


Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A network as a function: windows (n, h, w, 3) to points (n, k, 3) with x, y in window px and score, or to
scores (n, looks, classes)."""


def open_bundle_network(bundle: Bundle, *, provider: str = "cpu", threads: int | None = None) -> Network:
    """Open the network of a bundle.

    Raises
    ------
    ConfigError
        If the provider is not installed.
    BundleDamagedError
        If the graph changed since the bundle was loaded.
    """
    session = open_graph(bundle, bundle.manifest.detector, provider=provider, threads=threads)
    return lambda windows: find_points(session, windows)


def open_detector(bundle: Bundle, *, provider: str = "cpu", threads: int | None = None) -> Detector:
    """Open the first stage of a bundle for searches other than a run; errors as `open_bundle_network`."""
    network = open_bundle_network(bundle, provider=provider, threads=threads)
    return Detector(network, bundle.manifest.mpp, bundle.manifest.border)


def check_provider(provider: str) -> None:
    """Refuse a provider that ONNX Runtime lacks, before anything is computed.

    Raises
    ------
    ConfigError
        If it is not installed: the GPU that torch has may be none to ONNX Runtime.
    """
    wanted, package = _PROVIDERS[provider]
    if wanted not in ort.get_available_providers():
        raise ConfigError(
            f"provider {provider!r} is not available",
            mend=f"install {package} in place of onnxruntime, or take --provider cpu",
        )


def open_graph(bundle: Bundle, name: str, *, provider: str, threads: int | None) -> ort.InferenceSession:
    """Open one graph of a bundle; errors as `open_bundle_network`."""
    check_provider(provider)
    wanted, _ = _PROVIDERS[provider]
    graph = bundle.read(name)
    session = open_network(
        graph,
        where=str(bundle.folder / name),
        threads=threads or cores(),
        providers=tuple(dict.fromkeys((wanted, _PROVIDERS["cpu"][0]))),
        as_floats=is_int8(graph) and not multiplies_bytes(),
    )
    if wanted not in session.get_providers():
        raise ConfigError(
            f"provider {provider!r} does not start here", mend="check its driver, or take --provider cpu"
        )
    return session


class Engine:
    """Runs a network over any number of windows.

    Parameters
    ----------
    network : Network
        The network.
    batch : int
        Most windows in one call. Halved for good whenever they do not fit into memory.
    """

    def __init__(self, network: Network, *, batch: int) -> None:
        self._network = network
        self.batch = batch

    def find(
        self, windows: Sequence[NDArray[np.uint8]], *, places: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Find the points of windows.

        Parameters
        ----------
        windows : sequence of ndarray of uint8, shape (h, w, 3)
            RGB. Neighbours of one shape go through the network together.
        places : sequence of str
            What each window is called in an error.

        Returns
        -------
        list of ndarray of float32, shape (k, 3)
            x, y in window px and score, for each window.

        Raises
        ------
        OutOfMemoryError
            If not even one window fits.
        NonFiniteError
            If the network gives NaN or infinity (promise 18); names the window.
        RunError
            If the network gives a score outside [0, 1] or does not run.
        """
        return self._run(windows, places, column=2)

    def score(
        self, windows: Sequence[NDArray[np.uint8]], *, places: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Score windows as wholes.

        Parameters
        ----------
        windows, places
            As for `find`.

        Returns
        -------
        list of ndarray of float32, shape (views, classes)
            For each window.

        Raises
        ------
        OutOfMemoryError, NonFiniteError, RunError
            As `find`.
        """
        return self._run(windows, places, column=slice(None))

    def _run(
        self, windows: Sequence[NDArray[np.uint8]], places: Sequence[str], *, column: int | slice
    ) -> list[NDArray[np.float32]]:
        results: list[NDArray[np.float32]] = []
        while len(results) < len(windows):
            start = len(results)
            output = self._try(np.stack(_alike(windows[start : start + self.batch])))
            if output is not None:
                _check(output, output[..., column], places[start : start + len(output)])
                results.extend(output)
        return results

    def _try(self, windows: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Run one batch; None after the batch was halved (promise 17)."""
        try:
            return self._network(windows)
        except MemoryError:
            pass
        except ORT_ERRORS as error:
            if not _OUT_OF_MEMORY.search(str(error)):
                line = " ".join(str(error).split())[:200]
                raise RunError(
                    f"the network does not run ({line})",
                    mend="take --provider cpu where another one was chosen",
                ) from None
        if len(windows) == 1:
            raise OutOfMemoryError(
                f"not even one window of {windows.shape[2]} × {windows.shape[1]} px fits into memory",
                mend="close other programs or take a smaller window_px",
            )
        self.batch = len(windows) // 2
        return None


def _alike(windows: Sequence[NDArray[np.uint8]]) -> Sequence[NDArray[np.uint8]]:
    """Return the first windows up to a change of shape."""
    count = next((n for n, window in enumerate(windows) if window.shape != windows[0].shape), len(windows))
    return windows[:count]


def _check(output: NDArray[np.float32], score: NDArray[np.float32], places: Sequence[str]) -> None:
    count = len(output)
    finite = np.isfinite(output).reshape(count, -1).all(axis=1)
    if not finite.all():
        raise NonFiniteError("the network gives NaN or infinity", where=places[int(np.argmin(finite))])
    fair = ((score >= 0) & (score <= 1)).reshape(count, -1).all(axis=1)
    if not fair.all():
        raise RunError("the network gives a score outside [0, 1]", where=places[int(np.argmin(fair))])
