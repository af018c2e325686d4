"""``mitoscope count``: the mitotic count of a result over any area, aspect and outline."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import MppOption, parse_mpp, parse_threshold

if TYPE_CHECKING:
    from mitoscope.count import MitoticCount


def count(
    result: Annotated[
        Path,
        typer.Argument(
            metavar="RESULT|CSV", help="Manifest (.json) that detect wrote, its folder, or a CSV."
        ),
    ],
    area: Annotated[float, typer.Option("--area", metavar="MM2", help="Area of the window in mm².")] = 2.37,
    aspect: Annotated[
        str, typer.Option("--aspect", metavar="W:H", help="Width to height of the window.")
    ] = "4:3",
    tumour: Annotated[
        Path | None,
        typer.Option("--tumour", metavar="FILE", help="GeoJSON outline; only figures inside count."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="T", help="Scores above it count; default: the run's."),
    ] = None,
    mpp: MppOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a slide.")] = False,
) -> None:
    """Count mitotic figures in the hot spot: the window of the given area that holds the most."""
    from mitoscope.exchange import geojson
    from mitoscope.geometry import Aspect
    from mitoscope.report.result import count_file, find_results

    outline = None if tumour is None else geojson.read_tumour(tumour)
    cut, shape = parse_threshold(threshold), Aspect.parse(aspect)
    for path in find_results(result):
        name, counted = count_file(
            path, area_mm2=area, aspect=shape, tumour=outline, threshold=cut, mpp=parse_mpp(mpp)
        )
        if as_json:
            typer.echo(json.dumps({"slide": name, **asdict(counted)}, indent=2))
        else:
            typer.echo(_line(name, counted))


def _line(name: str, counted: MitoticCount) -> str:
    box = counted.box_px0
    line = (
        f"{name}: mitotic count {counted.count} in {counted.area_mm2:.2f} mm²,"
        f" hot spot {box.width:.0f} × {box.height:.0f} px at {box.x:.0f}, {box.y:.0f}"
    )
    return f"{line}. {counted.note}" if counted.note else line
