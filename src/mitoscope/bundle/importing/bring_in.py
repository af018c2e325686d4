"""From a file and a statement to a bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx_ir as ir
from pydantic import ValidationError

from mitoscope.bundle.importing.assemble import Plan, assemble
from mitoscope.bundle.importing.foreign import ForeignNetwork, read_network
from mitoscope.bundle.importing.layouts import layout_of
from mitoscope.bundle.importing.layouts.layout import Layout, find_outputs
from mitoscope.bundle.importing.picture import Field, read_field
from mitoscope.bundle.importing.plausible import (
    Plausibility,
    check_boxes,
    check_colours,
    check_scores,
    look,
)
from mitoscope.bundle.importing.statement import Statement, bundle_name
from mitoscope.bundle.load import Bundle
from mitoscope.bundle.manifest import ModelDescription, Normalisation
from mitoscope.bundle.network import ORT_ERRORS, is_int8, open_network
from mitoscope.bundle.origin import Interface, Origin
from mitoscope.bundle.write import write_bundle
from mitoscope.config import explain
from mitoscope.errors import BundleError, ConfigError
from mitoscope.labels import MITOTIC_FIGURE

_GRAPH: Final = "network.onnx"
_OTHER: Final = "other"
_MPP_USUAL: Final = (0.1, 0.6)
_PICTURES: Final = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.UINT8)


@dataclass(frozen=True, eq=False)
class Imported:
    """A bundle that was made of a network from elsewhere.

    Parameters
    ----------
    bundle : Bundle
    plausibility : Plausibility
        What it finds in the picture of the self-test.
    doubts : tuple of str
        What may be stated wrongly, in words.
    """

    bundle: Bundle
    plausibility: Plausibility
    doubts: tuple[str, ...]


def import_bundle(
    source: Path,
    statement: Statement,
    folder: Path,
    *,
    onnx: bytes | None = None,
    picture: Path | None = None,
    picture_mpp: float | None = None,
    checked: bool = True,
) -> Imported:
    """Write a network from elsewhere as a bundle.

    Parameters
    ----------
    source : Path
        An ONNX file; or the file from which `onnx` was made.
    statement : Statement
    folder : Path
        Must not exist.
    onnx : bytes, optional
        The graph, where the file is a state dict.
    picture : Path, optional
        A field of H&E with mitotic figures, for the self-test; by default the shipped one.
    picture_mpp : float, optional
        Its resolution, µm/px; by default that of the network.
    checked : bool
        Refuse a network that finds the figures of the picture only in other colours.

    Raises
    ------
    BundleError
        If the network cannot be read, does not fit its layout, or contradicts the statement.
    ConfigError
        If the statement contradicts itself.
    OutputError
        If the folder exists or cannot be written.
    """
    network = read_network(source if onnx is None else onnx, where=str(source))
    plan = plan_of(network, statement)
    field = read_field(picture, mpp=statement.mpp, stated_mpp=picture_mpp)
    shown = field.crop(plan.window_px)
    seen = look(plan, shown.rgb)
    doubt = check_scores(seen, plan)
    check_boxes(seen, plan)
    # A classifier is judged by crops of a field wide enough to hold other cells.
    wide = (
        shown if plan.layout.kind == "points" else field.crop(max(3 * plan.window_px, *field.rgb.shape[:2]))
    )
    plausibility = check_colours(plan, wide, seen) if checked else Plausibility(0, 0.0)
    if plan.layout.kind == "points" and not (seen.answer[:, 2] > plan.floor).any():
        raise BundleError(
            f"finds nothing above {plan.floor:g} in the self-test picture",
            where=source,
            mend="give one in which it finds something with --self-test, or a lower --floor",
        )
    bundle = _write(source, statement, plan, shown, folder)
    return Imported(bundle, plausibility, () if doubt is None else (doubt,))


def plan_of(network: ForeignNetwork, statement: Statement) -> Plan:
    """Return what is to be built around a network, after a look at all shapes.

    Raises
    ------
    BundleError
        If the network does not fit its layout.
    ConfigError
        If the statement contradicts itself or the network.
    """
    network = _sized(network, statement)
    layout = layout_of(statement.layout, network, len(statement.classes))
    interface = _interface(network, layout, statement)
    outputs = find_outputs(network, layout, interface.outputs)
    layout.check(outputs, interface, network.where)
    named = {role: tensor.name for role, tensor in outputs.items()}
    side, resized, any_window = _sizes(network, interface, statement)
    return Plan(
        network=network,
        layout=layout,
        outputs=outputs,
        interface=interface.model_copy(update={"outputs": named, "input_px": resized}),
        window_px=side,
        any_window=any_window,
        slots=statement.slots if layout.kind == "points" else 1,
        floor=min(statement.floor, statement.threshold),
    )


def _sized(network: ForeignNetwork, statement: Statement) -> ForeignNetwork:
    """Return a network whose outputs say their sizes: where they are free, a black picture tells."""
    if all(output.shape and None not in output.shape[1:] for output in network.outputs):
        return network
    axes = _axes(network, statement.interface.get("axes"))
    stated = statement.interface.get("input_px") or statement.window_px
    sides = [side or stated for side in network.sides(axes)]
    if None in sides:
        return network  # what is missing is asked for where sizes are looked at
    shape: list[Any] = [3, *sides] if axes == "nchw" else [*sides, 3]
    batch = [] if network.is_single else [network.batch or 1]
    kind = {kind_.value: np.dtype(kind_.numpy()) for kind_ in _PICTURES}[network.picture.kind]
    session = open_network(network.model.SerializeToString(), where=network.where)
    try:
        answers = session.run(None, {network.picture.inside: np.zeros([*batch, *shape], kind)})
    except ORT_ERRORS as error:
        what = f"does not run on pictures of {sides[0]} px ({' '.join(str(error).split())[:300]})"
        raise BundleError(what, where=network.where) from None
    outputs = tuple(
        replace(one, shape=(*one.shape[:1], *answer.shape[1:]) if one.shape else answer.shape)
        for one, answer in zip(network.outputs, answers, strict=True)
    )
    return replace(network, outputs=outputs)


def _interface(network: ForeignNetwork, layout: Layout, statement: Statement) -> Interface:
    stated = {key: value for key, value in statement.interface.items() if value is not None}
    usual: dict[str, Any] = dict(layout.defaults)
    if len(statement.classes) == 1 and usual.get("scores") == "softmax" and statement.layout != "detr":
        usual["scores"] = "sigmoid"
        usual["mask"] = "threshold"
    try:
        return Interface.model_validate(
            {
                **usual,
                **stated,
                "layout": statement.layout,
                "classes": statement.classes,
                "figures": statement.named_figures(),
                "axes": _axes(network, stated.get("axes")),
            }
        )
    except ValidationError as error:
        what, _ = explain(error, Interface)
        raise ConfigError(what, where=f"layout {statement.layout}") from None


def _axes(network: ForeignNetwork, stated: str | None) -> str:
    """Return the order of the axes of a network's input, as its shape says."""
    shape = network.picture.shape[-3:]
    fitting = [axes for axes, place in (("nchw", 0), ("nhwc", 2)) if shape[place] in (3, None)]
    sure = [axes for axes, place in (("nchw", 0), ("nhwc", 2)) if shape[place] == 3]
    if (stated is not None and stated not in fitting) or not fitting:
        raise BundleError(
            f"input {network.picture} is not an RGB picture" + (f" in {stated}" if stated else ""),
            where=network.where,
        )
    return stated or (sure[0] if len(sure) == 1 else "nchw")


def _sizes(
    network: ForeignNetwork, interface: Interface, statement: Statement
) -> tuple[int, int | None, bool]:
    """Return the side of a window, that of the network's input where windows are resized, and if any fits."""
    sides = network.sides(interface.axes)
    if None not in sides and sides[0] != sides[1]:
        raise BundleError(
            f"input {network.picture} is not square",
            where=network.where,
            mend="export it with square pictures",
        )
    own = next((side for side in sides if side is not None), interface.input_px)
    if interface.input_px is not None and own != interface.input_px:
        raise ConfigError(f"the network takes pictures of {own} px", where="--input-side")
    window = statement.window_px or own
    if window is None:
        raise ConfigError(
            "the network takes pictures of any size",
            where=network.where,
            mend="give the side of those that it was trained on: --window PX",
        )
    if statement.any_window and own is not None:
        raise ConfigError(f"the network takes pictures of {own} px alone", where="--any-window")
    return window, (own if own not in (None, window) else None), statement.any_window


def _write(
    source: Path,
    statement: Statement,
    plan: Plan,
    shown: Field,
    folder: Path,
) -> Bundle:
    graph = assemble(plan)
    name = statement.name or bundle_name(source.stem)
    try:
        origin = Origin(
            source=source.name[:200],
            sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
            citation=statement.citation,
            architecture=statement.architecture,
            interface=plan.interface,
        )
        description = _describe(statement, plan, name, origin, is_int8=is_int8(graph))
    except ValidationError as error:
        what, _ = explain(error, ModelDescription)
        raise ConfigError(what, where=source) from None
    return write_bundle(
        folder,
        description=description,
        onnx={_GRAPH: graph},
        self_test_rgb=shown.rgb,
        files={"CITATION.md": f"# {name}\n\n{statement.citation}\n".encode()},
    )


def _describe(
    statement: Statement, plan: Plan, name: str, origin: Origin, *, is_int8: bool
) -> ModelDescription:
    interface, kind = plan.interface, plan.layout.kind
    labels = statement.canonical_classes()
    if MITOTIC_FIGURE.name not in labels:
        labels = (MITOTIC_FIGURE.name, *labels)
    if kind == "scores":
        others = [label for label in labels if label != MITOTIC_FIGURE.name]
        labels = (MITOTIC_FIGURE.name, others[0] if len(others) == 1 else _OTHER)
    stride = 1 if kind == "scores" else statement.stride_of(plan.window_px)
    low, high = _MPP_USUAL
    return ModelDescription(
        kind="points" if kind == "points" else "scores",
        name=name,
        version=statement.version,
        architecture=bundle_name(statement.architecture or statement.layout),
        precision="int8" if is_int8 else "float32",
        summary=statement.summary or f"Imported from {origin.source} ({statement.layout})",
        licence=statement.licence,
        labels=labels,
        mpp=statement.mpp,
        mpp_min=statement.mpp_min or min(low, statement.mpp),
        mpp_max=statement.mpp_max or max(high, statement.mpp),
        normalisation=Normalisation(
            description=f"{interface.channels} in 0 to {interface.pixel_max}, (value - mean) / std",
            mean=interface.mean,
            std=interface.std,
        ),
        stride_px=stride,
        window_px=plan.window_px,
        halo_px=0 if kind == "scores" else statement.halo_px(plan.window_px, stride),
        top_k=plan.slots,
        nms_radius_um=statement.nms_radius_um,
        score_floor=plan.floor if kind == "points" else 0.0,
        points=(statement.point(),),
        training=statement.training,
        origin=origin,
    )
