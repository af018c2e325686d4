"""The graph of a bundle around a network from elsewhere: windows in front of it, points behind it.

In front stands what its authors do to a picture (order of the colours, scale, mean, deviation, order of the
axes, size, type), behind it its layout and the choice of the best candidates. A network of a fixed batch is
kept as it is and run batch after batch in a loop of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir
from onnxscript import GraphBuilder

from mitoscope.bundle.importing.foreign import ForeignNetwork, Tensor
from mitoscope.bundle.importing.layouts.layout import Candidates, Layout, Operators, Value, Window
from mitoscope.bundle.importing.resizing import resized
from mitoscope.bundle.origin import Interface

_FLOAT, _INT64 = 1, 7
_BGR: Final = (2, 1, 0)
_SHOWN: Final = {"raw_scores": "scores", "raw_boxes": "boxes"}


@dataclass(frozen=True, eq=False)
class Plan:
    """What is built.

    Parameters
    ----------
    network : ForeignNetwork
    layout : Layout
    outputs : mapping of str to Tensor
        For each part of the layout.
    interface : Interface
    window_px : int
        Side of the bundle's window.
    any_window : bool
        Whether height and width stay free.
    slots : int
        How many points a window gives.
    floor : float
        Scores above it are kept.
    """

    network: ForeignNetwork
    layout: Layout
    outputs: Mapping[str, Tensor]
    interface: Interface
    window_px: int
    any_window: bool
    slots: int
    floor: float


def assemble(plan: Plan, *, batch: int | None = None, shown: bool = False) -> bytes:
    """Return a graph, ``uint8 (N, H, W, 3)`` to ``float32 (N, K, 3)``, of a classifier to ``(N, 2)``.

    Parameters
    ----------
    plan : Plan
    batch : int, optional
        How many windows it is given, instead of any number; what the network takes at once.
    shown : bool
        Add what the network itself gave as the outputs ``raw_scores`` and ``raw_boxes``; needs `batch`.
    """
    source = ir.serde.deserialize_model(plan.network.model)
    graph = ir.Graph([], [], nodes=[], name="mitoscope", opset_imports={"": plan.network.opset})
    builder = GraphBuilder(graph)
    builder.push_module("mitoscope")
    sides: list[int | str] = ["H", "W"] if plan.any_window else [plan.window_px, plan.window_px]
    windows = builder.input("windows", ir.DataType.UINT8, [batch or "N", *sides, 3])
    op, own = builder.op, plan.network.batch
    further: list[Value] = []
    if batch is not None or own is None:
        answer, candidates = _look(op, windows, source.graph, plan)
        if shown:
            further = [getattr(candidates, name) for name in _SHOWN]
    else:
        answer = _in_batches(op, windows, source.graph, plan, own)
    row = [plan.slots, 3] if plan.layout.kind == "points" else [2]
    answer.name = "points" if plan.layout.kind == "points" else "scores"
    answer.dtype, answer.shape = ir.DataType.FLOAT, ir.Shape([batch or "N", *row])
    graph.outputs.append(answer)
    for name, value in zip(_SHOWN, further, strict=False):
        if value is not None:
            value = op.Identity(value, _outputs=[name])
            value.dtype = ir.DataType.FLOAT
            graph.outputs.append(value)
    model = ir.Model(graph, ir_version=plan.network.model.ir_version, producer_name="mitoscope")
    for node in graph:
        node.metadata_props.clear()
    content: bytes = ir.serde.serialize_model(model).SerializeToString()
    return content


def _in_batches(op: Operators, windows: Value, network: ir.Graph, plan: Plan, size: int) -> Value:
    """Run a network of a fixed batch over any number of windows; the last batch is filled up with black."""
    count = op.Shape(windows, start=0, end=1)
    rounds = op.Div(op.Add(count, size - 1), size)
    lack = op.Sub(op.Mul(rounds, size), count)
    filled = op.Pad(windows, op.Concat([0, 0, 0, 0], lack, [0, 0, 0], axis=0))
    side = plan.window_px
    shape = [size, -1, side, 3] if not plan.any_window else None

    def body(inner: Operators, number: Value, goes_on: Value) -> tuple[Value, Value]:
        start = inner.Mul(inner.Reshape(number, [1]), size)
        part = inner.Slice(filled, start, inner.Add(start, size), [0])
        answer, _ = _look(inner, part if shape is None else inner.Reshape(part, shape), network, plan)
        return inner.Identity(goes_on), answer

    op.builder.push_module("batch")
    loop = op.builder.subgraph(
        body,
        [ir.val("batch/number", ir.DataType.INT64, []), ir.val("batch/goes_on", ir.DataType.BOOL, [])],
        [ir.val("batch/more", ir.DataType.BOOL), ir.val("batch/answer", ir.DataType.FLOAT)],
        name="batch",
    )
    op.builder.pop_module()
    answers = op.Loop(op.Squeeze(rounds, [0]), op.Constant(value=ir.tensor(True)), body=loop)
    rest = [plan.slots, 3] if plan.layout.kind == "points" else [2]
    return op.Slice(op.Reshape(answers, [-1, *rest]), [0], count, [0])


def _look(op: Operators, windows: Value, network: ir.Graph, plan: Plan) -> tuple[Value, Candidates]:
    """Return what a network says of as many windows as it takes at once."""
    picture, frame = _prepared(op, windows, plan)
    answers = _spliced(op, network, picture)
    outputs = {role: _as_float(op, answers[one.inside], one) for role, one in plan.outputs.items()}
    candidates = plan.layout.read(op, outputs, plan.interface, frame)
    if plan.layout.kind == "scores":
        return op.Identity(candidates.score), candidates
    return _best(op, candidates, plan), candidates


def _prepared(op: Operators, windows: Value, plan: Plan) -> tuple[Value, Window]:
    """Return windows as the network wants its pictures, and how they were sized."""
    interface, own = plan.interface, plan.network.picture
    frame = _frame(op, windows, plan)
    if interface.input_px is not None:
        windows = resized(op, windows, side_px=plan.window_px, to_px=interface.input_px)
    planes = op.Cast(windows, to=_FLOAT)
    if own.kind != ir.DataType.UINT8:
        if interface.pixel_max != 255:
            planes = op.Div(planes, 255.0)
        if any(interface.mean):
            planes = op.Sub(planes, op.Constant(value=ir.tensor(np.array(interface.mean, np.float32))))
        if set(interface.std) != {1.0}:
            planes = op.Div(planes, op.Constant(value=ir.tensor(np.array(interface.std, np.float32))))
    if interface.channels == "bgr":
        planes = op.Gather(planes, op.Constant(value_ints=list(_BGR)), axis=3)
    if interface.axes == "nchw":
        planes = op.Transpose(planes, perm=[0, 3, 1, 2])
    if plan.network.is_single:
        planes = op.Squeeze(planes, [0])
    return (planes if own.kind == _FLOAT else op.Cast(planes, to=own.kind)), frame


def _frame(op: Operators, windows: Value, plan: Plan) -> Window:
    height, width = (op.Cast(op.Shape(windows, start=axis, end=axis + 1), to=_FLOAT) for axis in (1, 2))
    side = plan.interface.input_px
    if side is None:
        one = op.Constant(value_floats=[1.0])
        return Window((width, height), (one, one), plan.floor)
    own = op.Constant(value_floats=[float(side)])
    return Window((own, own), (op.Div(width, own), op.Div(height, own)), plan.floor)


def _as_float(op: Operators, answer: Value, tensor: Tensor) -> Value:
    answer.shape = ir.Shape([None] * len(tensor.shape))
    if tensor.kind == _FLOAT:
        return answer
    cast = op.Cast(answer, to=_FLOAT)
    cast.shape = answer.shape
    return cast


def _spliced(op: Operators, network: ir.Graph, picture: Value) -> dict[str, Value]:
    """Put the nodes of a network behind its picture and return its outputs by name."""
    graph, root = op.builder.graph, op.builder.root.graph
    initializers = list(network.initializers.values())
    entry = next(one for one in network.inputs if one.name not in network.initializers)
    outputs = {str(one.name): one for one in network.outputs}
    network.initializers.clear()
    network.inputs.clear()
    network.outputs.clear()
    for one in initializers:
        root.register_initializer(one)
    network.sort()  # Converters to float16 put their casts anywhere; inside a loop the order counts.
    ir.convenience.replace_all_uses_with(entry, picture)
    nodes = list(network)
    network.remove(nodes)
    graph.extend(nodes)
    return outputs


def _best(op: Operators, found: Candidates, plan: Plan) -> Value:
    """Return the best candidates as points (B, K, 3), the best one first."""
    score = op.Where(op.Greater(found.score, plan.floor), found.score, 0.0)
    # A window may have fewer candidates than slots: so many empty ones are added.
    empty = op.Expand(0.0, op.Concat(op.Shape(score, start=0, end=1), [plan.slots], axis=0))
    score, x, y = (op.Concat(part, empty, axis=1) for part in (score, found.x, found.y))
    best, place = op.TopK(score, [plan.slots], axis=1, _outputs=2)
    is_used = op.Greater(best, 0.0)
    columns = [
        op.Unsqueeze(op.Where(is_used, op.GatherElements(part, place, axis=1), 0.0), [2]) for part in (x, y)
    ]
    return op.Concat(*columns, op.Unsqueeze(best, [2]), axis=2)
