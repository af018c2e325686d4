"""``mitoscope bundle import``: a network from elsewhere as a bundle."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.options import (
    JsonOption,
    NewBundleOption,
    as_bundle_name,
    as_resolution,
    as_score,
    as_words,
)
from mitoscope.cli.terminal import bundle_as_json, print_json
from mitoscope.errors import ConfigError
from mitoscope.extras import how_to_install

if TYPE_CHECKING:
    from mitoscope.bundle.importing import Imported

_ONNX = ".onnx"
_LAYOUTS = (
    "torchvision, yolo5, yolo8 (also 9, 11, 12), yolo10 (also 26), detr, rtdetr, mmdet, heatmap, "
    "segmentation or classifier."
)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="ONNX; or a state dict, with --architecture.")],
    out: NewBundleOption,
    layout: Annotated[str | None, typer.Option("--layout", metavar="NAME", help=_LAYOUTS)] = None,
    mpp: Annotated[
        float | None, typer.Option("--mpp", metavar="F", help="Resolution it was trained at, µm/px.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B,...", help="Its classes in the order of its outputs."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", callback=as_words, help="Licence of the weights (SPDX).")
    ] = None,
    training_data: Annotated[
        list[str] | None,
        typer.Option(
            "--training-data",
            metavar="'NAME; LICENCE; ATTRIBUTION'",
            help="A data set that the weights were trained on; may be repeated.",
        ),
    ] = None,
    citation: Annotated[str | None, typer.Option("--citation", help="What its authors want cited.")] = None,
    figure: Annotated[
        list[str] | None,
        typer.Option(
            "--figure",
            metavar="NAME",
            help="Class that is a mitotic figure; default: by the names. Repeatable.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", callback=as_bundle_name, help="Of the bundle; by default the file's."),
    ] = None,
    version: Annotated[str, typer.Option("--version", help="Of the bundle.")] = "1.0.0",
    summary: Annotated[
        str | None, typer.Option("--summary", callback=as_words, help="One sentence for listings.")
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture",
            metavar="NAME",
            help="Of a state dict: a detector of torchvision or a classifier of timm, by its name there.",
        ),
    ] = None,
    network_option: Annotated[
        list[str] | None,
        typer.Option(
            "--network-option", metavar="KEY=NUMBER", help="Of that network, as it was trained. Repeatable."
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            metavar="PX",
            min=32,
            max=8192,
            help="Side of its window, px at --mpp; by default what the network takes. Another side is "
            "resized to that.",
        ),
    ] = None,
    input_side: Annotated[
        int | None,
        typer.Option(
            "--input-side", metavar="PX", min=16, max=8192, help="Side to which windows are resized."
        ),
    ] = None,
    any_window: Annotated[
        bool, typer.Option("--any-window", help="Fully convolutional: windows of any size are the same.")
    ] = False,
    stride: Annotated[
        int | None, typer.Option("--stride", metavar="PX", min=1, max=256, help="Windows begin on multiples.")
    ] = None,
    receptive_field: Annotated[
        int | None,
        typer.Option(
            "--receptive-field",
            metavar="PX",
            min=0,
            max=4096,
            help="What a point depends on (128, or half the window); windows overlap by half of it on each "
            "side.",
        ),
    ] = None,
    mpp_range: Annotated[
        str | None,
        typer.Option("--mpp-range", metavar="LOW,HIGH", help="Resolutions it is made for (0.1,0.6)."),
    ] = None,
    channels: Annotated[
        str | None, typer.Option("--channels", metavar="rgb|bgr", help="Order of the colours it expects.")
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option("--axes", metavar="nchw|nhwc", help="Axes of its input, where the shape is free."),
    ] = None,
    pixel_max: Annotated[
        int | None, typer.Option("--pixel-max", metavar="1|255", help="Value of white, before mean and std.")
    ] = None,
    mean: Annotated[
        str | None, typer.Option("--mean", metavar="R,G,B", help="Means to subtract, in red, green, blue.")
    ] = None,
    std: Annotated[
        str | None, typer.Option("--std", metavar="R,G,B", help="Divisors, in red, green, blue.")
    ] = None,
    scores: Annotated[
        str | None,
        typer.Option(
            "--scores",
            metavar="probability|sigmoid|softmax",
            help="Kind of its scores: probabilities, or log-odds to convert.",
        ),
    ] = None,
    boxes: Annotated[
        str | None,
        typer.Option(
            "--boxes", metavar="corners|centre|corner-size", help="Meaning of the four numbers of a box."
        ),
    ] = None,
    box_unit: Annotated[
        str | None, typer.Option("--box-unit", metavar="px|fraction", help="Of its input.")
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option("--iou", callback=as_score, help="Of boxes that overlap more than this, keep the best."),
    ] = None,
    min_distance: Annotated[
        int | None,
        typer.Option(
            "--min-distance",
            metavar="PX",
            min=1,
            max=512,
            help="Of a heat map: a peak is the highest within it, px of the map.",
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            "--mask", metavar="largest|threshold", help="Of a segmentation: which pixels are figures."
        ),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(
            "--level", callback=as_score, help="Of a segmentation: score that figures exceed (0.5)."
        ),
    ] = None,
    min_area: Annotated[
        int | None, typer.Option("--min-area", metavar="PX", min=1, help="Smallest component, px of the map.")
    ] = None,
    connectivity: Annotated[
        int | None, typer.Option("--connectivity", metavar="4|8", help="Neighbours of a pixel (8).")
    ] = None,
    component_score: Annotated[
        str | None, typer.Option("--component-score", metavar="mean|max", help="Of its pixels.")
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="PART=NAME", help="Which output is boxes, scores, ... Repeatable."),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", callback=as_score, help="Scores above it are figures.")
    ] = 0.5,
    chosen_on: Annotated[
        str | None,
        typer.Option("--chosen-on", metavar="DATA", help="Data on which the authors chose --threshold."),
    ] = None,
    floor: Annotated[
        float, typer.Option("--floor", callback=as_score, help="Scores above it are candidates.")
    ] = 0.05,
    slots: Annotated[
        int, typer.Option("--slots", metavar="N", min=1, max=65536, help="Most points in a window.")
    ] = 300,
    nms_radius: Annotated[
        float,
        typer.Option(
            "--nms-radius", metavar="UM", min=0.1, max=100, help="Points nearer than this become one."
        ),
    ] = 7.5,
    self_test: Annotated[
        Path | None,
        typer.Option(
            "--self-test", metavar="PICTURE", help="Field of H&E with figures; default: a shipped one."
        ),
    ] = None,
    self_test_mpp: Annotated[
        float | None,
        typer.Option("--self-test-mpp", metavar="F", help="Resolution of --self-test, if not --mpp."),
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Do not try other orders of the colours on that picture.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import a network of another program as a bundle.

    Takes ONNX with a known layout, or a state dict of a known network. A run on a field of H&E checks the
    stated outputs and the order of the colours. Only ONNX Runtime runs the network.
    """
    _need_onnx()
    from mitoscope.bundle.importing import NAMES, UNNAMED_DATA, Statement, import_bundle, training_source

    if layout is not None and layout not in NAMES:
        raise ConfigError(f"no layout {layout!r}", where="--layout", mend=f"one of: {', '.join(NAMES)}")
    low, high = (None, None) if mpp_range is None else _numbers("--mpp-range", mpp_range, 2)
    statement = Statement.stating(
        layout=layout,
        mpp=None if mpp is None else as_resolution(mpp),
        classes=_names(classes),
        licence=licence,
        training=tuple(map(training_source, training_data or ())),
        citation=citation,
        figures=tuple(figure or ()),
        name=name,
        version=version,
        summary=summary,
        architecture=architecture,
        mpp_min=low,
        mpp_max=high,
        window_px=window,
        any_window=any_window,
        stride_px=stride,
        receptive_px=receptive_field,
        slots=slots,
        nms_radius_um=nms_radius,
        floor=floor,
        threshold=threshold,
        chosen_on=chosen_on or UNNAMED_DATA,
        interface={
            "channels": channels,
            "axes": axes,
            "pixel_max": pixel_max,
            "mean": None if mean is None else _numbers("--mean", mean, 3),
            "std": None if std is None else _numbers("--std", std, 3),
            "scores": scores,
            "boxes": boxes,
            "box_unit": box_unit,
            "iou": iou,
            "distance_px": min_distance,
            "mask": mask or (None if level is None else "threshold"),
            "level": level,
            "area_px": min_area,
            "connectivity": connectivity,
            "component_score": component_score,
            "input_px": input_side,
            "outputs": _pairs("--output", output),
        },
    )
    onnx = None
    if file.suffix.casefold() != _ONNX:
        onnx = _exported(
            file, statement.layout, architecture, len(statement.classes), input_side or window, network_option
        )
    done = import_bundle(
        file,
        statement,
        out,
        onnx=onnx,
        picture=self_test,
        picture_mpp=None if self_test_mpp is None else as_resolution(self_test_mpp),
        checked=not unchecked,
    )
    _tell(done, as_json=as_json)


def _need_onnx() -> None:
    if util.find_spec("onnx") is None or util.find_spec("onnxscript") is None:
        raise ConfigError(
            "importing needs onnx and onnxscript, which are not installed",
            mend=how_to_install("import"),
        )


def _exported(
    file: Path,
    layout: str,
    architecture: str | None,
    classes: int,
    side: int | None,
    options: list[str] | None,
) -> bytes:
    from mitoscope.cli.train import need_training

    if architecture is None or side is None:
        lacks = "--architecture NAME" if architecture is None else "--window PX"
        raise ConfigError(
            f"{file.suffix or 'this file'} is not ONNX; a state dict needs its network",
            where=file,
            mend=f"give {lacks}, or export it to ONNX",
        )
    need_training()
    from mitoscope.models.foreign import export_weights

    numbers = {
        key: _numbers("--network-option", text, 1)[0]
        for key, text in _pairs("--network-option", options).items()
    }
    return export_weights(
        file, layout=layout, network=architecture, classes=classes, window_px=side, options=numbers
    )


def _tell(done: Imported, *, as_json: bool) -> None:
    if as_json:
        doubts = [str(doubt) for doubt in done.doubts]
        print_json({**bundle_as_json(done.bundle), "self_test": done.plausibility.found, "doubts": doubts})
        return
    manifest = done.bundle.manifest
    kind = "points" if manifest.kind == "points" else "scores"
    typer.echo(f"{manifest.source} written to {done.bundle.folder}")
    origin = manifest.origin
    assert origin is not None
    interface = origin.interface
    resized = "" if interface.input_px is None else f", resized to {interface.input_px} px"
    typer.echo(
        f"  windows of {manifest.window_px} px at {manifest.mpp:g} µm/px{resized}, {interface.channels} in 0 "
        f"to {interface.pixel_max}; {kind} of {', '.join(interface.figures)}; threshold "
        f"{manifest.default_threshold:g}"
    )
    found = done.plausibility
    if found.is_shown:
        typer.echo(f"  finds the figures of the self-test picture (average precision {found.found:.2f})")
    elif found.figures:
        typer.echo(
            f"warning: average precision {found.found:.2f} on the {found.figures} figures of the self-test "
            "picture, in whatever colours: measure it on labelled fields before use (mitoscope evaluate)",
            err=True,
        )
    for doubt in done.doubts:
        typer.echo(f"warning: {doubt}", err=True)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _numbers(option: str, text: str, count: int) -> tuple[Any, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        wanted = "a number" if count == 1 else f"{count} numbers, separated by commas"
        raise ConfigError(f"{text!r} is not {wanted}", where=option)
    return values


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise ConfigError(f"{text!r} is not KEY=VALUE", where=option)
        pairs[key.strip()] = value.strip()
    return pairs
