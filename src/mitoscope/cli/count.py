"""``mitoscope count``: the mitotic count of each slide of a result, a table, annotations or a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.count_regions import write_regions
from mitoscope.cli.counting import (
    FieldDiameterOption,
    FieldNumberOption,
    ObjectiveOption,
    SchemeOption,
    describe_certainty,
    list_schemes,
    parse_counting,
    parse_field,
)
from mitoscope.cli.options import (
    BoxesOption,
    ForceOption,
    LabelOption,
    MppOption,
    MppOverrideOption,
    PolicyOption,
    as_score,
    parse_boxes,
    parse_mpp,
    parse_policy,
)
from mitoscope.wording import say_area

if TYPE_CHECKING:
    from mitoscope.count import MitoticCount
    from mitoscope.count.slides import Refusal


def count(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RESULT|CSV|STUDY[@VERSION]",
            help="Results of detect (folder or manifest), a CSV, annotations of any format, or a study.",
        ),
    ],
    area: Annotated[
        float | None,
        typer.Option(
            "--area", metavar="MM2", help="Area of the window in mm²; default: 2.37 or the scheme's."
        ),
    ] = None,
    aspect: Annotated[
        str, typer.Option("--aspect", metavar="W:H", help="Width to height of the window.")
    ] = "4:3",
    shape: Annotated[
        str, typer.Option("--shape", metavar="rectangle|circle", help="Shape of the window.")
    ] = "rectangle",
    scheme: SchemeOption = None,
    field_number: FieldNumberOption = None,
    objective: ObjectiveOption = None,
    field_diameter: FieldDiameterOption = None,
    _schemes: Annotated[
        bool,
        typer.Option(
            "--schemes", is_eager=True, callback=list_schemes, help="List the grading schemes and exit."
        ),
    ] = False,
    tumour: Annotated[
        Path | None,
        typer.Option("--tumour", metavar="FILE", help="GeoJSON outlines of tumour and exclusions."),
    ] = None,
    tumour_class: Annotated[
        list[str] | None,
        typer.Option("--tumour-class", metavar="NAME", help="Class of outlines that are tumour; repeatable."),
    ] = None,
    within: Annotated[
        Path | None,
        typer.Option(
            "--within",
            metavar="FILE",
            help="Rectangles to count in, of any annotation format, in place of the hot spot.",
        ),
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option("--regions", metavar="DIR", help="Write each window as a TIFF; needs --slides."),
    ] = None,
    slides: Annotated[
        Path | None, typer.Option("--slides", metavar="DIR", help="Folder of the slides, for --regions.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="T",
            callback=as_score,
            help="Scores above it count; default: that of the results.",
        ),
    ] = None,
    policy: PolicyOption = None,
    label: LabelOption = None,
    boxes: BoxesOption = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    force: ForceOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; of several slides an array.")
    ] = False,
) -> None:
    """Count mitotic figures in the hot spot: the window of the given area that holds the most.

    Where scores are probabilities, it also states the expected number of figures with an interval of 95 %.
    """
    from mitoscope.count import WindowShape
    from mitoscope.count.slides import count_slides, read_windows
    from mitoscope.errors import ConfigError
    from mitoscope.exchange import read_tumour
    from mitoscope.geometry import Aspect
    from mitoscope.labels import LabelMapping

    if within is not None and area is not None:
        raise ConfigError("rectangles have their own area", where="--area", mend="leave it out")
    if (regions is None) != (slides is None):
        raise ConfigError(
            "pictures of windows come from slides", where="--regions", mend="give --slides, too"
        )
    area_mm2, rule = parse_counting(area, scheme, parse_field(field_number, objective, field_diameter))
    statuses: list[int] = []
    reported: list[dict[str, object]] = []

    def on_refusal(name: str, error: Refusal) -> None:
        statuses.append(error.exit_status)
        reported.append({"slide": name, "count": None, "refused": error.what})
        typer.echo(f"error: {error}", err=True)

    counts = count_slides(
        source,
        area_mm2=area_mm2,
        aspect=Aspect.parse(aspect),
        shape=WindowShape.parse(shape),
        rule=rule,
        regions=None if tumour is None else read_tumour(tumour, tuple(tumour_class or ())),
        windows=None if within is None else read_windows(within),
        threshold=threshold,
        policy=parse_policy(policy),
        mapping=LabelMapping.parse(label or ()),
        boxes=parse_boxes(boxes),
        mpp=parse_mpp(mpp),
        mpp_override=mpp_override,
        force=force,
        on_refusal=on_refusal,
    )
    windows = []
    for name, counted in counts:
        statuses.append(0)
        windows.append((name, counted))
        reported.append({"slide": name, **counted.as_dict()})
        if not as_json:
            line = _line(name, counted, what="hot spot" if within is None else "rectangle")
            typer.echo("\n  ".join([line, *describe_certainty(counted)]))
    if regions is not None and slides is not None:
        scale = parse_mpp(mpp)
        table = write_regions(windows, slides, regions, mpp=None if scale is None else scale.mean)
        typer.echo(f"{len(windows)} regions written; {table}", err=as_json)
    if as_json:
        typer.echo(json.dumps(reported[0] if len(reported) == 1 else reported, indent=2))
    if any(statuses):
        # As of detect: of one slide its own status; of several: incomplete, unless none could be counted.
        raise typer.Exit(min(statuses) if all(statuses) else 1)


def _line(name: str, counted: MitoticCount, *, what: str) -> str:
    box = counted.box_px0
    line = (
        f"{name}: mitotic count {counted.count} in {say_area(counted.area_mm2)},"
        f" {what} {box.width:.0f} × {box.height:.0f} px at {box.x:.0f}, {box.y:.0f}"
    )
    return f"{line}. {counted.note}" if counted.note else line
