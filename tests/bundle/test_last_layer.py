from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mitoscope.bundle.last_layer import LastLayer, find_last_layer
from mitoscope.bundle.network import open_network, score_windows
from mitoscope.errors import BundleError

SIDE = 8
WEIGHTS = np.array([[0.5, -0.2], [-0.4, 0.1], [0.3, 0.2]], np.float32)
BIAS = np.array([0.1, -0.3], np.float32)


def crops(n: int = 24) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (n, SIDE, SIDE, 3)).astype(np.uint8)


def graph_of(nodes: Sequence[onnx.NodeProto], constants: dict[str, object], classes: int = 2) -> bytes:
    node = helper.make_node
    head = [
        node("Cast", ["crops"], ["grey"], to=TensorProto.FLOAT),
        node("Transpose", ["grey"], ["planes"], perm=[0, 3, 1, 2]),
        node("Mul", ["planes", "scale"], ["scaled"]),
        node("Add", ["scaled", "centre"], ["small"]),
        node("GlobalAveragePool", ["small"], ["pooled"]),
        node("Flatten", ["pooled"], ["mean"]),
        node("Mul", ["mean", "gain"], ["features"]),
    ]
    values = {"scale": np.float32(1 / 64), "centre": np.float32(-2), "gain": np.float32(6), **constants}
    graph = helper.make_graph(
        [*head, *nodes],
        "classifier",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def gemm(*, transposed: bool = False) -> bytes:
    node = helper.make_node
    matrix = WEIGHTS.T.copy() if transposed else WEIGHTS
    return graph_of(
        [
            node("Gemm", ["features", "matrix", "bias"], ["given"], transB=int(transposed)),
            node("Softmax", ["given"], ["scores"], axis=1),
        ],
        {"matrix": matrix, "bias": BIAS},
    )


def product_and_sum() -> bytes:
    node = helper.make_node
    return graph_of(
        [
            node("MatMul", ["features", "matrix"], ["product"]),
            node("Add", ["product", "bias"], ["given"]),
            node("Softmax", ["given"], ["scores"], axis=1),
        ],
        {"matrix": WEIGHTS, "bias": BIAS},
    )


def best_of_map() -> bytes:
    """Return the best cell of a map and what is left to 1; a 3 × 3 convolution follows the last layer."""
    node = helper.make_node
    return graph_of(
        [
            node("AveragePool", ["small"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
            node("Conv", ["cells", "matrix", "bias"], ["given"], kernel_shape=[1, 1]),
            node("Sigmoid", ["given"], ["map"]),
            node("Conv", ["map", "box"], ["unused"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("ReduceMax", ["map"], ["best"], axes=[1, 2, 3], keepdims=0),
            node("Unsqueeze", ["best", "last"], ["first"]),
            node("Sub", ["one", "first"], ["second"]),
            node("Concat", ["first", "second"], ["scores"], axis=1),
        ],
        {
            "matrix": WEIGHTS[:, :1].T[:, :, None, None].copy(),
            "bias": BIAS[:1],
            "box": np.ones((1, 1, 3, 3), np.float32),
            "last": np.array([1]),
            "one": np.float32(1),
        },
    )


def no_layer() -> bytes:
    """Return the share of each colour, which no layer gives."""
    node = helper.make_node
    return graph_of(
        [
            node("Exp", ["features"], ["shares"]),
            node("ReduceSum", ["shares", "last"], ["sum"]),
            node("Div", ["shares", "sum"], ["scores"]),
        ],
        {"last": np.array([1])},
        classes=3,
    )


def scores(graph: bytes) -> NDArray[np.float64]:
    return score_windows(open_network(graph, where="test"), crops()).astype(np.float64)


def log_odds(score: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(score / (1 - score)))


def found(graph: bytes, column: int = 0) -> LastLayer:
    return find_last_layer(graph, crops(), column=column, where="verifier.onnx")


@pytest.mark.parametrize("graph", [gemm(), gemm(transposed=True), product_and_sum(), best_of_map()])
@pytest.mark.parametrize("column", [0, 1])
def test_the_score_rests_on_the_layer_that_is_found(graph: bytes, column: int) -> None:
    if graph == best_of_map() and column == 1:
        with pytest.raises(BundleError, match="no last layer"):  # the rest to 1 falls where the layer rises
            found(graph, column)
        return
    layer = found(graph, column)
    seen = layer.of(crops())
    assert seen.known.all()
    assert seen.values.shape == (24, 3)
    np.testing.assert_allclose(seen.log_odds, log_odds(scores(graph)[:, column]), atol=1e-4)


@pytest.mark.parametrize("graph", [gemm(), gemm(transposed=True), product_and_sum()])
@pytest.mark.parametrize("column", [0, 1])
def test_another_last_layer_changes_the_log_odds_as_told(graph: bytes, column: int) -> None:
    layer = found(graph, column)
    seen, change = layer.of(crops()), np.array([0.3, -0.1, 0.2])
    after = scores(layer.changed(change, -0.4))
    np.testing.assert_allclose(
        log_odds(after[:, column]), seen.log_odds + seen.values @ change - 0.4, atol=1e-4
    )
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)


def test_the_best_cell_of_a_map_is_learnt_from() -> None:
    layer = found(best_of_map())
    assert layer.is_map
    cells = crops().reshape(24, 2, 4, 2, 4, 3).astype(np.float64).mean(axis=(2, 4)).reshape(24, 4, 3) / 64 - 2
    best = (cells @ WEIGHTS[:, 0]).argmax(axis=1)
    np.testing.assert_allclose(layer.of(crops()).values, cells[np.arange(24), best], atol=1e-5)
    seen, change = layer.of(crops()), np.array([0.3, -0.1, 0.2])
    after = scores(layer.changed(change, 0.7))
    np.testing.assert_allclose(log_odds(after[:, 0]), seen.log_odds + seen.values @ change + 0.7, atol=1e-4)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)


def test_where_no_cell_counts_nothing_is_known() -> None:
    score = scores(best_of_map())[:, 0]
    least = np.float32(np.median(score))
    model = onnx.load_model_from_string(best_of_map())
    for node in model.graph.node:
        node.input[:] = ["nothing" if name == "best" else name for name in node.input]
    place = next(n for n, node in enumerate(model.graph.node) if node.op_type == "Unsqueeze")
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(least), "least"))
    model.graph.node.insert(place, helper.make_node("Mul", ["best", "as_float"], ["nothing"]))
    model.graph.node.insert(place, helper.make_node("Cast", ["above"], ["as_float"], to=TensorProto.FLOAT))
    model.graph.node.insert(place, helper.make_node("Greater", ["best", "least"], ["above"]))
    graph = model.SerializeToString()
    layer = found(graph)
    assert layer.of(crops()).known.tolist() == (score > least).tolist()
    after = scores(layer.changed(np.zeros(3), 2.0))[:, 0]
    assert (after > 0).tolist() == (score > least).tolist()


def test_changes_add_up() -> None:
    once = found(gemm()).changed(np.array([0.2, 0.0, 0.1]), 0.3)
    twice = found(once).changed(np.array([-0.1, 0.2, 0.0]), -0.1)
    together = found(gemm()).changed(np.array([0.1, 0.2, 0.1]), 0.2)
    np.testing.assert_allclose(scores(twice), scores(together), atol=1e-6)


def test_a_graph_without_a_last_layer_is_refused() -> None:
    with pytest.raises(BundleError, match=r"^verifier\.onnx: no last layer that could be trained"):
        found(no_layer())
