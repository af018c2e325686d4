"""Promise 21, as far as it concerns graphs: nothing runs or is opened because a file says so."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from mitoscope.bundle.graph import _length_delimited, check_graph, with_metadata
from mitoscope.bundle.network import check_network, contract_of, open_network
from mitoscope.errors import BundleDamagedError


def _model(
    nodes: list[onnx.NodeProto],
    *,
    initializer: tuple[onnx.TensorProto, ...] = (),
    functions: tuple[onnx.FunctionProto, ...] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        initializer,
    )
    return helper.make_model(
        graph, functions=functions, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )


def test_a_plain_graph_passes(tiny: ModuleType) -> None:
    check_graph(tiny.tiny_onnx(), where="tiny")


def test_an_operator_outside_the_standard_is_refused() -> None:
    model = _model([helper.make_node("Exec", ["x"], ["y"], domain="com.example")])
    with pytest.raises(BundleDamagedError, match=r"domain 'com\.example'"):
        check_graph(model.SerializeToString(), where="m")


def test_an_operator_inside_a_branch_is_refused() -> None:
    branch = helper.make_graph(
        [helper.make_node("Exec", [], ["b"], domain="ai.onnx.contrib")],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])],
    )
    model = _model([helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)])
    with pytest.raises(BundleDamagedError, match="domain"):
        check_graph(model.SerializeToString(), where="m")


@pytest.mark.parametrize("inside_a_node", [False, True])
def test_external_data_is_refused(inside_a_node: bool) -> None:
    tensor = numpy_helper.from_array(np.zeros(1, dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    if inside_a_node:
        model = _model([helper.make_node("Constant", [], ["y"], value=tensor)])
    else:
        model = _model([helper.make_node("Add", ["x", "w"], ["y"])], initializer=(tensor,))
    with pytest.raises(BundleDamagedError, match="external data"):
        check_graph(model.SerializeToString(), where="m")


def test_functions_of_the_model_are_refused() -> None:
    body = [helper.make_node("Identity", ["a"], ["b"])]
    function = helper.make_function("own", "F", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    model = _model([helper.make_node("Identity", ["x"], ["y"])], functions=(function,))
    with pytest.raises(BundleDamagedError, match="functions"):
        check_graph(model.SerializeToString(), where="m")


def test_deep_nesting_ends_in_an_error() -> None:
    # Protocol buffers by hand (the onnx package refuses to write it): field 6 of an attribute is a graph.
    content = b""
    for _ in range(40):
        for number in (6, 5, 1):
            content = _length_delimited(number, content)
    with pytest.raises(BundleDamagedError, match="nested"):
        check_graph(_length_delimited(7, content), where="m")


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_typed_error_or_load_nothing(content: bytes) -> None:
    try:
        open_network(content, where="bytes")
    except BundleDamagedError:
        return
    pytest.fail("random bytes made a network")


def test_metadata_is_appended_without_the_onnx_package(tiny: ModuleType) -> None:
    content = with_metadata(tiny.tiny_onnx(), "mitoscope.contract", "{}" * 200)
    onnx.checker.check_model(onnx.load_from_string(content))
    assert contract_of(open_network(content, where="tiny")) == "{}" * 200


def test_a_graph_with_another_interface_is_refused(tiny: ModuleType) -> None:
    session = open_network(
        _model([helper.make_node("Identity", ["x"], ["y"])]).SerializeToString(), where="m"
    )
    with pytest.raises(BundleDamagedError, match="interface"):
        check_network(session, tiny.tiny_description(), where="m")


@pytest.mark.parametrize("window", [64, "W"])
def test_a_fixed_or_a_free_window_fits(tiny: ModuleType, window: int | str) -> None:
    session = open_network(tiny.tiny_onnx(window=window), where="m")
    check_network(session, tiny.tiny_description(), where="m")


def test_another_fixed_window_is_refused(tiny: ModuleType) -> None:
    session = open_network(tiny.tiny_onnx(window=96), where="m")
    with pytest.raises(BundleDamagedError, match="interface"):
        check_network(session, tiny.tiny_description(), where="m")
