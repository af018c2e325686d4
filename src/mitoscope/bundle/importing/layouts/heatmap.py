"""Heat maps: the peaks above a level and further apart than a distance, as KongNet and others read them.

The rule is that of scikit-image's ``peak_local_max``: a cell that is the highest within the distance along
both axes; of equally high ones nearer to each other than the distance the first, row after row, is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from mitoscope.bundle.importing.layouts.boxes import probabilities
from mitoscope.bundle.importing.layouts.layout import Candidates, Layout, Operators, Value, Window
from mitoscope.bundle.importing.layouts.maps import (
    any_of,
    as_planes,
    cell_numbers,
    check_map,
    flat,
    highest,
    places,
    until_settled,
)
from mitoscope.bundle.origin import Interface

_FLOAT, _BOOL = 1, 9
_BELOW_ALL = -1e9


def _read(op: Operators, outputs: Mapping[str, Value], interface: Interface, window: Window) -> Candidates:
    raw = as_planes(op, outputs["map"], interface, len(outputs["map"].shape))
    shown = probabilities(op, raw, interface.scores, 1)
    own = op.Gather(shown, op.Constant(value_ints=list(interface.figure_columns)), axis=1)
    plane = op.ReduceMax(own, [1], keepdims=1)
    peaks = _apart(op, plane, _peaks(op, plane, interface, window), interface.distance_px)
    x, y, (across, down) = places(op, plane, window)
    score = flat(op, op.Where(peaks, plane, 0.0))
    shape = op.Shape(score)
    return Candidates(
        x=op.Expand(op.Mul(x, across), shape),
        y=op.Expand(op.Mul(y, down), shape),
        score=score,
        raw_scores=raw,
    )


def _peaks(op: Operators, plane: Value, interface: Interface, window: Window) -> Value:
    """Return the cells that are highest around themselves; none on a map that is the same everywhere."""
    is_highest = op.Equal(plane, highest(op, plane, interface.distance_px))
    is_flat = op.ReduceMin(op.Cast(is_highest, to=_FLOAT), [1, 2, 3], keepdims=1)
    risen = op.And(is_highest, op.Less(is_flat, 0.5))
    return op.And(risen, op.Greater(plane, window.floor))


def _apart(op: Operators, plane: Value, peaks: Value, distance: int) -> Value:
    """Keep of equal peaks nearer than the distance the first, then the first of those that are left."""
    order = op.Neg(cell_numbers(op, plane))

    def step(inner: Operators, left: Value, kept: Value) -> tuple[Value, Value, Value]:
        place = inner.Where(left, order, _BELOW_ALL)
        first = inner.And(left, inner.Equal(place, highest(inner, place, distance - 1)))
        around = inner.Greater(highest(inner, inner.Cast(first, to=_FLOAT), distance - 1), 0.5)
        left = inner.And(left, inner.Not(around))
        return any_of(inner, left), left, inner.Or(kept, first)

    nothing = op.And(peaks, op.Not(peaks))
    _, kept = until_settled(
        op, (peaks, nothing), step, kinds=(ir.DataType.BOOL, ir.DataType.BOOL), name="peaks"
    )
    return kept


HEATMAP = Layout(
    describes="a heat map (B, classes, rows, columns): peaks by level and distance",
    roles={"map": ("map", "heat", "output")},
    read=_read,
    check=check_map,
    defaults={"scores": "sigmoid", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
)
