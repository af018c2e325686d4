"""The network of a bundle as a function: windows in, points out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from mitoscope.bundle.graph import CONTRACT_KEY, check_graph
from mitoscope.bundle.manifest import ModelDescription
from mitoscope.errors import BundleDamagedError

# Of a runtime that was imported before this package, or that reports to Windows instead.
ort.disable_telemetry_events()

# ONNX Runtime's errors have no common base.
ORT_ERRORS: Final[tuple[type[Exception], ...]] = (
    ort_state.EPFail,
    ort_state.EngineError,
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NoModel,
    ort_state.NoSuchFile,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
)
"""Everything that ONNX Runtime raises when a graph does not load or run."""

_SILENT = 4  # severity "fatal": problems are raised, not printed


_BYTES: Final = ("AVX512VNNI", "AVX512_CLX", "AVX512_ICL", "ASIMDDP")
"""Features of processors that multiply bytes and add up in 32 bits (VNNI; on ARM the dot product)."""


@cache
def multiplies_bytes() -> bool:
    """Return whether this processor multiplies bytes without saturating on the way."""
    # NumPy asks every processor that it runs on, on every system; the newest ones of Intel without AVX-512
    # are known from Linux alone.
    own = import_module("numpy._core._multiarray_umath")
    features: dict[str, bool] = getattr(own, "__cpu_features__", {})
    if any(features.get(name) for name in _BYTES):
        return True
    try:
        return " avx_vnni " in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def is_int8(onnx: bytes) -> bool:
    """Return whether a graph multiplies in int8, stated as QDQ: a bundle may hold graphs of both kinds."""
    return b"DequantizeLinear" in onnx


def open_network(
    onnx: bytes,
    *,
    where: str,
    threads: int = 1,
    providers: tuple[str, ...] = ("CPUExecutionProvider",),
    as_floats: bool = False,
) -> ort.InferenceSession:
    """Open a graph after a look at it.

    Parameters
    ----------
    onnx : bytes
        Content of the ONNX file.
    where : str
        The file, for the error.
    threads : int
        Threads inside an operator.
    providers : tuple of str
        Execution providers in order of preference.
    as_floats : bool
        Compute in float32 what a graph in int8 says; slower, for processors that do not multiply bytes.

    Raises
    ------
    BundleDamagedError
        If the graph is refused (`check_graph`) or cannot be loaded.
    """
    check_graph(onnx, where=where)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _SILENT
    if as_floats:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        return ort.InferenceSession(onnx, sess_options=options, providers=list(providers))
    except ORT_ERRORS as error:
        raise BundleDamagedError(f"ONNX Runtime cannot load it ({_first_line(error)})", where=where) from None


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def check_network(session: ort.InferenceSession, description: ModelDescription, *, where: str) -> None:
    """Check input and output of a network against its description.

    Raises
    ------
    BundleDamagedError
        Unless it maps uint8 (N, H, W, 3) to float32 (N, K, 3) with a free N, with H and W free or equal to
        `window_px`, and K free or equal to `top_k`.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise BundleDamagedError(
            f"one input and one output expected, got {len(inputs)} and {len(outputs)}", where=where
        )
    window, slots = description.window_px, description.top_k
    expected = (
        (inputs[0], "tensor(uint8)", ((None,), (None, window), (None, window), (3,))),
        (outputs[0], "tensor(float)", ((None,), (None, slots), (None, 3))),
    )
    _check_nodes(expected, where=where)


def _check_nodes(
    expected: Iterable[tuple[Any, str, tuple[tuple[int | None, ...], ...]]], *, where: str
) -> None:
    for node, kind, allowed in expected:
        shape = tuple(size if isinstance(size, int) else None for size in node.shape or ())
        fits = len(shape) == len(allowed) and all(
            size in sizes for size, sizes in zip(shape, allowed, strict=True)
        )
        if node.type != kind or not fits:
            raise BundleDamagedError(
                f"{node.name} is {node.type} {node.shape}, which is not the bundle's interface", where=where
            )


def check_scorer(session: ort.InferenceSession, *, side_px: int, classes: int, where: str) -> None:
    """Check input and output of a classifier or a regressor.

    Raises
    ------
    BundleDamagedError
        Unless it maps uint8 (N, side, side, 3) to float32 (N, classes), N free.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise BundleDamagedError(
            f"one input and one output expected, got {len(inputs)} and {len(outputs)}", where=where
        )
    expected = (
        (inputs[0], "tensor(uint8)", ((None,), (None, side_px), (None, side_px), (3,))),
        (outputs[0], "tensor(float)", ((None,), (None, classes))),
    )
    _check_nodes(expected, where=where)


def takes_any_window(session: ort.InferenceSession) -> bool:
    """Tell whether height and width of the windows are free."""
    return not any(isinstance(size, int) for size in session.get_inputs()[0].shape[1:3])


def contract_of(session: ort.InferenceSession) -> str | None:
    """Return what the graph itself says about its use, or None."""
    value: str | None = session.get_modelmeta().custom_metadata_map.get(CONTRACT_KEY)
    return value


def score_windows(session: ort.InferenceSession, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run a classifier or a regressor: windows uint8 (n, h, w, 3) to scores float32 (n, classes)."""
    name = session.get_inputs()[0].name
    scores: NDArray[np.float32] = session.run(None, {name: windows})[0]
    return scores


def find_points(session: ort.InferenceSession, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run the network.

    Parameters
    ----------
    windows : ndarray of uint8, shape (n, h, w, 3)
        RGB.

    Returns
    -------
    ndarray of float32, shape (n, k, 3)
        x, y in window px and score, by descending score; slots that are not used have score 0.
    """
    name = session.get_inputs()[0].name
    points: NDArray[np.float32] = session.run(None, {name: windows})[0]
    return points
