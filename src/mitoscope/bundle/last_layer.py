"""The last layer of a classifier's graph: what it sees of a crop, and the graph with another last layer.

The last layer is the last convolution of 1 × 1 px, or the last product with a matrix, whose outputs are the
log-odds on which the score rests: of the crop as a whole (one row a crop), or of each cell of a map, of which
the score is the best near the middle. That it is this layer is not believed but tried: when its output rises
by a little, the log-odds of the score must rise by as much. Another last layer is written beside the old one,
as a second product of the same features that is added to its output; so a graph of integers keeps them.

Needs the package onnx, which the base install does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mitoscope.bundle.network import open_network
from mitoscope.errors import BundleError

Floats = NDArray[np.float64]

_BATCH: Final = 32
_TRIED_SHIFT: Final = 0.25
_TRIED_TOLERANCE: Final = 0.02
_CERTAIN: Final = 0.002
"""Nearer to 0 or 1 than this a float32 score says too little of its log-odds."""
_SAME_SCORE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Features:
    """What the last layer of a graph sees of some crops.

    Parameters
    ----------
    values : ndarray of float64, shape (n, f)
        Of a map those of the cell whose score counts.
    log_odds : ndarray of float64, shape (n,)
        Of the score, as the layer gives them.
    known : ndarray of bool, shape (n,)
        False where no cell of a map counts: nothing was found near the middle.
    """

    values: Floats
    log_odds: Floats
    known: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: list[Features]) -> Features:
        """Return those of all parts, one after the other."""
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.log_odds for part in parts]),
            np.concatenate([part.known for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class LastLayer:
    """The last layer of a graph that scores crops.

    Parameters
    ----------
    graph : bytes
        ONNX, ``uint8 (N, H, W, 3)`` to probabilities ``float32 (N, classes)``.
    inputs, outputs : str
        Names of its features and of what it gives.
    features, channels : int
        How many it sees, and how many log-odds it gives.
    is_map : bool
        Whether it gives them for every cell of a map.
    column : int
        Which output of the graph is meant.
    """

    graph: bytes
    inputs: str
    outputs: str
    features: int
    channels: int
    is_map: bool
    column: int

    @property
    def _channel(self) -> int:
        return self.column if self.channels > 1 else 0

    def of(self, crops: NDArray[np.uint8]) -> Features:
        """Return what the layer sees of crops, uint8 (n, h, w, 3)."""
        session = open_network(_with_outputs(self.graph, [self.inputs, self.outputs]), where="verifier")
        name = session.get_inputs()[0].name
        none = Features(np.empty((0, self.features)), np.empty(0), np.empty(0, np.bool_))
        parts = [none]
        for batch in _batches(crops):
            scores, seen, given = session.run(None, {name: batch})
            parts.append(self._of_map(scores, seen, given) if self.is_map else self._of_row(seen, given))
        return Features.joined(parts)

    def _of_row(self, seen: NDArray[Any], given: NDArray[Any]) -> Features:
        given = given.astype(np.float64)
        own = given[:, self._channel]
        others = np.delete(given, self._channel, axis=1)
        rest = np.logaddexp.reduce(others, axis=1) if self.channels > 1 else 0.0
        return Features(seen.astype(np.float64), own - rest, np.ones(len(own), np.bool_))

    def _of_map(self, scores: NDArray[Any], seen: NDArray[Any], given: NDArray[Any]) -> Features:
        log_odds = given[:, 0].reshape(len(given), -1).astype(np.float64)
        score = scores[:, self.column].astype(np.float64)
        apart = np.abs(1 / (1 + np.exp(-log_odds)) - score[:, np.newaxis])
        cell = apart.argmin(axis=1)
        rows = np.arange(len(cell))
        values = seen.reshape(*seen.shape[:2], -1)[rows, :, cell]
        known = (apart[rows, cell] < _SAME_SCORE) & (score > 0)
        return Features(values.astype(np.float64), log_odds[rows, cell], known)

    def changed(self, weights: Floats, shift: float) -> bytes:
        """Return the graph with a last layer whose log-odds are higher by ``features @ weights + shift``.

        Parameters
        ----------
        weights : ndarray of float64, shape (features,)
        shift : float
        """
        own = helper.make_node
        model = onnx.load_model_from_string(self.graph)
        graph = model.graph
        mark = f"adapted{sum(node.name.startswith('adapted') for node in graph.node)}"
        matrix = np.zeros((self.features, self.channels), np.float32)
        matrix[:, self._channel] = weights
        more = np.zeros(self.channels, np.float32)
        more[self._channel] = shift
        if self.is_map:
            matrix = np.ascontiguousarray(matrix.T)[:, :, np.newaxis, np.newaxis]
        names = [f"{mark}/{part}" for part in ("weights", "shift", "change", "log_odds")]
        for node in graph.node:
            node.input[:] = [names[3] if name == self.outputs else name for name in node.input]
        place = next(n for n, node in enumerate(graph.node) if self.outputs in node.output) + 1
        graph.initializer.extend([
            numpy_helper.from_array(matrix, names[0]),
            numpy_helper.from_array(more, names[1]),
        ])  # fmt: skip
        kind = "Conv" if self.is_map else "Gemm"
        graph.node.insert(place, own(kind, [self.inputs, *names[:2]], [names[2]], name=f"{mark}/{kind}"))
        graph.node.insert(place + 1, own("Add", [self.outputs, names[2]], [names[3]], name=f"{mark}/Add"))
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content


def find_last_layer(graph: bytes, crops: NDArray[np.uint8], *, column: int, where: str) -> LastLayer:
    """Find the last layer of a graph that scores crops.

    Parameters
    ----------
    graph : bytes
        ONNX, ``uint8 (N, H, W, 3)`` to probabilities ``float32 (N, classes)``.
    crops : ndarray of uint8, shape (n, h, w, 3)
        On which a layer is tried; several should score between 0.002 and 0.998.
    column : int
        Which output is meant.
    where : str
        The file, for the error.

    Raises
    ------
    BundleError
        If no layer is the last one.
    BundleDamagedError
        If the graph does not run.
    """
    model = onnx.load_model_from_string(graph)
    known = {tensor.name for tensor in model.graph.initializer}
    known |= {
        node.output[0] for node in model.graph.node if not any(name not in known for name in node.input)
    }
    for node in reversed(model.graph.node):
        if _is_linear(node, known):
            layer = _layer_at(node, graph, crops, column=column)
            if layer is not None and _holds(layer, crops):
                return layer
    raise BundleError(
        "no last layer that could be trained was found in this graph",
        where=where,
        mend="take a bundle whose verifier ends in a linear layer, or choose a threshold with bundle calibrate",
    )


def _is_linear(node: onnx.NodeProto, known: set[str]) -> bool:
    """Tell whether a node multiplies features with known weights; a convolution only cell by cell."""
    if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[0] in known or node.input[1] not in known:
        return False
    stated = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type == "Conv":
        return set(stated.get("kernel_shape", [])) == {1} and stated.get("group", 1) == 1
    return not stated.get("transA", 0)


def _layer_at(
    node: onnx.NodeProto, graph: bytes, crops: NDArray[np.uint8], *, column: int
) -> LastLayer | None:
    """Return a node as the last layer, with the sizes that it has when it runs; None where they do not fit."""
    outputs = _after_bias(node, onnx.load_model_from_string(graph))
    session = open_network(_with_outputs(graph, [node.input[0], outputs]), where="verifier")
    scores, seen, given = session.run(None, {session.get_inputs()[0].name: crops[:1]})
    is_map = node.op_type == "Conv"
    fits = seen.ndim == given.ndim == (4 if is_map else 2) and given.dtype == seen.dtype == np.float32
    channels = given.shape[1]
    if not fits or channels not in ({1} if is_map else {1, scores.shape[1]}):
        return None
    return LastLayer(graph, node.input[0], outputs, seen.shape[1], channels, is_map, column)


def _after_bias(node: onnx.NodeProto, model: onnx.ModelProto) -> str:
    """Return the output of a node, of a product with a bias in a node of its own that of the sum."""
    output: str = node.output[0]
    users = [user for user in model.graph.node if output in user.input]
    if node.op_type == "MatMul" and len(users) == 1 and users[0].op_type == "Add":
        output = users[0].output[0]
    return output


def _holds(layer: LastLayer, crops: NDArray[np.uint8]) -> bool:
    """Try a layer: its output, a little higher, must raise the log-odds of the score by as much."""
    before, after = (
        _scores(graph, crops)[:, layer.column]
        for graph in (layer.graph, layer.changed(np.zeros(layer.features), _TRIED_SHIFT))
    )
    sure = (np.minimum(before, after) > _CERTAIN) & (np.maximum(before, after) < 1 - _CERTAIN)
    if not sure.any():
        return False
    rise = np.log(after[sure] / (1 - after[sure])) - np.log(before[sure] / (1 - before[sure]))
    return bool(abs(np.median(rise) - _TRIED_SHIFT) < _TRIED_TOLERANCE)


def _scores(graph: bytes, crops: NDArray[np.uint8]) -> Floats:
    session = open_network(graph, where="verifier")
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: batch})[0] for batch in _batches(crops)]).astype(
        np.float64
    )


def _batches(crops: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(crops), _BATCH):
        yield crops[start : start + _BATCH]


def _with_outputs(graph: bytes, names: list[str]) -> bytes:
    model = onnx.load_model_from_string(graph)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    content: bytes = model.SerializeToString()
    return content
