"""Maps in operators: cells and their places, and what spreads from cell to cell until nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx_ir as ir

from mitoscope.bundle.importing.foreign import Tensor
from mitoscope.bundle.importing.layouts.layout import Operators, Value, Window, wrong_classes
from mitoscope.bundle.origin import Interface
from mitoscope.errors import BundleError

_FLOAT, _INT64 = 1, 7


def check_map(outputs: Mapping[str, Tensor], interface: Interface, where: str) -> None:
    """See that an output is a map with a channel for every class."""
    own = outputs["map"]
    if len(own.shape) not in (3, 4):
        raise BundleError(f"{own}: a map (B, classes, rows, columns) expected", where=where)
    has = 1 if len(own.shape) == 3 else own.shape[{"nchw": 1, "nhwc": 3}[interface.axes]]
    if has is not None and has != len(interface.classes):
        raise wrong_classes(own, has, interface, where)


def as_planes(op: Operators, raw: Value, interface: Interface, rank: int) -> Value:
    """Return a map as (B, classes, rows, columns)."""
    if rank == 3:
        return op.Unsqueeze(raw, [1])
    return op.Transpose(raw, perm=[0, 3, 1, 2]) if interface.axes == "nhwc" else raw


def at_cells(op: Operators, planes: Value, values: Value) -> Value:
    """Return values (rows × columns) of the cells in the shape (1, 1, rows, columns) of a map."""
    return op.Reshape(values, op.Concat([1, 1], op.Shape(planes, start=2, end=4), axis=0))


def cell_numbers(op: Operators, planes: Value) -> Value:
    """Return the number of each cell, row after row, as float (1, 1, rows, columns)."""
    count = op.ReduceProd(op.Shape(planes, start=2, end=4), keepdims=0)
    return at_cells(op, planes, op.Cast(op.Range(0, count, 1), to=_FLOAT))


def places(op: Operators, planes: Value, window: Window) -> tuple[Value, Value, tuple[Value, Value]]:
    """Return x and y of the middle of each cell in cells, (rows × columns), and window px in a cell."""
    rows, width = (op.Shape(planes, start=axis, end=axis + 1) for axis in (2, 3))
    number = op.Range(0, op.ReduceProd(op.Shape(planes, start=2, end=4), keepdims=0), 1)
    x = op.Add(op.Cast(op.Mod(number, width), to=_FLOAT), 0.5)
    y = op.Add(op.Cast(op.Div(number, width), to=_FLOAT), 0.5)
    across, down = (
        op.Mul(op.Div(side, op.Cast(cells, to=_FLOAT)), scale)
        for side, cells, scale in zip(window.input_px, (width, rows), window.scale, strict=True)
    )
    return x, y, (across, down)


def flat(op: Operators, planes: Value) -> Value:
    """Return (B, 1, rows, columns) as (B, rows × columns)."""
    return op.Reshape(planes, [0, -1])


def highest(op: Operators, planes: Value, reach: int) -> Value:
    """Return the highest value within so many cells along both axes."""
    side = 2 * reach + 1
    return op.MaxPool(planes, kernel_shape=[side, side], pads=[reach] * 4, strides=[1, 1])


def any_of(op: Operators, mask: Value) -> Value:
    """Tell whether anything of a mask is true."""
    return op.Cast(op.ReduceMax(op.Cast(mask, to=_FLOAT), keepdims=0), to=9)


def until_settled(
    op: Operators,
    state: tuple[Value, ...],
    step: Callable[..., tuple[Value, ...]],
    *,
    kinds: tuple[ir.DataType, ...],
    name: str,
) -> tuple[Value, ...]:
    """Repeat a step while it asks for more.

    Parameters
    ----------
    op : Operators
    state : tuple of Value
        Tensors that each step is handed and gives back.
    step : callable
        ``step(op, *state)`` gives whether to go on, then the new state.
    kinds : tuple of ir.DataType
        Of the state.
    name : str
        Of the loop, no other one of the graph.
    """
    builder = op.builder

    def body(inner: Any, _number: Value, _goes_on: Value, *own: Value) -> tuple[Value, ...]:
        return step(inner, *own)

    inputs = [
        ir.val(f"{name}/number", ir.DataType.INT64, []),
        ir.val(f"{name}/goes_on", ir.DataType.BOOL, []),
    ]
    inputs += [ir.val(f"{name}/state_{at}", kind) for at, kind in enumerate(kinds)]
    outputs = [ir.val(f"{name}/more", ir.DataType.BOOL)]
    outputs += [ir.val(f"{name}/next_{at}", kind) for at, kind in enumerate(kinds)]
    builder.push_module(name)
    loop = builder.subgraph(body, inputs, outputs, name=name)
    builder.pop_module()
    done = op.Loop(None, op.Constant(value=ir.tensor(True)), *state, body=loop, _outputs=len(state))
    return (done,) if len(state) == 1 else tuple(done)
