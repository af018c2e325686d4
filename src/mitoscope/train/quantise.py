"""A bundle in int8: a third of the size, twice as fast on processors that multiply bytes.

Static quantisation as QDQ, weights per channel: the graph states for every tensor how its float became a
byte, so that a processor without such instructions can compute the same in float32. The last linear layer of
every graph before its scores, and all that follows it, stays in float32: neither log-odds nor coordinates of
points are bytes. Pixels are, and stay so where a graph normalises all channels alike.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mitoscope.bundle import Bundle
from mitoscope.bundle.network import is_int8
from mitoscope.bundle.write import revise
from mitoscope.data.field import Field
from mitoscope.data.sampling import PROPOSAL
from mitoscope.data.slide_field import open_field
from mitoscope.errors import BundleError, TrainingDataError
from mitoscope.search import crop_at
from mitoscope.slide.pixels import reduced_rgb
from mitoscope.train.detect import propose

_LINEAR: Final = frozenset({"Conv", "Gemm", "MatMul"})
_QUANTISED: Final = _LINEAR | {"Add", "Clip", "MaxPool", "Relu", "Resize"}
_SHAPES: Final = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""What changes no value."""
_FLOAT_FIRST: Final = 3
"""Linear layers that stay in float32 where the input is not pixels as they are (resampled crops): every later
one would pass on what these round. An EfficientNet-lite0 loses half as much, in the same time."""
PLACES: Final = 512
"""Of the candidates of all slides: enough for the range of every tensor, a minute of work."""
_BATCH: Final = 32
_WINDOW_PX: Final = 256
"""Of a detector whose windows are free."""
Windows = Sequence[NDArray[np.uint8]]


def quantise(
    bundle: Bundle, slides: Sequence[Path], out: Path, *, stated_mpp: float | None = None, seed: int = 0
) -> Bundle:
    """Write a bundle in int8.

    Parameters
    ----------
    bundle : Bundle
        A detector, of one or two stages, in float32.
    slides : sequence of Path
        Slides or plain images with tissue as it will be searched: the ranges of all tensors are those that
        the networks show at the candidates there. No labels are needed.
    out : Path
        Must not exist.
    stated_mpp : float, optional
        µm/px of images that state none.
    seed : int
        Of the choice among the candidates.

    Returns
    -------
    Bundle
        With the thresholds and the calibration of the other, and without its metrics, which are to be
        measured anew.

    Raises
    ------
    BundleError
        If the bundle is no detector, or is in int8 already.
    TrainingDataError
        If there are no candidates on the slides.
    SlideFormatError, ScaleError
        If a slide cannot be opened or states no resolution.
    OutputError
        If the folder exists or cannot be written.
    """
    manifest = bundle.manifest
    if manifest.kind != "points":
        raise BundleError(
            f"{manifest.source} is not a detector", where=bundle.folder, mend="join it to one first"
        )
    if manifest.precision == "int8":
        raise BundleError(f"{manifest.source} is in int8 already", where=bundle.folder)
    verifier = manifest.verifier
    mpp = manifest.mpp if verifier is None else verifier.mpp
    shown = _places(bundle, slides, mpp=mpp, stated_mpp=stated_mpp, seed=seed)
    reduction = max(round(manifest.mpp / mpp), 1)
    free = manifest.window_px if manifest.window_px < _WINDOW_PX else _WINDOW_PX
    windows = [reduced_rgb(window, reduction) for window in _cut(shown[::4], free * reduction, bundle)]
    graphs = {manifest.detector: to_int8(bundle.onnx, windows)}
    if verifier is not None:
        for name, side in zip(verifier.files, verifier.sides_px, strict=True):
            graphs[name] = to_int8(bundle.read(name), _cut(shown, side, bundle))
    if (subtype := manifest.subtype) is not None and not is_int8(own := bundle.read(subtype.file)):
        graphs[subtype.file] = to_int8(own, _cut(shown, subtype.crop_px, bundle))
    changes: dict[str, Any] = {
        "precision": "int8",
        "summary": f"{manifest.summary.rstrip('.')}; in int8",
        "metrics": (),
    }
    return revise(bundle, out, changes, graphs=graphs)


def _places(
    bundle: Bundle, slides: Sequence[Path], *, mpp: float, stated_mpp: float | None, seed: int
) -> list[tuple[Field, float, float]]:
    """Return candidates of the first stage, the likely ones more often than the others."""
    fields = [
        open_field(path, source="slides", case=path.name, domain="", mpp=mpp, stated_mpp=stated_mpp)
        for path in slides
    ]
    rows: list[tuple[Field, float, float]] = []
    score: list[float] = []
    for field in propose(fields, bundle, floor=bundle.manifest.score_floor, mpp=mpp):
        own = field.labels.take(field.labels.label == PROPOSAL)
        rows += [(field, x, y) for x, y in own.points.tolist()]
        score += own.agreement.tolist()
    if not rows:
        raise TrainingDataError(
            f"{bundle.manifest.source} finds no candidates on {len(slides)} slides",
            mend="name slides with cells to quantise on",
        )
    chance = np.array(score) / sum(score)
    chosen = np.random.default_rng(seed).choice(len(rows), min(PLACES, len(rows)), replace=False, p=chance)
    return [rows[place] for place in chosen.tolist()]


def _cut(places: Sequence[tuple[Field, float, float]], side_px: int, bundle: Bundle) -> Windows:
    mirror_px = side_px if bundle.manifest.border == "mirror" else 0
    return [field.window(crop_at(x, y, side_px), mirror_px=mirror_px) for field, x, y in places]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    """Hands windows to the calibration in batches."""

    def __init__(self, name: str, windows: Windows) -> None:
        self._batches: Iterator[Mapping[str, NDArray[np.uint8]]] = (
            {name: np.stack(windows[start : start + _BATCH])} for start in range(0, len(windows), _BATCH)
        )

    def get_next(self) -> Mapping[str, NDArray[np.uint8]] | None:
        return next(self._batches, None)


def to_int8(graph: bytes, windows: Windows) -> bytes:
    """Quantise a graph, its last linear layers and what follows them left out.

    Parameters
    ----------
    graph : bytes
        ONNX whose input is ``uint8 (N, H, W, 3)``.
    windows : sequence of ndarray of uint8, shape (h, w, 3)
        What it is shown; all of one shape.

    Raises
    ------
    BundleError
        If no layer can be quantised.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, plain, small = (Path(folder, f"{name}.onnx") for name in ("given", "plain", "int8"))
        given.write_bytes(graph)
        quant_pre_process(str(given), str(plain), skip_symbolic_shape=True)  # shapes are known without
        model = onnx.load(plain)
        inner = _inner_layers(model.graph)
        if not any(node.op_type in _LINEAR for node in model.graph.node if node.name in inner):
            raise BundleError("has no layer that could be in int8", where="graph")
        log = logging.getLogger()
        level = log.level
        log.setLevel(logging.ERROR)  # the library advises what was done above
        try:
            quantize_static(
                plain,
                small,
                _Reader(model.graph.input[0].name, windows),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=sorted(_QUANTISED),
                nodes_to_quantize=sorted(inner),
            )
        finally:
            log.setLevel(level)
        made: bytes = _reading_bytes(onnx.load(small)).SerializeToString()
        return made


def _reading_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Hand pixels to the first layer as the bytes that they are, where (x - mean) / deviation is their float.

    Notes
    -----
    With the scale 1 / deviation and the zero point mean a byte stands for exactly that float, so that it
    need not be computed first and made a byte again.
    """
    graph = model.graph
    given = graph.input[0].name
    makers = {name: node for node in graph.node for name in node.output}
    for made in [node for node in graph.node if node.op_type == "QuantizeLinear"]:
        found = _normalised(made.input[0], graph, makers)
        if found is None:
            continue
        turn, mean, deviation = found
        graph.node.remove(turn)
        turn.input[0], turn.output[0] = given, f"{given}_turned"
        graph.node.insert(0, turn)
        own = {f"{given}_scale": np.float32(1 / deviation), f"{given}_zero": np.uint8(mean)}
        graph.initializer.extend(
            onnx.numpy_helper.from_array(np.array(value), name) for name, value in own.items()
        )
        for node in graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] == made.output[0]:
                node.input[:] = [turn.output[0], *own]
    _drop_unused(graph)
    onnx.checker.check_model(model)
    return model


def _normalised(
    name: str, graph: onnx.GraphProto, makers: Mapping[str, onnx.NodeProto]
) -> tuple[onnx.NodeProto, float, float] | None:
    """Return what turns the windows of a value, and its mean and deviation; None if it is not that alone."""
    constant = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    turn, mean, deviation = None, 0.0, 1.0
    while name != graph.input[0].name:
        node = makers.get(name)
        if node is None:
            return None
        value = constant.get(node.input[-1], np.empty(0))
        alike = value.size > 0 and np.ptp(value) == 0
        if node.op_type == "Sub" and alike:
            mean += float(value.flat[0])
        elif node.op_type == "Div" and alike:
            mean, deviation = mean * float(value.flat[0]), deviation * float(value.flat[0])
        elif node.op_type == "Transpose" and turn is None:
            turn = node
        elif node.op_type != "Cast":
            return None
        name = node.input[0]
    return None if turn is None or mean not in range(256) else (turn, mean, deviation)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove the nodes and the constants that nothing asks for."""
    results = {output.name for output in graph.output}
    while True:
        asked = results.union(*(node.input for node in graph.node))
        unused = [node for node in graph.node if not asked.intersection(node.output)]
        if not unused:
            break
        for node in unused:
            graph.node.remove(node)
    for constant_ in [constant_ for constant_ in graph.initializer if constant_.name not in asked]:
        graph.initializer.remove(constant_)


def _inner_layers(graph: onnx.GraphProto) -> set[str]:
    """Return the names of the layers after which another linear layer comes; one of scores is none.

    Without the first ones, and what stands before them, where they are not shown pixels as they are.
    """
    makers = {name: node for node in graph.node for name in node.output}

    def of_scores(node: onnx.NodeProto) -> bool:
        before = makers.get(node.input[0])
        while before is not None and before.op_type in _SHAPES:
            before = makers.get(before.input[0])
        return before is not None and before.op_type in ("Sigmoid", "Softmax")

    inner: set[str] = set()
    seen: set[str] = set()
    linear = [node for node in graph.node if node.op_type in _LINEAR and not of_scores(node)]
    shown_pixels = bool(linear) and _normalised(linear[0].input[0], graph, makers) is not None
    if not shown_pixels and len(linear) > 2 * _FLOAT_FIRST:
        kept = linear[_FLOAT_FIRST].name  # nodes of a graph stand in the order of their work
        seen.update(node.name for node in takewhile(lambda node: node.name != kept, graph.node))
    waiting = [name for node in linear for name in node.input]
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        waiting += node.input
        if node.op_type in _QUANTISED:
            inner.add(node.name)
    return inner
