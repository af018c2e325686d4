"""``mitoscope results``: findings of other programs as results, several results as one, their calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.counting import (
    FieldDiameterOption,
    FieldNumberOption,
    ObjectiveOption,
    SchemeOption,
    parse_counting,
    parse_field,
)
from mitoscope.cli.options import (
    BoxesOption,
    ExaminedOption,
    ForceOption,
    FormatsOption,
    JsonOption,
    LabelOption,
    MppOption,
    MppOverrideOption,
    OutOption,
    PolicyOption,
    ProtocolOption,
    TruthOption,
    as_score,
    as_words,
    parse_boxes,
    parse_choice,
    parse_mpp,
    parse_policy,
)
from mitoscope.cli.terminal import print_json, say, summarise
from mitoscope.errors import ConfigError

if TYPE_CHECKING:
    from mitoscope.infer import SlideFindings

app = typer.Typer(
    help="Import detections of other programs, join results, and calibrate them.", rich_markup_mode=None
)

_WITH_PICTURES = ("html", "jpg")
"""Formats that show pixels of the slide."""
_MEND_OUT = "choose another --out"
_Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration", metavar="FILE", help="Operating points and calibration, as results calibrate writes."
    ),
]
_Point = Annotated[
    str | None,
    typer.Option("--point", metavar="NAME", help="Operating point of the calibration; default: its first."),
]


@app.command("import")
def import_(
    slide: Annotated[Path, typer.Argument(metavar="SLIDE", help="The slide that was searched.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File of the other program; recognised by its content.")
    ],
    out: OutOption,
    program: Annotated[
        str | None, typer.Option("--program", metavar="NAME", help="The other program, with its version.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--format", metavar="F", help="json, csv, parquet, yolo or annotation-store."),
    ] = None,
    label: LabelOption = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="NAME", help="Which image of the file the slide is."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="FIELD=NAME",
            help="Column of a table: x, y, x1, y1, x2, y2, score, label or image; repeatable.",
        ),
    ] = None,
    boxes: BoxesOption = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="U", help="Unit of the coordinates: px, um, mm or share.")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", metavar="F", help="Level-0 pixels per pixel of the file, e.g. 2."),
    ] = None,
    file_mpp: Annotated[
        float | None, typer.Option("--file-mpp", metavar="F", help="µm per pixel of the file.")
    ] = None,
    origin: Annotated[
        str,
        typer.Option(
            "--origin", metavar="X,Y|bounds", help="Where coordinates count from: level-0 px, or the bounds."
        ),
    ] = "0,0",
    frame: Annotated[
        str | None,
        typer.Option(
            "--frame",
            metavar="X,Y,W,H",
            help="The part of the slide that the program saw as its picture (level-0 px).",
        ),
    ] = None,
    axes: Annotated[
        str, typer.Option("--axes", metavar="xy|yx", help="Which coordinate comes first.")
    ] = "xy",
    mirror: Annotated[
        str | None, typer.Option("--mirror", metavar="x|y|xy", help="Axes that run from the far edge.")
    ] = None,
    scores: Annotated[
        str | None,
        typer.Option("--scores", metavar="S", help="Kind of the scores: probability, percent or logit."),
    ] = None,
    roi: Annotated[
        str | None,
        typer.Option(
            "--roi", metavar="X,Y,W,H", help="Searched part (level-0 px); default: the frame, or all."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="T",
            callback=as_score,
            help="Scores above it count; default: 0, all detections.",
        ),
    ] = None,
    calibration: _Calibration = None,
    point: _Point = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Accept implausible coordinates as they are.")
    ] = False,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    formats: FormatsOption = None,
    scheme: SchemeOption = None,
    field_number: FieldNumberOption = None,
    objective: ObjectiveOption = None,
    field_diameter: FieldDiameterOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import the detections of another program on a slide as a result, as if detect had found them.

    Reads files of HoVer-Net, HoVer-NeXt, CellViT, QuPath, TIAToolbox, MMDetection, YOLO, COCO and MIDOG
    tools, CSV and Parquet. Detections that cannot lie on the slide are refused, with the reason and the
    option that corrects it.
    """
    from mitoscope.labels import LabelMapping
    from mitoscope.report.outputs import check_outputs, output_names, parse_formats
    from mitoscope.results import AXES, MIRRORS, SCORES, Calibration, ImportSettings, import_findings

    wanted = parse_formats(formats)
    area_mm2, rule = parse_counting(None, scheme, parse_field(field_number, objective, field_diameter))
    settings = ImportSettings.parse(
        {
            "program": program,
            "kind": kind,
            "image": image,
            "columns": _columns(column or ()),
            "unit": parse_choice("--unit", unit, ("px", "um", "mm", "share")),
            "scale": scale,
            "file_mpp": file_mpp,
            "origin": _origin(origin),
            "frame": _numbers("--frame", frame, 4),
            "axes": parse_choice("--axes", axes, AXES),
            "mirror": parse_choice("--mirror", mirror, MIRRORS),
            "scores": parse_choice("--scores", scores, SCORES),
            "roi": _numbers("--roi", roi, 4),
            "threshold": threshold,
            "point": point,
            "as_is": as_is,
            "mpp": None if mpp is None else parse_mpp(mpp).x,  # type: ignore[union-attr]
            "mpp_override": mpp_override,
        },
        where="results import",
    )
    check_outputs([slide], out, wanted)
    if file.resolve() in [(out / name).resolve() for name in output_names(slide, wanted)]:
        raise ConfigError("the file to import would be replaced", where=file, mend=_MEND_OUT)
    _refuse_results_of_others([slide], out, kind="imported")
    found = import_findings(
        slide,
        file,
        settings=settings,
        mapping=LabelMapping.parse(label or ()),
        boxes=parse_boxes(boxes),
        calibration=None if calibration is None else Calibration.read(calibration),
    )
    _write([found], out, as_json=as_json, formats=wanted, area_mm2=area_mm2, rule=rule, force=force)


def _refuse_results_of_others(slides: Iterable[Path], out: Path, *, kind: str) -> None:
    """Refuse to replace the result of a search, or of another kind, on one of the slides."""
    from mitoscope.errors import FormatError
    from mitoscope.exchange import MANIFEST, read_manifest, result_stem

    for slide in slides:
        path = out / f"{result_stem(slide)}{MANIFEST}"
        try:
            detector = read_manifest(path).get("detector")
        except FormatError:  # none yet
            continue
        if isinstance(detector, dict) and detector.get("kind") != kind:
            what = f"holds the result of {detector.get('name')} on this slide"
            raise ConfigError(what, where=path, mend=_MEND_OUT)


def _write(found: Iterable[SlideFindings], out: Path, *, as_json: bool, **how: Any) -> None:
    """Write results and say what they are, and what is odd about them."""
    from mitoscope.count import refuse_colours
    from mitoscope.exchange import read_manifest
    from mitoscope.report import write_outputs

    made: list[dict[str, Any]] = []
    for result in found:
        manifest = write_outputs(result, out, **how)[-1]
        values = read_manifest(manifest)
        count, figures = values["mitotic_count"]["count"], values["search"]["mitotic_figures"]
        made.append(
            {
                "slide": values["slide"]["name"],
                "manifest": str(manifest),
                "mitotic_figures": figures,
                "mitotic_count": count,
                "notes": list(result.notes),
            }
        )
        if not as_json:
            typer.echo("\n".join([summarise(values), *(f"  {note}" for note in result.notes)]))
        if not how.get("force"):
            refuse_colours(result.detections.searched)
    if as_json:
        print_json({"slides": made, "out": str(out)})


def _columns(texts: Sequence[str]) -> dict[str, str]:
    """Read ``FIELD=NAME``, repeated."""
    found: dict[str, str] = {}
    for text in texts:
        field, equals, name = (part.strip() for part in text.partition("="))
        if not (field and equals and name):
            raise ConfigError(f"{text!r} is not of the form FIELD=NAME", where="--column")
        if found.setdefault(field.casefold(), name) != name:
            raise ConfigError(f"two columns for {field!r}", where="--column", mend="name one")
    return found


def _origin(text: str) -> tuple[float, ...] | str:
    """Read ``X,Y`` or ``bounds``."""
    word = text.strip().casefold()
    return word if word == "bounds" else _numbers("--origin", text, 2) or (0.0, 0.0)


def _numbers(option: str, text: str | None, count: int) -> tuple[float, ...] | None:
    """Read so many numbers joined by commas."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        names = "X,Y,W,H" if count == 4 else "X,Y"
        raise ConfigError(
            f"{text!r} is not {names}", where=option, mend=f"write {option} {names} in level-0 px"
        )
    return values


@app.command()
def join(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Results of two detectors or more, a folder each.")
    ],
    out: OutOption,
    radius_um: Annotated[
        float, typer.Option("--radius-um", metavar="UM", help="Detections within this radius become one.")
    ] = 7.5,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="W,...", help="Weight of each detector; default: equal."),
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Join only the slides that all results have.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="T",
            callback=as_score,
            help="Joined scores above it count; default: the weighted mean of theirs.",
        ),
    ] = None,
    calibration: _Calibration = None,
    point: _Point = None,
    slides: Annotated[
        Path | None,
        typer.Option("--slides", metavar="DIR", help="Folder of the slides, for reports with pictures."),
    ] = None,
    formats: FormatsOption = None,
    scheme: SchemeOption = None,
    field_number: FieldNumberOption = None,
    objective: ObjectiveOption = None,
    field_diameter: FieldDiameterOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Join the detections of several detectors on the same slides: weighted fusion within a radius.

    The place of a joined detection is the mean by weight and score, its score the mean by weight; a
    detector without a detection there adds nothing. results calibrate chooses a threshold, as for a bundle.
    """
    from mitoscope.loops.crops import find_slides
    from mitoscope.report.outputs import FORMATS, check_outputs, parse_formats
    from mitoscope.results import Calibration, JoinSettings, join_results, names_to_join

    chosen = parse_formats(formats)
    if slides is None:
        if formats is not None and (shown := [name for name in _WITH_PICTURES if name in chosen]):
            raise ConfigError(
                f"{shown[0]} needs pictures of the slide", where="--formats", mend="give --slides DIR"
            )
        chosen = tuple(name for name in FORMATS if name in chosen and name not in _WITH_PICTURES)
    area_mm2, rule = parse_counting(None, scheme, parse_field(field_number, objective, field_diameter))
    settings = JoinSettings.parse(
        {
            "radius_um": radius_um,
            "weights": None if weights is None else weights.split(","),
            "threshold": threshold,
            "point": point,
            "common": common,
        },
        where="results join",
    )
    names = names_to_join(folders, common=common)
    files = [Path(name) for name in names]
    check_outputs(files, out, chosen)
    if out.resolve() in [folder.resolve() for folder in folders]:
        raise ConfigError("the results to join would be replaced", where=f"--out {out}", mend=_MEND_OUT)
    _refuse_results_of_others(files, out, kind="joined")
    found = join_results(
        folders,
        settings=settings,
        calibration=None if calibration is None else Calibration.read(calibration),
        slides=None if slides is None else find_slides(slides, names),
    )
    _write(found, out, as_json=as_json, formats=chosen, area_mm2=area_mm2, rule=rule, force=force)


@app.command()
def calibrate(
    pred: Annotated[Path, typer.Argument(metavar="DIR", help="Results that results import or join wrote.")],
    truth: TruthOption,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.json", help="File of the calibration.")],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", metavar="NAME", callback=as_words, help="Name of the fields in the calibration."
        ),
    ] = "own fields",
    protocol: ProtocolOption = "mitoscope",
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point",
            metavar="NAME",
            help="Operating point: f1 (default), unbiased-count, recall-at-N-per-mm2 or robust; repeatable, "
            "the first is the default.",
        ),
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Also turn the scores into probabilities.")
    ] = False,
    policy: PolicyOption = None,
    label: LabelOption = None,
    examined: ExaminedOption = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the threshold of imported or joined results on labelled fields; turn scores into probabilities.

    To use it, run results import or join again with --calibration FILE.
    """
    from mitoscope.cli.bundle import calibration_lines, too_few
    from mitoscope.evaluate import Criterion, FileJudge, find_protocol
    from mitoscope.labels import LabelMapping
    from mitoscope.results import calibrate_results

    judge = FileJudge(
        truth,
        find_protocol(protocol),
        policy=parse_policy(policy),
        mapping=LabelMapping.parse(label or ()),
        examined=examined,
        mpp=parse_mpp(mpp),
        mpp_override=mpp_override,
    )
    criteria = [Criterion.parse(name) for name in point or ["f1"]]
    done = calibrate_results(judge, pred, out, dataset=dataset, criteria=criteria, scores=scores)
    lines = calibration_lines(done)
    say({"out": str(out), "points": lines}, "\n".join([*lines, f"written to {out}"]), as_json)
    if not done.fitted[0].is_sure:
        typer.echo(f"warning: {too_few(done.fitted[0], scores=scores)}", err=True)
