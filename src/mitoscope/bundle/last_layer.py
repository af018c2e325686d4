"""The last layer of a classifier's graph: what it sees of a crop, and the graph with another last layer.

The last layer is the last product with a matrix, whose outputs are the log-odds of the classes of a crop; or
the last convolution of 1 × 1 px, which gives those of each cell of a map, of which the score is the best near
the middle. Neither is believed but tried: when the log-odds of a crop rise by a little, its score must rise
by as much; and the score must be that of a cell of the map. Another last layer is written beside the old one,
as a second product of the same features that is added; so a graph of integers keeps them. Of a map it is
added to the cell that counts: no other one was learnt from.

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
        model = onnx.load_model_from_string(self.graph)
        graph = model.graph
        mark = f"adapted-{len(graph.node)}"
        (_of_cell if self.is_map else _of_crop)(graph, self, mark, weights, shift)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content


def _of_crop(graph: onnx.GraphProto, layer: LastLayer, mark: str, weights: Floats, shift: float) -> None:
    """Add to the log-odds of a class what another product of the features gives."""
    own = f"{mark}/{{}}".format
    matrix = np.zeros((layer.features, layer.channels), np.float32)
    bias = np.zeros(layer.channels, np.float32)
    matrix[:, layer._channel], bias[layer._channel] = weights, shift
    for node in graph.node:
        node.input[:] = [own("log_odds") if name == layer.outputs else name for name in node.input]
    place = next(n for n, node in enumerate(graph.node) if layer.outputs in node.output) + 1
    _insert(
        graph,
        place,
        {own("weights"): matrix, own("bias"): bias},
        [
            ("Gemm", [layer.inputs, own("weights"), own("bias")], own("change"), {}),
            ("Add", [layer.outputs, own("change")], own("log_odds"), {}),
        ],
    )


def _of_cell(graph: onnx.GraphProto, layer: LastLayer, mark: str, weights: Floats, shift: float) -> None:
    """Add it to the log-odds of the cell that is the score, where there is one."""
    own, scores = f"{mark}/{{}}".format, graph.output[0].name
    for node in graph.node:
        node.input[:] = [own("before") if name == scores else name for name in node.input]
        node.output[:] = [own("before") if name == scores else name for name in node.output]
    constants = {
        "rows": np.array([0, -1]),
        "cells": np.array([0, layer.features, -1]),
        "column": np.array([layer.column]),
        "last": np.array([2]),
        "weights": np.asarray(weights, np.float32)[:, np.newaxis],
        "shift": np.asarray(shift, np.float32),
        "one": np.asarray(1, np.float32),
        "none": np.asarray(0, np.float32),
    }
    kept = [own("score"), own("rest")]
    _insert(
        graph,
        len(graph.node),
        {own(name): value for name, value in constants.items()},
        [
            ("Gather", [own("before"), own("column")], own("own"), {"axis": 1}),
            ("Reshape", [layer.outputs, own("rows")], own("map"), {}),
            ("Sigmoid", [own("map")], own("map_scores"), {}),
            ("Sub", [own("map_scores"), own("own")], own("apart"), {}),
            ("Abs", [own("apart")], own("distance"), {}),
            ("ArgMin", [own("distance")], own("cell"), {"axis": 1, "keepdims": 1}),
            ("Reshape", [layer.inputs, own("cells")], own("features"), {}),
            ("Transpose", [own("features")], own("by_cell"), {"perm": [0, 2, 1]}),
            ("MatMul", [own("by_cell"), own("weights")], own("product"), {}),
            ("Squeeze", [own("product"), own("last")], own("change"), {}),
            ("Add", [own("map"), own("change")], own("changed"), {}),
            ("GatherElements", [own("changed"), own("cell")], own("best"), {"axis": 1}),
            ("Add", [own("best"), own("shift")], own("log_odds"), {}),
            ("Sigmoid", [own("log_odds")], own("found"), {}),
            ("Greater", [own("own"), own("none")], own("is_there"), {}),
            ("Where", [own("is_there"), own("found"), own("own")], own("score"), {}),
            ("Sub", [own("one"), own("score")], own("rest"), {}),
            ("Concat", kept if layer.column == 0 else kept[::-1], scores, {"axis": 1}),
        ],
    )


def _insert(
    graph: onnx.GraphProto,
    place: int,
    constants: dict[str, NDArray[Any]],
    nodes: list[tuple[str, list[str], str, dict[str, Any]]],
) -> None:
    """Insert constants and nodes: operator, inputs, output, attributes."""
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    for number, (kind, inputs, output, attributes) in enumerate(nodes):
        graph.node.insert(place + number, helper.make_node(kind, inputs, [output], output, **attributes))


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
        mend="take a verifier that ends in a linear layer, or choose a threshold with bundle calibrate",
    )


def _is_linear(node: onnx.NodeProto, known: set[str]) -> bool:
    """Tell whether a node multiplies features with known weights; a convolution only cell by cell."""
    if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[0] in known or node.input[1] not in known:
        return False
    stated = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type == "Conv":
        return set(stated.get("kernel_shape", [])) == {1} and stated.get("group", 1) == 1
    return not stated.get("transA", 0)


def _layer_at(
    node: onnx.NodeProto, graph: bytes, crops: NDArray[np.uint8], *, column: int
) -> LastLayer | None:
    """Return a node as the last layer, with the sizes that it has when it runs; None if they do not fit."""
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
    """Try a layer: see the module."""
    before = _scores(layer.graph, crops)
    if layer.is_map:
        found = before[:, layer.column] > 0
        return bool(found.any() and before.shape[1] == 2 and layer.of(crops).known[found].all())
    after = _scores(layer.changed(np.zeros(layer.features), _TRIED_SHIFT), crops)[:, layer.column]
    own = before[:, layer.column]
    sure = (np.minimum(own, after) > _CERTAIN) & (np.maximum(own, after) < 1 - _CERTAIN)
    if not sure.any():
        return False
    rise = np.log(after[sure] / (1 - after[sure])) - np.log(own[sure] / (1 - own[sure]))
    return bool(np.abs(rise - _TRIED_SHIFT).max() < _TRIED_TOLERANCE)


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
